"""Where the figures of a record come from: configuration, data, encoders, features, code, versions, machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mertk.report.formatting import Record, pairs, short, short_setting
from mertk.report.tuning import tuning_lines

#: what of a feature directory's record is told, and of its options what is no digest
FEATURE_KEYS = ("extractor", "weights", "weights_fingerprint", "layer", "rate_hz", "dimension")
DIGESTS = ("sha1", "sha256", "vocabulary")


def origin(record: Record) -> str:
    """The lines of RESULTS.md below a picture."""
    return "\n".join(f"- {line}" for line in origin_lines(record))


def origin_lines(record: Record) -> list[str]:
    """`WHAT: ...`, each."""
    return [*configuration_lines(record), *data_lines(record), *_making(record)]


def configuration_lines(record: Record) -> Iterator[str]:
    """Of these, what was asked for."""
    for files in record["files"]:
        yield f"configuration: {', '.join(files)}"
    if record["settings"] is None:
        yield "settings that are not the recipe's: not recorded"
    else:
        yield f"settings that are not the recipe's: {', '.join(map(short_setting, record['settings'])) or 'none'}"
    yield from tuning_lines(record)


def data_lines(record: Record) -> Iterator[str]:
    """Of these, what it was asked of."""
    for corpus in record["corpus"]:
        yield f"data: {_corpus(corpus)}"
    if not record["corpus"]:
        yield "data: not recorded"
    if record["utterances"]:
        yield f"utterances that were read in training: {pairs(_ranges(record['utterances']))}"


def _ranges(counts: list[dict[str, int]]) -> dict[str, str]:
    """By part, the number of utterances, from the least to the most where folds differ."""
    found = {}
    for part in dict.fromkeys(part for one in counts for part in one):
        numbers = [one[part] for one in counts if part in one]
        found[part] = " to ".join(map(str, dict.fromkeys((min(numbers), max(numbers)))))
    return found


def _corpus(corpus: dict[str, Any]) -> str:
    if not corpus:
        return "lists of files, without a corpus.json that says more of them"
    told = [corpus.get("corpus", "a corpus without a name")]
    told += ["a miniature"] if corpus.get("miniature") else []
    told += [f"{corpus['count']} utterances"] if "count" in corpus else []
    told += [f"parts {pairs(corpus['parts'])}"] if corpus.get("parts") else []
    told += [f"label map {corpus['label_map']}"] if corpus.get("label_map") else []
    if "alignment" in corpus:
        file = "" if corpus.get("miniature") else f" of {corpus.get('published') or 'no published file'}"
        told.append(f"{corpus['alignment']} features{file}")
    told += [f"left out: {pairs(corpus['left_out'])}"] if corpus.get("left_out") else []
    told += [f"{pair} share {videos['count']} videos" for pair, videos in corpus.get("shared_videos", {}).items()]
    return ", ".join(told)


def _making(record: Record) -> Iterator[str]:
    scored_by = [commit for commit in record.get("scored_by", ()) if [commit] != record["commit"]]
    told = f", scored by {', '.join(scored_by)}" if scored_by else ""
    yield f"commit: {', '.join(map(str, record['commit']))}{told}"
    for versions in record["versions"]:
        yield f"versions: {pairs(versions)}"
    for hardware in record["hardware"]:
        gpus = ", ".join(hardware.get("gpus") or []) or "no GPU"
        yield f"hardware: {hardware.get('cpu')}, {hardware.get('cores')} cores, {gpus}"
    yield f"processes: {', '.join(map(str, record['num_processes']))}"
    yield f"parameters: {', '.join(f'{number:,}' for number in record['num_parameters'])}"
    for encoders in record["encoders"]:
        for modality, encoder in encoders.items():
            yield f"{modality} encoder: {pairs({key: value for key, value in encoder.items() if value is not None})}"
    for features in record["features"]:
        for modality, made in features.items():
            if made is not None:
                yield f"{modality} features: {_features(made)}"


def _features(made: dict[str, Any]) -> str:
    told = {key: made[key] for key in FEATURE_KEYS if made.get(key) is not None}
    options = {key: value for key, value in (made.get("options") or {}).items() if key not in DIGESTS}
    # Options may be nested: how pictures are brought to the size of an encoder, for one.
    flat = {key: value for key, value in options.items() if isinstance(value, (str, int, float))}
    return pairs(told | {key: short(value) for key, value in flat.items()})
