"""Trackers of a run: Accelerate's by name, and classes of one's own by their dotted path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.components import find_class
from mertk.errors import MertkError

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

WHERE = "training.trackers"


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not installed; Accelerate would do without them and say nothing.

    Raises:
        MertkError: names them, and those there are; or a class that is not there, or is no tracker.
    """
    from accelerate.tracking import get_available_trackers

    for name in filter(_is_path, names):
        _find(name)
    installed = [str(name) for name in get_available_trackers()]
    absent = [name for name in trackers_of_accelerate(names) if name not in (*installed, "all")]
    if absent:
        raise MertkError(
            f"{WHERE}: {', '.join(absent)} is not known or not installed; installed are "
            f"{', '.join(installed) or 'none'}. Install it, or name another ({WHERE}=[] for none)."
        )


def trackers_of_accelerate(names: Sequence[str]) -> list[str]:
    """Those that Accelerate knows by name."""
    return [name for name in names if not _is_path(name)]


def make_own_trackers(names: Sequence[str], run_name: str, directory: Path) -> list[GeneralTracker]:
    """Those that are classes of one's own, made as Accelerate makes its own.

    Args:
        directory: of the run; given to a class whose `requires_logging_directory` is true.
    """
    kinds = [_find(name) for name in names if _is_path(name)]
    return [kind(run_name, *([str(directory)] if kind.requires_logging_directory else [])) for kind in kinds]


def _is_path(name: str) -> bool:
    return "." in name


def _find(name: str) -> type[GeneralTracker]:
    from accelerate.tracking import GeneralTracker

    return find_class(name, WHERE, kind=GeneralTracker)
