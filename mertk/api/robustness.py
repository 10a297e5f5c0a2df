"""Scoring trained models with modalities absent, partly missing or noisy, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    import pandas

    from mertk.report.robustness import Curve, Point, Robustness
    from mertk.run.conditions import Wanted

Words = str | Sequence[str]
Levels = str | float | Iterable[float]


def find_wanted(
    drop: Words,
    missing: Mapping[str, Levels] | None,
    missing_units: str,
    block_frames: int,
    noise_snr: Levels,
    noise_folder: str | Path | None,
    seeds: int,
) -> Wanted:
    """What `mertk.evaluate` was asked for.

    Raises:
        MertkError: a value that means nothing.
    """
    from mertk.run.conditions import Wanted, read_modalities

    drops = drop.split(",") if isinstance(drop, str) and drop else drop
    return Wanted(
        [_named("drop", read_modalities, words) for words in drops],
        [(_named("missing", read_modalities, name), _levels("missing", one)) for name, one in (missing or {}).items()],
        missing_units,
        block_frames,
        _levels("noise_snr", noise_snr),
        None if noise_folder is None else Path(noise_folder),
        seeds,
    )


def score_conditions(
    runs: Sequence[Path], wanted: Wanted, again: bool, trusted: Sequence[str], speech: str | None, tell: Callable
) -> pandas.DataFrame:
    """Score runs under conditions, write the curves of their experiments, and give them as a table, a row a point."""
    import pandas

    from mertk.features import Places
    from mertk.report.robustness_files import write_curves
    from mertk.report.run_intervals import note_intervals
    from mertk.run.robustness import evaluate_conditions

    found: list[Robustness] = []

    def summarize(scored: list[Path]) -> None:
        found.extend(write_curves(scored)[0])

    done = {"finish": note_intervals, "summarize": summarize}
    evaluate_conditions(runs, wanted, None, again, trusted, Places(audio=speech), tell, **done)
    return pandas.DataFrame(
        [_row(one.record["name"], curve, point) for one in found for curve in one.curves for point in curve.points]
    )


def _row(experiment: str, curve: Curve, point: Point) -> dict[str, Any]:
    row = {"experiment": experiment, "kind": curve.kind, "modalities": "+".join(curve.condition.modalities)}
    row |= {"condition": curve.subject, "level": point.level, "draws": point.num_seeds}
    for name, value in point.figures.items():
        low, high = point.intervals[name] or (None, None)
        change_low, change_high = point.change_intervals[name] or (None, None)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_change": point.changes[name]}
        row |= {f"{name}_change_low": change_low, f"{name}_change_high": change_high}
    return row


def _levels(what: str, given: Levels) -> list[float]:
    from mertk.run.conditions import read_levels

    if isinstance(given, str):
        return _named(what, read_levels, given)
    return [float(given)] if isinstance(given, (int, float)) else [float(level) for level in given]


def _named(what: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except MertkError as error:
        raise MertkError(f"{what}: {error}") from None
