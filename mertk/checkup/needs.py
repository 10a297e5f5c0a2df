"""What a run needs: a configuration that can be read, its corpus, pretrained weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.checkup.finding import Finding

if TYPE_CHECKING:
    from mertk.config import Config

NUM_SESSIONS = 5


def check_config(files: list[str], settings: list[str]) -> tuple[Finding, Config | None]:
    """Whether the configuration can be read; and the configuration, if it can."""
    from mertk.config import is_setting, load_config
    from mertk.config_classes import check_classes
    from mertk.errors import MertkError

    try:
        config = load_config(files, settings)
        check_classes(config)
    except MertkError as error:
        return Finding("FAIL", "configuration", str(error)), None
    told = [word if is_setting(word) else Path(word).name for word in [*files, *settings]]
    return Finding("ok", "configuration", " + ".join(told)), config


def used_inputs(config: Config) -> dict[str, str]:
    """What the model takes of each modality: waveform, features, tokens; `given` for features elsewhere."""
    inputs = {name: given for name, given in config.data.inputs.items() if given is not None}
    return {name: given.kind if given.directory is None else "given" for name, given in inputs.items()}


def named_weights(mapping: Mapping[str, Any], prefix: str = "model") -> Iterator[tuple[str, str]]:
    """Keys called `weights` at any depth, and what they say.

    >>> dict(named_weights({"width": 3, "audio_encoder": {"weights": "microsoft/wavlm-large"}}))
    {'model.audio_encoder.weights': 'microsoft/wavlm-large'}
    """
    for key, value in mapping.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from named_weights(value, name)
        elif key == "weights" and isinstance(value, str):
            yield name, value


def check_corpus(
    corpus: Path,
    inputs: Mapping[str, str] | None = None,
    sessions: Collection[int] | None = None,
    labels: Path | None = None,
) -> Finding:
    """Whether a corpus looks like one: a feature file, recordings with a label.csv, or the folders of IEMOCAP.

    Args:
        inputs: what is used of it (`used_inputs`); None for all that there is.
        sessions: which of IEMOCAP's; None for all.
        labels: table of recordings; None for label.csv of the corpus.
    """
    if corpus.is_file():
        return Finding("ok", "corpus", f"{corpus}: a feature file of {corpus.stat().st_size / 1e6:.0f} MB")
    if not corpus.is_dir():
        return Finding("FAIL", "corpus", f"{corpus}: no such file or directory; mend the path")
    table = labels or corpus / "label.csv"
    if table.is_file() or (corpus / "Raw").is_dir():
        return check_recordings(corpus, table, inputs)
    return check_iemocap(corpus, inputs, sessions)


def check_recordings(corpus: Path, table: Path, inputs: Mapping[str, str] | None = None) -> Finding:
    """Whether there are labels, and recordings unless text alone is used."""
    if inputs is not None and set(inputs) == {"text"} and table.is_file():
        return Finding("ok", "corpus", f"{table}: of which the text is used")
    missing = [str(path) for path in (table, corpus / "Raw") if not path.exists()]
    if missing:
        told = f"{missing[0]} missing; expected label.csv and Raw/VIDEO/CLIP.mp4 in {corpus}"
        return Finding("FAIL", "corpus", told)
    return Finding("ok", "corpus", f"{corpus}: {sum(1 for _ in (corpus / 'Raw').glob('*/*.mp4'))} recordings")


def check_iemocap(
    corpus: Path, inputs: Mapping[str, str] | None = None, sessions: Collection[int] | None = None
) -> Finding:
    """Whether the folders of IEMOCAP that are used are there."""
    parts = ["dialog/EmoEvaluation", "sentences/wav"]
    if inputs is None or inputs.get("video") == "features":
        parts.append("dialog/avi/DivX")
    if inputs is None or "text" in inputs:
        parts.append("dialog/transcriptions")
    folders = [f"Session{number}" for number in sorted(sessions or range(1, NUM_SESSIONS + 1))]
    missing = [f"{folder}/{part}" for folder in folders for part in parts if not (corpus / folder / part).is_dir()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Finding("FAIL", "corpus", f"{corpus}: {missing[0]}{more} missing; is it IEMOCAP_full_release, unpacked?")
    kind = "miniature" if (corpus / "MINIATURE.json").exists() else f"{len(folders)} sessions"
    return Finding("ok", "corpus", f"{corpus}: {kind}")
