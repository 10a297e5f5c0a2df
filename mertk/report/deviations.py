"""What a published figure was measured on, and in what a record was measured on something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mertk.report.formatting import Record, short

#: a configuration that is over the recipe's for an invented corpus alone
MINIATURE_FILE = "miniature.yaml"
PROTOCOLS = {
    "clean": "epoch chosen on a validation part (clean)",
    "clean-refit": "trained on the validation part too (clean-refit)",
    "published": "epoch chosen on the test part (published)",
    "custom": "parts given by hand (custom)",
    "unknown": "how the epoch was chosen is not known",
}
SPLITS = {"none": "no folds", "official": "the official split"}


def deviations(record: Record, row: Record) -> list[str]:
    """What keeps a record from being held against a published row, in words; empty where nothing does.

    What a record does not tell counts as a deviation.

    Args:
        record: see `mertk.report.experiments`.
        row: see `mertk.report.published_file`.
    """
    measured = row["measured_on"]
    found = _method(record, row, measured)
    return [*found, *_corpus(record, measured), *_inputs(record, row["inputs"]), *_counts(record, measured)]


def conditions(row: Record) -> str:
    """What a published row was measured on, in words."""
    measured = row["measured_on"]
    folds = f" ({measured['folds']})" if measured["folds"] else ""
    told = [f"{measured['corpus']}, {split_in_words(measured['cv'])}{folds}", protocol_in_words(measured["protocol"])]
    told += [_file({"published": measured["feature_file"]})] if measured["feature_file"] else []
    told += [f"{modality} by {_tell(made)}" if made else modality for modality, made in row["inputs"].items()]
    counts = (f"{count} {part}" for part, count in measured["utterances"].items())
    return "; ".join([*told, f"{', '.join(counts)} utterances"])


def modalities(record: Record) -> set[str]:
    """Those that a record's models take."""
    return set(_made_by(record))


def _method(record: Record, row: Record, measured: Record) -> Iterator[str]:
    if record["recipe"] != measured["recipe"]:
        yield f"other method: {record['recipe']} instead of {measured['recipe']}"
    if not row["variants"]:
        yield "another method"
    elif record["variant"] not in row["variants"]:
        yield f"variant {record['variant']} instead of {' or '.join(row['variants'])}"
    if record["cv"] != measured["cv"]:
        yield f"{split_in_words(record['cv'])} instead of {split_in_words(measured['cv'])}"
    if record["protocol"] != measured["protocol"]:
        yield f"{protocol_in_words(record['protocol'])}, published: {protocol_in_words(measured['protocol'])}"
    if any(name.endswith(MINIATURE_FILE) for files in record["files"] for name in files):
        yield f"settings of {MINIATURE_FILE}"
    if any(setting.startswith("data.inputs.") for setting in record["settings"] or ()):
        yield "inputs with other settings"


def split_in_words(cv: str) -> str:
    """How utterances are divided."""
    return SPLITS.get(cv, f"folds by {cv}")


def protocol_in_words(name: str) -> str:
    """How the epoch is chosen."""
    return PROTOCOLS.get(name, name)


def _corpus(record: Record, measured: Record) -> Iterator[str]:
    corpora = record["corpus"]
    if 0 < record["num_without_corpus"] < len(record["folds"]):
        yield f"data of {record['num_without_corpus']} runs not recorded"
        return
    if len(corpora) != 1 or not corpora[0].get("corpus"):
        yield "data of several kinds" if len(corpora) > 1 else "data not recorded"
        return
    (corpus,) = corpora
    if corpus["corpus"] != measured["corpus"]:
        yield f"other corpus: {corpus['corpus']}"
    if corpus.get("published") != measured["feature_file"]:
        yield f"{_file(corpus)} instead of {_file({'published': measured['feature_file']})}"


def _file(corpus: dict[str, Any]) -> str:
    if corpus.get("published"):
        return f"features of {corpus['published']}"
    if "alignment" in corpus:
        return f"{corpus['alignment']} features of no published file"
    return "features made from recordings"


def _counts(record: Record, measured: Record) -> Iterator[str]:
    """Differing numbers of utterances; of folds, the test parts are counted together."""
    ours = {"test": {record["count"]}}
    if record["fixed_split"]:
        for utterances in record["utterances"]:
            for part, count in utterances.items():
                ours.setdefault(part, set()).add(count)
    elif measured["folds"] not in (None, record["num_folds"]):
        yield f"{record['num_folds']} of {measured['folds']} folds"
    elif len(record["folds"]) < record["num_folds"] * len(record["seeds"]):
        yield "not all folds of every seed"
    for part, published in measured["utterances"].items():
        counts = sorted(ours.get(part, ()))
        if counts != [published]:
            told = " or ".join(map(str, counts)) or "an unknown number of"
            yield f"{told} {part} utterances, published {published}"


def _inputs(record: Record, published: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Differing modalities, and for each what its frames were made by."""
    ours = _made_by(record)
    for modality in [*published, *(name for name in ours if name not in published)]:
        if modality not in ours:
            yield f"no {modality}"
        elif modality not in published:
            yield f"{modality} as well"
        else:
            wanted = published[modality]
            if any(not _agree(key, made.get(key), value) for made in ours[modality] for key, value in wanted.items()):
                told = " or ".join(dict.fromkeys(map(_tell, ours[modality])))
                yield f"{modality} by {told} instead of {_tell(wanted)}"


def _made_by(record: Record) -> dict[str, list[dict[str, Any]]]:
    """By modality, what makes its frames: an encoder that is trained with the model, or what made its features."""
    found: dict[str, list[dict[str, Any]]] = {}
    encoders = {name for one in record["encoders"] for name in one}
    for features in record["features"]:
        for modality, made in features.items():
            if modality not in encoders:
                made = made or {}
                told = {key: made.get(key) for key in ("extractor", "weights")} | {"width": made.get("dimension")}
                found.setdefault(modality, []).append(told)
    for one in record["encoders"]:
        for modality, encoder in one.items():
            found.setdefault(modality, []).append(encoder)
    return found


def _agree(key: str, ours: Any, published: Any) -> bool:
    """Weights agree when their last names do: a copy in a folder of one's own is the same model."""
    if key != "weights" or not isinstance(ours, str):
        return ours == published
    # The hub's cache has `models--OWNER--NAME` in a path.
    names = [part.rpartition("--")[2].partition("@")[0].lower() for part in ours.rstrip("/").split("/")]
    name = published.rpartition("/")[2].lower()
    return name == names[-1] or ("snapshots" in names and name in names)


def _tell(made: dict[str, Any]) -> str:
    """What made the frames of a modality, in a few words."""
    words = [made.get("component") or made.get("extractor"), made.get("weights") and short(made["weights"])]
    width = made.get("width")
    told = " ".join(str(word) for word in words if word) or "nothing that is recorded"
    return told + (f" ({width} wide)" if width else "")
