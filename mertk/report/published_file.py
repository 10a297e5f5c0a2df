"""Read the YAML file of a recipe that has published figures, and what they were measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertk.content import read_yaml
from mertk.errors import MertkError
from mertk.report.formatting import Record
from mertk.tasks import METRICS

KEYS = ("source", "note", "measured_on", "inputs", "rows")
ROW_KEYS = ("name", "ablation", "variants", "measured_on", "inputs", "figures")
MEASURED_ON = {
    **{"recipe": str, "corpus": str, "cv": str, "protocol": str, "utterances": Mapping},
    **{"folds": (int, type(None)), "feature_file": (str, type(None))},
}
INPUT_KEYS = ("component", "extractor", "weights", "width")
FORM = "see mertk/report/published_file.py, and recipes/iemocap/foal/published.yaml for one that is right"


def read_published(path: Path) -> Record:
    """Published figures, and what each was measured on; fractions where the file has percent.

    The file has `source` and `note` (sentences) and `rows`, each with

        name, figures   what it is called, and {METRIC: number}; metrics are those of `mertk.tasks.METRICS`,
                        accuracies, recalls and F1 in percent
        ablation        of which our runs are held against it (full)
        variants        which of our variants are the same method; a row without any only stands in the table: with
                        inputs of its own only beside our runs of these modalities (another method, on the same), and
                        where its measured_on has a cv only beside runs of that
        measured_on     recipe, corpus, cv and protocol (or unknown) as a run names them; utterances: {PART: number},
                        with folds the joined test parts alone; folds: how many; feature_file: name of the published
                        file
        inputs          {MODALITY: {component|extractor, weights, width}}, what made the frames of each modality, as far
                        as it is told

    `measured_on` and `inputs` of the file hold for every row that does not say otherwise.

    Raises:
        MertkError: the file has another form, or a metric that is not known.
    """
    content = read_yaml(path, Any, FORM)
    _check_keys(content, KEYS, ("source", "note", "rows"), str(path))
    for key in ("source", "note"):
        _check_text(content[key], f"{path}: {key}")
    if not isinstance(content["rows"], list):
        raise MertkError(f"{path}: rows: got {content['rows']!r:.40}, expected a list; {FORM}.")
    rows = [_read_row(row, content, f"{path}: row {number}") for number, row in enumerate(content["rows"], start=1)]
    return {"source": content["source"], "note": content["note"], "rows": rows}


def by_recipe(files: Sequence[Path], recipes: Iterable[str]) -> dict[str, Path]:
    """The file that runs of each recipe stand beside: the only one, or that in the recipe's folder.

    >>> files = [Path("recipes/mosi/hscl/published.yaml"), Path("recipes/mosi/baselines/published.yaml")]
    >>> by_recipe(files, ["mosi/baselines", "mosi/tam_ulag"])
    {'mosi/baselines': PosixPath('recipes/mosi/baselines/published.yaml')}
    >>> by_recipe(files[:1], ["mine"])
    {'mine': PosixPath('recipes/mosi/hscl/published.yaml')}
    """
    if len(files) == 1:
        return dict.fromkeys(recipes, files[0])
    places = {"/".join(file.resolve().parts[-3:-1]): file for file in files}
    return {recipe: places[recipe] for recipe in recipes if recipe in places}


def _read_row(row: Any, content: Record, where: str) -> Record:
    _check_keys(row, ROW_KEYS, ("name", "figures"), where)
    _check_text(row["name"], f"{where}: name")
    where = f"{where} ({row['name']})"
    _check_text(row.get("ablation", "full"), f"{where}: ablation")
    own = {key: _mapping(row.get(key, {}), f"{where}: {key}") for key in ("measured_on", "inputs")}
    variants = row.get("variants") or []
    if not isinstance(variants, list):
        raise MertkError(f"{where}: variants: got {variants!r:.40}, expected a list.")
    for variant in variants:
        _check_text(variant, f"{where}: variants")
    measured = _mapping(content.get("measured_on", {}), "measured_on") | own["measured_on"]
    inputs = own["inputs"] if "inputs" in row else _mapping(content.get("inputs", {}), "inputs")
    _check_keys(measured, tuple(MEASURED_ON), (), f"{where}: measured_on")
    beside = [] if variants else list(own["inputs"])
    if variants or beside:
        _check_measured(measured, f"{where}: measured_on")
    for modality, made in inputs.items():
        _check_keys(made, INPUT_KEYS, (), f"{where}: inputs.{modality}")
    return {
        "name": row["name"],
        "ablation": row.get("ablation", "full"),
        "variants": variants,
        "beside": beside,
        "measured_on": {"folds": None, "feature_file": None} | measured,
        "inputs": inputs,
        "figures": _read_figures(row["figures"], f"{where}: figures"),
    }


def _check_measured(measured: Record, where: str) -> None:
    _check_keys(measured, tuple(MEASURED_ON), ("recipe", "corpus", "cv", "protocol", "utterances"), where)
    for key, value in measured.items():
        if not isinstance(value, MEASURED_ON[key]) or (key == "folds" and value is not None and not _is_count(value)):
            raise MertkError(f"{where}.{key}: got {value!r:.40}; {FORM}.")
    for part, count in measured["utterances"].items():
        if not _is_count(count):
            raise MertkError(f"{where}.utterances.{part}: got {count!r:.40}, expected a number from 1.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise MertkError(f"{where}: got {value!r:.40}, expected text; {FORM}.")


def _check_keys(content: Any, known: tuple[str, ...], needed: tuple[str, ...], where: str) -> None:
    given = _mapping(content, where)
    missing = [key for key in needed if key not in given]
    unknown = [str(key) for key in given if key not in known]
    if missing or unknown:
        told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(unknown)}"] * bool(unknown)
        raise MertkError(f"{where}: {' and '.join(told)}, expected {', '.join(known)}; {FORM}.")


def _mapping(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise MertkError(f"{where}: got {values!r:.40}, expected keys with values; {FORM}.")
    return dict(values)


def _read_figures(values: Any, where: str) -> dict[str, float]:
    found = {}
    for name, value in _mapping(values, where).items():
        if name not in METRICS:
            raise MertkError(f"{where}: {name!r} is not a metric; expected some of {', '.join(METRICS)}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise MertkError(f"{where}.{name}: got {value!r:.40}, expected a number.")
        # None of the field is so bad that it has one percent or less: that is a fraction.
        if METRICS[name].is_fraction and not 1 < value <= 100:
            raise MertkError(f"{where}.{name}: got {value}, expected percent, such as 77.5.")
        found[name] = value / 100 if METRICS[name].is_fraction else float(value)
    return found
