"""The only training loop: any method, one process or many."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from mertk import distributed
from mertk.batch import Batch, to_device
from mertk.config import Config, as_dict
from mertk.errors import MertkError
from mertk.metrics import is_smaller_better
from mertk.training.checkpoint import (
    latest_checkpoint,
    load_weights,
    random_state,
    reading_checkpoint,
    restore_random_state,
    save_checkpoint,
)
from mertk.training.optim import Schedule, make_optimizer
from mertk.training.run_progress import Progress
from mertk.training.scoring import Scores, score
from mertk.training.tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Callable

    from accelerate import Accelerator

    from mertk.models.base import Model

log = logging.getLogger(__name__)


class Loader(Protocol):
    """Training batches of this process (see `mertk.data.loader.TrainingLoader`)."""

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]: ...


class Trainer:
    """Trains a model, chooses its best epoch on the validation part, and can go on where it was interrupted.

    Args:
        batches: training batches of this process.
        validation: batches of the validation part, or None: then the last epoch is the one to keep.
        validation_ids: every utterance of the validation part.
        measure: metrics of the validation part from its scores.
        save_best: writes the model directory; gets weights and progress, on the main process only.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: Model,
        config: Config,
        run_dir: Path,
        batches: Loader,
        validation: Any | None,
        validation_ids: list[str],
        measure: Callable[[Scores], dict[str, float]],
        save_best: Callable[[dict[str, torch.Tensor], Progress], None],
    ) -> None:
        self.accelerator = accelerator
        self.config = config
        self.run_dir = run_dir
        self.batches = batches
        self.validation = validation
        self.validation_ids = validation_ids
        self.measure = measure
        self.save_best = save_best
        self.weights = {name: weight for name, weight in config.loss_weights.items() if weight is not None}
        self.progress = Progress()
        model.to(accelerator.device)
        # Accelerate cannot tell the steps that fp16's scaler skips from others when the optimizer is fused.
        fused = accelerator.device.type == "cuda" and accelerator.mixed_precision != "fp16"
        optimizer = make_optimizer(model, config.optimizer, fused)
        self.steps_per_epoch = math.ceil(len(batches) / config.optimizer.accumulation_steps)
        self.total_steps = config.training.stop_at_step or config.training.epochs * self.steps_per_epoch
        self.minimizes = is_smaller_better(config.training.monitor)
        self.schedule = Schedule(optimizer, config.schedule, self.total_steps, self.minimizes)
        self.method = model
        wrapped = torch.compile(model) if config.training.compile else model
        self.model, self.optimizer = accelerator.prepare(wrapped, optimizer)

    def fit(self, resume: bool = False) -> Progress:
        """Train to the end of the configuration; returns where the run ended.

        Raises:
            MertkError: a loss or gradient that is not finite (names the batch's utterances), or loss terms that are
                not those of `loss_weights`.
        """
        tracking = Tracking(self.accelerator, self.run_dir, as_dict(self.config), self.total_steps)
        self.tracking = tracking
        try:
            if resume:
                self._resume()
            started = time.perf_counter() - self.progress.seconds
            while not self.progress.stopped:
                self._train_epoch()
                self.progress.seconds = time.perf_counter() - started
                self._finish_epoch()
        finally:
            tracking.close()
        return self.progress

    def _train_epoch(self) -> None:
        self.model.train()
        accumulation = self.config.optimizer.accumulation_steps
        last = len(self.batches)
        group: list[Batch] = []
        for batch in self.batches.epoch(self.progress.epoch, self.progress.position):
            group.append(batch)
            self.progress.position += 1
            if len(group) == accumulation or self.progress.position == last:
                self._step(group)
                group = []
                if self._at_last_step():
                    return

    def _at_last_step(self) -> bool:
        stop = self.config.training.stop_at_step
        return stop is not None and self.progress.step >= stop

    def _step(self, group: list[Batch]) -> None:
        """One optimizer step over the batches of `group`."""
        share = 1.0 if self.config.optimizer.accumulation == "sum" else 1 / len(group)
        sums: dict[str, torch.Tensor] = {}
        for number, batch in enumerate(group):
            is_last = number == len(group) - 1
            with contextlib.nullcontext() if is_last else self.accelerator.no_sync(self.model):
                terms = self._backward(to_device(batch, self.accelerator.device), share)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach() / len(group)
        self._clip(group)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if not self.accelerator.optimizer_step_was_skipped:
            self.schedule.step()
        self.progress.step += 1
        self.tracking.step(sum(len(batch["utterance_ids"]) for batch in group) * self.accelerator.num_processes)
        if self.progress.step % self.config.training.log_every == 0:
            figures = self._over_processes(sums)
            figures["learning_rate"] = self.schedule.learning_rates()[0]
            self.tracking.report_step(self.progress.step, self.progress.epoch, figures)

    def _over_processes(self, terms: dict[str, torch.Tensor]) -> dict[str, float]:
        """Mean of each term over the processes, which is its value on the joined batch."""
        values = torch.stack([value.double() for value in terms.values()])
        means = self.accelerator.reduce(values, reduction="mean")
        return dict(zip(terms, means.tolist(), strict=True))

    def _backward(self, batch: Batch, share: float) -> dict[str, torch.Tensor]:
        try:
            return self._compute(batch, share)
        except torch.OutOfMemoryError as error:
            raise MertkError(
                f"step {self.progress.step + 1}: the GPU's memory is too small for a batch of "
                f"{len(batch['utterance_ids'])} utterances on one process. Lower sampler.batch_size (and raise "
                "optimizer.accumulation_steps), or set the encoder's gradient_checkpointing."
            ) from error

    def _compute(self, batch: Batch, share: float) -> dict[str, torch.Tensor]:
        with self.accelerator.autocast():
            output = self.model(batch)
            terms = self.method.losses(output, batch)
            if terms.keys() != self.weights.keys():
                raise MertkError(
                    f"loss_weights has {sorted(self.weights)}, but the model computes {sorted(terms)}; "
                    "the names must be equal (set a weight to null to take its term out)."
                )
            total = sum(self.weights[name] * value for name, value in terms.items())
        if not torch.isfinite(total):
            values = ", ".join(f"{name}={value.item():.4g}" for name, value in terms.items())
            raise MertkError(self._not_finite(f"the loss is not finite ({values})", [batch]))
        self.accelerator.backward(total * share)
        self.method.after_step(output, batch)
        return terms | {"loss": total}

    def _clip(self, group: list[Batch]) -> None:
        """Limit the gradient as configured; one that is not finite is an error, with a limit or without."""
        limits, parameters = self.config.optimizer, list(self.model.parameters())
        norm = self.accelerator.clip_grad_norm_(parameters, limits.max_gradient_norm or math.inf)
        # The scaler of fp16 expects such steps now and then, and skips them.
        if norm is not None and self.accelerator.mixed_precision != "fp16" and not torch.isfinite(norm):
            raise MertkError(self._not_finite("the gradient is not finite", group))
        if limits.max_gradient_value is not None:
            # Not Accelerate's, which would undo the scale of fp16 a second time; the scaler refuses that.
            torch.nn.utils.clip_grad_value_(parameters, limits.max_gradient_value)

    def _not_finite(self, what: str, batches: list[Batch]) -> str:
        names = [name for batch in batches for name in batch["utterance_ids"]]
        return (
            f"step {self.progress.step + 1}: {what} on process {self.accelerator.process_index}; "
            f"the batch holds {', '.join(names)}. Look at these utterances, or lower the learning rate."
        )

    def _finish_epoch(self) -> None:
        """Score the validation part, keep the best model, decide whether to go on, save a checkpoint."""
        progress, training = self.progress, self.config.training
        metrics: dict[str, float] = {}
        if self.validation is not None:
            scores = score(self.accelerator, self.model, self.validation, self.validation_ids)
            metrics = self.measure(scores) | {f"{name}_loss": value for name, value in scores.losses.items()}
            metrics["loss"] = sum(self.weights[name] * value for name, value in scores.losses.items())
        if self._at_last_step():
            progress.stopped = "steps"
        elif progress.epoch + 1 == training.epochs and training.stop_at_step is None:
            progress.stopped = "epochs"
        improved = self._improved(metrics)
        if metrics:
            self.schedule.end_epoch(metrics[training.monitor], progress.step)
        progress.since_best = 0 if improved else progress.since_best + 1
        patience = training.early_stop if metrics else None
        if not progress.stopped and patience is not None and progress.since_best >= patience:
            progress.stopped = "early"
        record = {"epoch": progress.epoch, "step": progress.step, "validation": metrics, "best": improved}
        progress.epoch += 1
        progress.position = 0
        if improved:
            weights = self.accelerator.get_state_dict(self.model)
            if self.accelerator.is_main_process:
                self.save_best(_without_prefix(weights), progress)
        self.tracking.report_epoch(record)
        self._save()

    def _improved(self, metrics: dict[str, float]) -> bool:
        """Compare with the best so far; every process sees the same metrics, so all agree."""
        progress, monitor = self.progress, self.config.training.monitor
        if metrics:
            if monitor not in metrics:
                raise MertkError(f"training.monitor: got {monitor!r}, expected one of {', '.join(sorted(metrics))}.")
            value = -metrics[monitor] if self.minimizes else metrics[monitor]
            if progress.best is not None and value <= progress.best:
                return False
            progress.best = value
        elif not progress.stopped:
            return False  # nothing to choose by: the last epoch is the best
        progress.best_epoch, progress.best_step = progress.epoch, progress.step
        return True

    def _save(self) -> None:
        weights = self.accelerator.get_state_dict(self.model)
        states = distributed.gather_objects(random_state())
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            save_checkpoint(
                self.run_dir / "checkpoints",
                self.progress.step,
                _without_prefix(weights),
                {
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                    "scaler": scaler.state_dict() if scaler is not None else None,
                },
                states,
                asdict(self.progress),
                self.config.training.keep_checkpoints,
            )
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        directory = latest_checkpoint(self.run_dir / "checkpoints")
        if directory is None:
            log.debug("nothing to resume in %s: starting from the beginning", self.run_dir)
            self.tracking.restore(0, -1)
            return
        with reading_checkpoint(directory):
            saved = json.loads((directory / "state.json").read_text(encoding="utf-8"))
            self.progress = Progress(**{name: saved[name] for name in ("epoch", "position", "step")} | saved)
            load_weights(self.method, directory / "model.safetensors")
            state = torch.load(directory / "optimizer.pt", map_location="cpu", weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            if state["scaler"] is not None:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            random_file = directory / f"random_{self.accelerator.process_index:03d}.pt"
            if random_file.exists():
                restore_random_state(torch.load(random_file, weights_only=False))  # our own file, beside the weights
        self.tracking.restore(self.progress.step, self.progress.epoch - 1)
        log.info("resumed from %s: epoch %d, step %d", directory, self.progress.epoch, self.progress.step)


def _without_prefix(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names as the plain module has them; torch.compile puts `_orig_mod.` in front."""
    return {name.replace("_orig_mod.", ""): tensor for name, tensor in weights.items()}
