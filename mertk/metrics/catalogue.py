"""Which metrics there are, how they are told, and which are measured together."""

from __future__ import annotations

from dataclasses import dataclass

from mertk.errors import MertkError


@dataclass(frozen=True)
class Metric:
    """How a metric is told.

    Attributes:
        heading: over its column.
        meaning: what it is, for a reader.
        is_fraction: told in percent; otherwise as the number it is.
    """

    heading: str
    meaning: str
    is_fraction: bool = True
    is_smaller_better: bool = False


@dataclass(frozen=True)
class MetricSet:
    """Metrics that are measured together.

    Attributes:
        names: all of them, in the order of the tables.
        main: those for a first look.
    """

    names: tuple[str, ...]
    main: tuple[str, ...]


CLASS_METRICS = {
    "ua": Metric("UA", "mean of the classes' recalls"),
    "wa": Metric("WA", "share of utterances that are right"),
    "f1_weighted": Metric("F1 weighted", "F1 of the classes, averaged by their counts"),
    "f1_macro": Metric("F1 macro", "F1 of the classes, averaged evenly"),
}
INTENSITY_METRICS = {
    "acc2_has0": Metric("Acc2 has0", "share whose side is right, negative against zero and positive"),
    "f1_has0": Metric("F1 has0", "F1 of these two classes, averaged by their counts"),
    "acc2_non0": Metric("Acc2 non0", "share whose side is right, negative against positive, truths of 0 left out"),
    "f1_non0": Metric("F1 non0", "F1 of these two classes, averaged by their counts"),
    "acc2": Metric("Acc2", "share whose side is right, zero and negative against positive"),
    "f1": Metric("F1", "F1 of these two classes, averaged by their counts"),
    "acc3": Metric("Acc3", "share in the right one of three classes"),
    "acc5": Metric("Acc5", "share in the right one of five classes"),
    "acc7": Metric("Acc7", "share in the right one of seven classes"),
    "mae": Metric("MAE", "mean absolute error", is_fraction=False, is_smaller_better=True),
    "corr": Metric("Corr", "Pearson's correlation", is_fraction=False),
    "ccc": Metric("CCC", "concordance correlation", is_fraction=False),
}

CLASS_SETS = {
    None: MetricSet(("ua", "wa", "f1_weighted", "f1_macro"), ("ua", "wa")),
    # Where the field reports weighted F1, since most utterances are of one class.
    "weighted_f1": MetricSet(("f1_weighted", "wa", "ua", "f1_macro"), ("f1_weighted", "wa")),
}
INTENSITY_SETS = {
    None: MetricSet(("mae", "corr", "ccc"), ("mae", "corr", "ccc")),
    "mosi": MetricSet(
        ("acc2_has0", "f1_has0", "acc2_non0", "f1_non0", "acc3", "acc5", "acc7", "mae", "corr", "ccc"),
        ("acc2_non0", "f1_non0", "acc7", "mae", "corr"),
    ),
    "sims": MetricSet(("acc2", "f1", "acc3", "acc5", "mae", "corr", "ccc"), ("acc2", "f1", "acc5", "mae", "corr")),
}

#: scale of the intensities that a set of metrics is for
LABEL_RANGES = {"mosi": (-3.0, 3.0), "sims": (-1.0, 1.0)}


def find_class_set(name: str | None = None) -> MetricSet:
    """The metrics of classes, all of them in every set; sets that are none of classes' count as None."""
    return CLASS_SETS.get(name, CLASS_SETS[None])


def find_intensity_set(name: str | None = None) -> MetricSet:
    """The metrics that intensities of a corpus are scored by; None for those that all corpora share.

    Raises:
        MertkError: there is no such set.
    """
    if name not in INTENSITY_SETS:
        known = ", ".join(known for known in INTENSITY_SETS if known)
        raise MertkError(f"metric set {name!r}: expected {known} or none (`metrics` in corpus.json).")
    return INTENSITY_SETS[name]
