"""Checkpoints: what a run resumes from.

    RUN/checkpoints/step_00000120/   model.safetensors  optimizer.pt  random_000.pt ...  state.json  SHA256SUMS

A checkpoint is a set of files, each written by one process (`mertk.training.state` says which); how a file is written
follows from its name. SHA256SUMS has a line for every file and is checked before anything is read; `sha256sum -c` reads
it too. The directory gets its name when all of it is on disk.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mertk import distributed
from mertk.atomic.directories import discard, is_full, put_in_place, staging, sync_tree
from mertk.digests import digest_of
from mertk.errors import MertkError, first_line
from mertk.numerics import refuse_not_finite

SUMS = "SHA256SUMS"


def save_checkpoint(checkpoints: Path, step: int, files: Mapping[str, Any], keep: int) -> None:
    """Write one checkpoint, each process its own files; then delete all but the last `keep`.

    Every process calls it, with a directory that all of them see.

    Args:
        files: content by file name, of the files that this process writes.

    Raises:
        OSError: `ENOSPC`, on every process, when one of them found no room. Earlier checkpoints are as they were.
        MertkError: a process could not write for another reason.
    """
    target = checkpoints / f"step_{step:08d}"
    temporary = staging(target)
    if distributed.is_main():
        discard(temporary)
    distributed.gather_objects(None)  # nobody writes before what a killed run left there is gone
    try:
        sums = _agree(_write_files(temporary, files), target)
        placed = _Outcome()
        if distributed.is_main():
            placed = _put_in_place(temporary, target, sums)
        _agree(placed, target)
    finally:
        if distributed.is_main():
            discard(temporary)
    if distributed.is_main():
        _delete_others(checkpoints, step, keep)


@dataclass
class _Outcome:
    """How writing went on one process: a line of SHA256SUMS for each file, or what went wrong."""

    sums: list[str] = field(default_factory=list)
    error: str = ""
    is_full: bool = False


def _write_files(directory: Path, files: Mapping[str, Any]) -> _Outcome:
    outcome = _Outcome()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_file(directory / name, content)
            outcome.sums.append(f"{digest_of(directory / name)}  {name}\n")
    except Exception as error:
        return _Outcome(error=f"{type(error).__name__}: {error}", is_full=is_full(error, directory))
    return outcome


def _put_in_place(temporary: Path, target: Path, sums: list[str]) -> _Outcome:
    try:
        absent = [line.split()[1] for line in sums if not (temporary / line.split()[1]).exists()]
        if absent:
            return _Outcome(
                error=f"process 0 does not see {absent[0]}, which another one wrote; all need one file system"
            )
        (temporary / SUMS).write_text("".join(sums), encoding="utf-8")
        sync_tree(temporary)
        put_in_place(temporary, target)
    except OSError as error:
        return _Outcome(error=str(error), is_full=is_full(error, temporary))
    return _Outcome()


def _agree(outcome: _Outcome, target: Path) -> list[str]:
    """Lines of all processes; the same error on all of them if one failed."""
    outcomes = distributed.gather_objects(outcome)
    if any(each.is_full for each in outcomes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    for rank, each in enumerate(outcomes):
        if each.error:
            raise MertkError(f"{target}: process {rank} could not write this checkpoint ({each.error}).")
    return [line for each in outcomes for line in each.sums]


def _delete_others(checkpoints: Path, step: int, keep: int) -> None:
    """Delete the oldest beyond `keep`, and any ahead of `step`: damaged ones, of work that was lost."""
    present = all_checkpoints(checkpoints)
    for directory in present:
        ahead = _step_of(directory) > step
        if ahead or directory not in [path for path in present if _step_of(path) <= step][-keep:]:
            discard(directory)


def all_checkpoints(checkpoints: Path) -> list[Path]:
    """Checkpoints in the order of their steps, damaged ones too."""
    found = [path for path in checkpoints.glob("step_*") if re.fullmatch(r"step_[0-9]{8,}", path.name)]
    return sorted(found, key=_step_of)


def _step_of(directory: Path) -> int:
    return int(directory.name.removeprefix("step_"))


def latest_checkpoint(checkpoints: Path) -> tuple[Path | None, list[str]]:
    """The checkpoint with the most steps that is whole, and a warning for each newer one that is damaged.

    Raises:
        MertkError: there are checkpoints, but each is damaged.
    """
    damaged: list[tuple[Path, str]] = []
    for directory in reversed(all_checkpoints(checkpoints)):
        damage = find_damage(directory)
        if not damage:
            return directory, [f"{path} is damaged ({what}); going on from {directory}" for path, what in damaged]
        damaged.append((directory, damage))
    if damaged:
        told = "; ".join(f"{path.name}: {what}" for path, what in damaged)
        raise MertkError(
            f"{checkpoints}: no checkpoint can be resumed from ({told}). Restore one, or delete the folder to "
            "start from the beginning."
        )
    return None, []


def find_damage(directory: Path) -> str:
    """What is wrong with the files of a checkpoint; empty when each is as it was written."""
    try:
        lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
        named = {SUMS}
        for line in lines:
            digest, name = line.split("  ", 1)
            if name != Path(name).name:
                return f"{SUMS} names {name!r}, which is not in the directory"
            if digest_of(directory / name) != digest:
                return f"{name} is not as it was written"
            named.add(name)
        unnamed = sorted({path.name for path in directory.glob("[!.]*")} - named)
        if lines and unnamed:
            return f"{SUMS} does not name {unnamed[0]}"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return f"{SUMS} or a file it names cannot be read ({error})"
    return "" if lines else f"{SUMS} is empty"


@contextmanager
def reading_checkpoint(directory: Path) -> Iterator[None]:
    """Say which checkpoint it is, and what to do, when it is whole but not this run's.

    Raises:
        MertkError: its content is not what this run expects.
    """
    try:
        yield
    # What torch.load, pickle and JSON raise is nearly anything.
    except Exception as error:
        told = first_line(error)
        raise MertkError(
            f"{directory}: this checkpoint cannot be resumed from ({told}). It is as it was written, so other settings "
            "or another version wrote it; go back to those, or delete the folder of the "
            "checkpoints to start from the beginning."
        ) from error


def write_file(path: Path, content: Any) -> None:
    """Write in the format that the name ends in: .safetensors (tensors by name), .json, .pt (torch.save)."""
    if path.suffix == ".safetensors":
        save_weights(content, path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    else:
        torch.save(content, path)


def num_bytes(content: Any) -> int:
    """Memory of all tensors in nested containers, which is about what their files take.

    >>> num_bytes({"a": torch.zeros(3), "b": [torch.zeros(2, dtype=torch.int64), 7]})
    28
    """
    if isinstance(content, torch.Tensor):
        return content.numel() * content.element_size()
    if isinstance(content, Mapping):
        content = list(content.values())
    return sum(map(num_bytes, content)) if isinstance(content, (list, tuple)) else 0


def save_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """State dictionary as safetensors."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    places: set[int] = set()
    for name, tensor in weights.items():
        tensor = tensor.detach().cpu().contiguous()
        # Tied weights are written under each of their names; safetensors refuses tensors that share memory.
        tensors[name] = tensor.clone() if tensor.untyped_storage().data_ptr() in places else tensor
        places.add(tensor.untyped_storage().data_ptr())
    save_file(tensors, str(path))
    # safetensors makes files that only their owner can read; a shared experiment is read by colleagues.
    path.chmod(path.parent.stat().st_mode & 0o666)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file by name.

    Raises:
        MertkError: the file is absent or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MertkError(f"{path}: no such weights; train first, or give the directory that holds model.safetensors.")
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise MertkError(f"{path}: damaged or not a safetensors file ({error}); restore it or train again.") from error


def load_weights(model: torch.nn.Module, path: Path, elsewhere: Collection[str] = ()) -> None:
    """Load safetensors into `model`, name by name.

    Args:
        elsewhere: names that `path` lacks, and whose weights the model has already.

    Raises:
        MertkError: the file is absent or damaged, its names or shapes are not the model's, or it holds NaN.
    """
    weights = read_weights(path)
    refuse_not_finite(weights, path)
    try:
        held = {name: one for name, one in model.state_dict().items() if name in elsewhere}
        model.load_state_dict(held | weights)
    except RuntimeError as error:
        raise MertkError(f"{path}: does not fit the model its configuration describes: {error}") from error
