"""Whether a run, its model and the data that it is scored on belong together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import Config
    from mertk.data.parts import Part


def check_same_run(config: Config, trained: Config, run_dir: Path) -> None:
    """Refuse a run whose settings call it another fold, seed or protocol than its model was trained as.

    Raises:
        MertkError: names what differs.
    """
    names = {
        f"run.{name}": (getattr(config.run, name), getattr(trained.run, name)) for name in ("cv", "protocol", "fold")
    }
    names |= {"training.seed": (config.training.seed, trained.training.seed)}
    told = [
        f"{name} is {now}, its model was trained as {before}" for name, (now, before) in names.items() if now != before
    ]
    if told:
        raise MertkError(f"{run_dir / 'config.yaml'}: {'; '.join(told)}. Restore it from best/config.yaml.")


def check_features(trained: dict[str, Any], given: dict[str, Any], where: Path) -> None:
    """Refuse features made otherwise than those the model was trained on; folders and counts may differ.

    Raises:
        MertkError: names what differs.
    """
    for modality in sorted(trained.keys() | given.keys()):
        record, other = trained.get(modality) or {}, given.get(modality) or {}
        # What a later version writes in addition says nothing about features of before.
        keys = [key for key in record or other if key not in ("weights", "count", "format", "options")]
        pairs = {key: (other.get(key), record.get(key)) for key in keys}
        mine, theirs = record.get("options") or {}, other.get("options") or {}
        pairs |= {f"options.{key}": (theirs.get(key), mine.get(key)) for key in sorted(mine.keys() | theirs.keys())}
        told = [f"{key} {got!r}, expected {expected!r}" for key, (got, expected) in pairs.items() if got != expected]
        if told:
            raise MertkError(
                f"{where}: the {modality} features are not those the model was trained on: {'; '.join(told)}. Make "
                "them again with those options, or train again."
            )


def check_metrics(info: dict[str, Any], part: Part, where: Path) -> None:
    """Refuse to score by other metrics than the corpus has.

    Raises:
        MertkError: the model was trained on data that are scored otherwise.
    """
    if part.metric_set is not None and info.get("metrics", part.metric_set) != part.metric_set:
        raise MertkError(
            f"{where}: trained on data scored by the metrics {info['metrics'] or 'common to all corpora'}, but "
            f"{part.manifest.source}/corpus.json says {part.metric_set}; train again (stage 3)."
        )


def check_data(config: Config, run_dir: Path) -> None:
    """Refuse lists and labels that are others than the run was trained with: what it has seen may be in its test part.

    Raises:
        MertkError: names what changed.
    """
    from mertk.run.dependencies import LISTS, MARK, find_changes
    from mertk.run.marks import read_mark

    roles = [f"inputs.{role}" for role in (*(f"data.{name}" for name in LISTS), "labels", "classes")]
    mark = read_mark(run_dir / MARK)
    changes = find_changes(mark, config) if mark is not None else {}
    told = [f"{role.removeprefix('inputs.')}: {changes[role]}" for role in roles if role in changes]
    if told:
        raise MertkError(
            f"{run_dir}: not the data that it was trained with ({'; '.join(told)}); bring them back, or train again "
            "(stage 3)."
        )
