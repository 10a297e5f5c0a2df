"""One form of Foal-Net's training step, measured on one device (see `benchmarks.gpu`)."""

from __future__ import annotations

import gc
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import say

if TYPE_CHECKING:
    from mertk.batch import Batch

WEIGHTS = {"ce": 1.0, "avel": 1.0, "mem": 0.1}
#: forms that train a part of the speech encoder
PARTLY_TRAINED = ("lora", "last_layers")


def encoder_settings(form: str, num_layers: int) -> dict[str, Any]:
    """Of the speech encoder in a form: adapters of rank 8, or the last sixth of its layers."""
    if form.endswith("checkpointed"):
        return {"gradient_checkpointing": True}
    return {"lora": {"lora_rank": 8}, "last_layers": {"trained_layers": max(1, num_layers // 6)}}.get(form, {})


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def matmul_teraflops(device: str, size: int, rounds: int = 5) -> float:
    """TFLOP/s of the product of two square bfloat16 matrices, the best of several rounds."""
    import torch

    matrices = [torch.randn(size, size, device=device).bfloat16() for _ in range(2)]
    repetitions = 20 if device == "cuda" else 2
    best = 0.0
    for _ in range(rounds + 1):  # the first chooses a kernel and wakes the clock up
        synchronize(device)
        start = time.perf_counter()
        for _ in range(repetitions):
            torch.mm(*matrices)
        synchronize(device)
        best = max(best, repetitions * 2 * size**3 / (time.perf_counter() - start) / 1e12)
    del matrices
    if device == "cuda":
        torch.cuda.empty_cache()  # other processes need the room
    return best


def measure_form(arguments: Namespace) -> Iterator[dict[str, Any]]:
    """Rate, arithmetic and memory with `--batch_size` and the largest batch; gives what it knows after each part."""
    counted = arguments.form if arguments.form in PARTLY_TRAINED else "plain"
    work = Step(Namespace(**{**vars(arguments), "form": counted})).count_work()
    step = Step(arguments)
    found: dict[str, Any] = {"batches": {}}
    found["batches"][str(arguments.batch_size)] = step.try_to_measure(arguments.batch_size, arguments.batches, work)
    yield found
    found["largest_batch"] = largest = step.find_largest()
    yield found
    if largest > arguments.batch_size:
        found["batches"][str(largest)] = step.try_to_measure(largest, max(2, arguments.batches // 2), work)
    yield found


class Step:
    """A model and its training step in one of the forms.

    Args:
        arguments: of `benchmarks.gpu`; `form` says which.
    """

    def __init__(self, arguments: Namespace) -> None:
        import torch

        from benchmarks.workload import LARGE, make_foal, scaled
        from mertk.numerics import attend_at_any_length

        self.arguments = arguments
        self.device = arguments.device
        self.is_compiled = arguments.form.startswith("compiled")
        self.sizes = scaled(16, 2) if arguments.tiny else LARGE
        torch.manual_seed(arguments.seed)
        torch.set_float32_matmul_precision("high")
        attend_at_any_length()
        self.model = make_foal(self.sizes, encoder_settings=encoder_settings(arguments.form, self.sizes["layers"]))
        self.model.to(self.device).train()
        # On CPU this only tries the program; there, making code would take minutes and tell nothing.
        backend = "inductor" if self.device == "cuda" else "aot_eager"
        self.compiled = torch.compile(self.model, dynamic=True, backend=backend) if self.is_compiled else self.model
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=self.device == "cuda")

    def take(self, batch: Batch) -> None:
        """Forward, losses, backward, optimizer."""
        import torch

        from mertk.batch import to_device

        batch = to_device(batch, torch.device(self.device))
        with torch.autocast(self.device, dtype=torch.bfloat16):
            output = self.compiled(batch)
            terms = self.model.losses(output, batch)
            total = sum(WEIGHTS[name] * value for name, value in terms.items())
        total.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def make_batches(self, batch_size: int, count: int, seconds: float | None = None) -> list[Batch]:
        """Batches of utterances like IEMOCAP's, grouped by length, or all of `seconds`; pinned for a GPU."""
        import numpy as np

        from benchmarks.workload import draw_seconds, make_rows
        from mertk.data.dataset import collate
        from mertk.data.sampler import BatchPlan

        random = np.random.default_rng(self.arguments.seed)
        if seconds is None:
            lengths = draw_seconds(self.arguments, count * batch_size, random)
        else:
            lengths = np.full(count * batch_size, seconds)
        found = []
        for number, rows in enumerate(BatchPlan(lengths, None, batch_size, 16, self.arguments.seed).batches(0)):
            batch = collate(make_rows(lengths[rows], self.sizes["video"], random)) | {"shared_seed": number}
            if self.device == "cuda":
                batch = {
                    name: getattr(value, "pin_memory", lambda value=value: value)() for name, value in batch.items()
                }
            found.append(batch)
        return found

    def count_work(self) -> Callable[[float], float]:
        """TFLOP of a step per utterance, by the seconds that its batch is padded to.

        Layers cost in proportion to the length and attention to its square, so three lengths tell all.
        """
        import numpy as np
        from torch.utils.flop_counter import FlopCounterMode

        lengths = [2.0, 4.0, 6.0]
        counts = []
        for seconds in lengths:
            (batch,) = self.make_batches(2, 1, seconds)
            with FlopCounterMode(display=False) as counter:
                self.take(batch)
            counts.append(counter.get_total_flops() / 2 / 1e12)
        return np.poly1d(np.polyfit(lengths, counts, 2))

    def try_to_measure(self, batch_size: int, count: int, work: Callable[[float], float]) -> dict[str, Any]:
        """What `measure` finds, or why there is nothing."""
        import torch

        try:
            return self.measure(batch_size, count, work)
        except torch.OutOfMemoryError:
            say(f"{self.arguments.form}, batch {batch_size}: out of memory")
            return {"failed": "out of memory"}

    def measure(self, batch_size: int, count: int, work: Callable[[float], float]) -> dict[str, Any]:
        """Rates of several rounds over the same batches."""
        import torch

        from benchmarks.workload import SAMPLE_RATE_HZ

        self.clear()
        batches = self.make_batches(batch_size, count)
        total = sum(batch_size * work(batch["audio"].shape[1] / SAMPLE_RATE_HZ) for batch in batches)
        spent = []
        for _ in range(self.arguments.rounds + 1):  # the first compiles, allocates and chooses kernels
            synchronize(self.device)
            start = time.perf_counter()
            for batch in batches:
                self.take(batch)
            synchronize(self.device)
            spent.append(time.perf_counter() - start)
        rates = [count * batch_size / seconds for seconds in spent[1:]]
        say(f"{self.arguments.form}, batch {batch_size}: {statistics.median(rates):.1f} utterances/s")
        return {
            "utterances_per_second": rates,
            "teraflops": [total / seconds for seconds in spent[1:]],
            "teraflop_per_utterance": total / (count * batch_size),
            "first_round_seconds": spent[0],
            "peak_gigabytes": torch.cuda.max_memory_allocated() / 1e9 if self.device == "cuda" else None,
        }

    def find_largest(self) -> int:
        """The largest batch of 6 s utterances that fits: doubled until it does not, or halved until it does."""
        size, most = self.arguments.start or self.arguments.batch_size, self.arguments.most
        if self.fits(size):
            while 2 * size <= most and self.fits(2 * size):
                size *= 2
            return size
        while size > 1 and not self.fits(size):
            size //= 2
        return size

    def fits(self, batch_size: int) -> bool:
        """Whether two steps go through; what is not for want of memory is told, and counts as not fitting."""
        import torch

        from benchmarks.workload import MAX_SECONDS

        self.clear()
        try:
            (batch,) = self.make_batches(batch_size, 1, MAX_SECONDS)
            for _ in range(2):
                self.take(batch)
            synchronize(self.device)
        except torch.OutOfMemoryError:
            say(f"{self.arguments.form}, batch {batch_size}: out of memory")
            return False
        except RuntimeError as error:
            say(f"{self.arguments.form}, batch {batch_size}: {error}")
            return False
        say(f"{self.arguments.form}, batch {batch_size}: fits")
        return True

    def clear(self) -> None:
        """Give back what earlier sizes left behind, and count peak memory from here."""
        import torch

        self.optimizer.zero_grad()
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
