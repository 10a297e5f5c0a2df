"""What a run leaves on disk: checkpoints to resume from, and the model directory to use.

    RUN/checkpoints/step_00000120/   model.safetensors  optimizer.pt  random_000.pt ...  state.json   (to resume)
    RUN/best/                        model.safetensors  config.yaml  model.json  encoders/            (to use)

Directories are written under a temporary name, flushed to disk and renamed, so that one that has its name is whole.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mertk.errors import MertkError


def write_directory(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a temporary directory, then put it in the place of `target`.

    Raises:
        OSError: with `ENOSPC` when there was no room, whatever the library that wrote called it.
    """
    temporary = target.with_name(f".{target.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
    except BaseException as error:
        full = _is_full(error, temporary)
        shutil.rmtree(temporary, ignore_errors=True)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise
    replaced = target.with_name(f".{target.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    temporary.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def _is_full(error: BaseException, directory: Path) -> bool:
    """Whether a write failed for want of room; torch and safetensors wrap the system's error in their own."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if isinstance(error, Exception) and os.strerror(errno.ENOSPC) in str(error):
        return True  # safetensors
    return isinstance(error, RuntimeError) and shutil.disk_usage(directory).free < 2**20  # torch.save


def latest_checkpoint(checkpoints: Path) -> Path | None:
    """The checkpoint with the most steps, or None."""
    found = sorted(checkpoints.glob("step_*")) if checkpoints.is_dir() else []
    return found[-1] if found else None


def save_checkpoint(
    checkpoints: Path,
    step: int,
    weights: dict[str, torch.Tensor],
    optimizer_state: dict[str, Any],
    random_states: list[dict[str, Any]],
    state: dict[str, Any],
    keep: int,
) -> None:
    """Write one checkpoint and delete the oldest beyond `keep`.

    Args:
        optimizer_state: states of optimizer, schedule and scaler.
        random_states: of every process, by rank.
        state: everything else that fits into JSON: epoch, position, best score, ...
    """

    def fill(directory: Path) -> None:
        save_weights(weights, directory / "model.safetensors")
        torch.save(optimizer_state, directory / "optimizer.pt")
        for rank, random_state in enumerate(random_states):
            torch.save(random_state, directory / f"random_{rank:03d}.pt")
        (directory / "state.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")

    write_directory(checkpoints / f"step_{step:08d}", fill)
    for old in sorted(checkpoints.glob("step_*"))[:-keep]:
        shutil.rmtree(old)


@contextmanager
def reading_checkpoint(directory: Path) -> Iterator[None]:
    """Say which checkpoint it is, and what to do, when reading it fails in whatever way.

    Raises:
        MertkError: a file is missing, damaged, or not what it should be.
    """
    try:
        yield
    # What torch.load, pickle and JSON raise on damage is nearly anything.
    except Exception as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MertkError(
            f"{directory}: this checkpoint cannot be resumed from ({told}). Delete this folder to go on from an "
            "earlier checkpoint, or from the beginning if there is none."
        ) from error


def save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    """State dictionary as safetensors."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, str(path))
    # safetensors makes files that only their owner can read; a shared experiment is read by colleagues.
    path.chmod(path.parent.stat().st_mode & 0o666)


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load safetensors into `model`, name by name.

    Raises:
        MertkError: the file is absent or damaged, or its names or shapes are not the model's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MertkError(f"{path}: no such weights; train first, or give the directory that holds model.safetensors.")
    try:
        model.load_state_dict(load_file(str(path)))
    except SafetensorError as error:
        raise MertkError(f"{path}: damaged or not a safetensors file ({error}); restore it or train again.") from error
    except RuntimeError as error:
        raise MertkError(f"{path}: does not fit the model its configuration describes: {error}") from error


def random_state() -> dict[str, Any]:
    """States of all random number generators of this process."""
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the generators of this process where `random_state` found them."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
