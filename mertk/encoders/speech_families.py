"""The families of pretrained encoders of sound, by what their config.json calls them."""

from __future__ import annotations

from pathlib import Path

from mertk.encoders.speech_convolutions import Convolutions, Data2Vec
from mertk.encoders.speech_family import SpeechFamily
from mertk.encoders.speech_mels import StackedMels, Whisper
from mertk.encoders.weights import read_config
from mertk.errors import MertkError

FAMILIES: dict[str, type[SpeechFamily]] = {
    "wavlm": Convolutions,
    "wav2vec2": Convolutions,
    "hubert": Convolutions,
    "unispeech": Convolutions,
    "unispeech-sat": Convolutions,
    "data2vec-audio": Data2Vec,
    "wav2vec2-bert": StackedMels,
    "whisper": Whisper,
}


def find_family(folder: Path, normalize: bool | None) -> SpeechFamily:
    """The family of the weights in a folder; `normalize` as in `SpeechFamily`.

    Raises:
        MertkError: of none that is known, or one that cannot be used.
    """
    config = read_config(folder)
    kind = config.get("model_type")
    if kind not in FAMILIES or config.get("add_adapter"):
        adapter = " with an adapter" if kind in FAMILIES else ""
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r}{adapter} is no encoder of speech that can be used here; "
            f"expected {', '.join(FAMILIES)}, without adapter."
        )
    return FAMILIES[kind](folder, config, normalize)
