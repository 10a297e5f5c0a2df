"""All checks that a run asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mertk.checkup.finding import Finding
from mertk.checkup.folders import check_caches, check_temporary, check_writable
from mertk.checkup.needs import check_config, has_adapters, named_weights, used_inputs
from mertk.checkup.software import (
    check_adapters,
    check_codecs,
    check_devices,
    check_faces,
    check_python,
    check_speech_features,
    check_versions,
    missing_packages,
)
from mertk.checkup.weights import check_clip, check_tokenizer, check_weights
from mertk.installing import installing_extra


def examine(
    config: Sequence[str] = (),
    settings: Sequence[str] = (),
    corpus: Path | None = None,
    check_corpus: Callable[[Path, Mapping[str, str] | None], Finding] | None = None,
    writable: Sequence[Path] = (),
    num_processes: int = 0,
    clip: str | None = None,
    bert: str | None = None,
    weights: Sequence[str] = (),
    crop: str | None = None,
) -> Iterator[Finding]:
    """What the machine is fit for, cheap checks first.

    Args:
        config: YAML files of the run, merged in order; `settings` (`key=value`) over them.
        corpus: folder or feature file that the run is about.
        check_corpus: looks into it, for what is used of it (`used_inputs`; None when nobody knows).
        writable: folders that the run writes into.
        num_processes: how many are wanted; 0 for one on each GPU, else one.
        clip: CLIP model for features of pictures.
        bert: text encoder whose tokenizer is needed.
        weights: others that are needed.
        crop: `face` where faces are cut out of pictures.
    """
    yield check_python()
    missing = missing_packages("run")
    if missing:
        yield Finding("FAIL", "packages", f"missing: {', '.join(missing)}; {installing_extra()}")
        return
    yield check_versions()
    for directory in writable:
        yield check_writable(directory)
    yield from check_temporary()
    yield from check_caches()
    inputs, needed, adapts = None, list(weights), False
    if config:
        finding, read = check_config(list(config), list(settings))
        yield finding
        if read is not None:
            inputs = used_inputs(read)
            needed += [value for _, value in named_weights(read.model)]
            adapts = has_adapters(read.model)
    if corpus and check_corpus:
        yield check_corpus(corpus, inputs)
    yield check_codecs()
    yield from check_devices(num_processes)
    if adapts:
        yield check_adapters()
    if makes_speech_features(corpus, inputs):
        yield check_speech_features()
    if crop == "face":
        yield check_faces()
    if clip:
        yield check_clip(clip)
    if bert:
        yield check_tokenizer(bert)
    for name in dict.fromkeys(needed):
        yield check_weights(name)


def makes_speech_features(corpus: Path | None, inputs: Mapping[str, str] | None) -> bool:
    """Whether librosa's features are made: of recordings with a label.csv, or nobody knows of what."""
    if inputs is None:
        return corpus is None or (corpus / "Raw").is_dir()
    return corpus is not None and (corpus / "Raw").is_dir() and inputs.get("audio") == "features"
