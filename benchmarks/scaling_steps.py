"""What a training step costs as the batch and the number of processes grow: Foal-Net with narrow widths under DDP.

Legend: `B` utterances of the global batch, `W` processes.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

#: of every utterance; equal lengths, so that cost is that of the batch and not of its longest
SECONDS = 1.0
WEIGHTS = {"ce": 1.0, "avel": 1.0, "mem": 0.1}


def measure_steps(num_processes: int, batch_sizes: list[int], steps: int, seed: int) -> dict[int, dict[str, float]]:
    """By global batch: `wall` and `processor` seconds of a step, the latter of all processes; `gigabytes` of one."""
    from torch import multiprocessing

    with tempfile.TemporaryDirectory() as name:
        given = (num_processes, batch_sizes, steps, seed, Path(name))
        multiprocessing.spawn(_run, given, nprocs=num_processes)
        reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(name).glob("*.json"))]
    found = {}
    for size in batch_sizes:
        of_size = [report[str(size)] for report in reports]
        found[size] = {
            "wall": max(one["wall"] for one in of_size),
            "processor": sum(one["processor"] for one in of_size),
            "gigabytes": max(one["gigabytes"] for one in of_size),
        }
    return found


def _run(rank: int, num_processes: int, batch_sizes: list[int], steps: int, seed: int, out: Path) -> None:
    """One process; spawned."""
    import torch
    import torch.distributed as dist

    from benchmarks.workload import make_foal, make_rows, scaled
    from mertk.data.dataset import collate
    from mertk.data.sampler import local_rows

    torch.set_num_threads(1)
    if num_processes > 1:
        # Processes meet in a file: a free port may be taken by the time it is used.
        dist.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=rank, world_size=num_processes)
    torch.manual_seed(seed)
    sizes = scaled(16, 2)
    method = make_foal(sizes)
    model: Any = torch.nn.parallel.DistributedDataParallel(method) if num_processes > 1 else method
    optimizer = torch.optim.AdamW(method.parameters(), lr=1e-4)
    rows = make_rows([SECONDS] * max(batch_sizes), sizes["video"], np.random.default_rng(seed))
    found = {}
    for size in sorted(batch_sizes):
        own = local_rows(np.arange(size), rank, num_processes)
        batch = collate([rows[index] for index in own]) | {"shared_seed": seed}

        def step(batch: dict[str, Any] = batch) -> None:
            terms = method.losses(model(batch), batch)
            sum(WEIGHTS[name] * value for name, value in terms.items()).backward()
            optimizer.step()
            optimizer.zero_grad()

        step()
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        found[size] = {
            "wall": (time.perf_counter() - start) / steps,
            "processor": (time.process_time() - processor) / steps,
            "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        }
    (out / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    if num_processes > 1:
        dist.destroy_process_group()
