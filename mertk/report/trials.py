"""The trials of a study, ranked, and what its settings matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mertk.dotted_keys import short_keys
from mertk.report.formatting import Part, Table
from mertk.tasks import is_smaller_better, tell_value

#: in which order trials stand, those that came to their end by their value
ORDER = ("complete", "pruned", "unfinished", "failed")


def trial_parts(
    trials: Sequence[Mapping[str, Any]],
    metric: str,
    importances: Mapping[str, float] | None,
    most: int | None = None,
) -> list[Part]:
    """A table of trials, why others were ended, and how much settings matter.

    Args:
        trials: mappings with `number`, `state` of `ORDER`, `value` (None where there is none), `settings` and `reason`.
        metric: that they are ranked by.
        importances: by setting; None where nobody can tell.
        most: trials of the table; None for all that are complete.
    """
    sign = 1 if is_smaller_better(metric) else -1
    ranked = sorted(
        trials,
        key=lambda one: (
            ORDER.index(one["state"]),
            sign * one["value"] if one["value"] is not None else 0,
            one["number"],
        ),
    )
    complete = [one for one in ranked if one["state"] == "complete"]
    parts: list[Part] = []
    if complete:
        keys = list(complete[0]["settings"])
        header = ["trial", metric, *short_keys(keys)]
        rows = [
            [one["number"], tell_value(metric, one["value"]), *(_cell(one["settings"][key]) for key in keys)]
            for one in complete[:most]
        ]
        parts.append(Table(header, rows))
    if most is not None and len(complete) > most:
        parts.append(f"and {len(complete) - most} others that came to their end")
    for one in ranked:
        if one["state"] not in ("complete", "pruned") or (most is None and one["state"] == "pruned"):
            parts.append(f"- trial {one['number']}: {one['state']}{', ' if one['reason'] else ''}{one['reason']}")
    counts = [(sum(one["state"] == state for one in trials), state) for state in ORDER]
    parts.append(f"{len(trials)} trials: {', '.join(f'{count} {state}' for count, state in counts if count)}")
    if importances:
        told = ", ".join(f"{key} {100 * share:.0f} %" for key, share in importances.items())
        parts.append(f"what the differences come from: {told}")
    return parts


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
