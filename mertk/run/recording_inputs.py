"""What a model takes, made of a recording in the way in which its features were made of the corpus.

Legend: `S` waveform samples, `T` frames or tokens, `D` features.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mertk.data.recording import Recording
from mertk.data.recording_error import RecordingError
from mertk.data.samples import check_samples
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.config import InputConfig
    from mertk.encoders.frame_encoder import FrameEncoder
    from mertk.encoders.tokenizer import Tokenizer

#: rate of the sound that data_prep takes from videos; another one is made of that
_SOUND_HZ = 16000

#: one window of every encoder of speech here; what is shorter would be judged by the silence that it is filled up with
SHORTEST_SECONDS = 0.025

#: makes an array (S,), (T, D) or (T, 2) of a recording
Source = Callable[[Recording], "np.ndarray"]


@dataclass(frozen=True)
class Places:
    """Where encoders and tokenizer are when they are not where the features were made; None where they are."""

    audio: str | None = None
    video: str | None = None
    text: str | None = None


def open_source(
    modality: str, given: InputConfig, record: dict[str, Any] | None, places: Places, device: torch.device
) -> Source:
    """What makes the input of one modality.

    Args:
        given: the model's configuration of the input.
        record: of the feature directory that it was trained on; None for waveforms.

    Raises:
        MertkError: features that cannot be made of a recording, or whose encoder is not there or another one.
    """
    if record is None:
        return _waveforms(given)
    makers = {
        "LibrosaFeatures": _librosa,
        "SpeechStates": _speech_states,
        "ClipFrameEncoder": _frames,
        "SmallPictures": _frames,
        "Tokenizer": _tokens,
        "TextStates": _text_states,
    }
    if record["extractor"] not in makers:
        raise MertkError(
            f"the {modality} features of this model come from files ({record['extractor']}) and cannot be made of a "
            "recording; train a model on features made of recordings (the recipe with --corpus DIR, where DIR has "
            "label.csv and Raw), and give that one."
        )
    return makers[record["extractor"]](record, getattr(places, modality), device)


def longest_seconds(given: InputConfig, record: dict[str, Any] | None) -> float | None:
    """What a model sees of one modality, from the start of a recording; None for all of it."""
    limits = (given.max_seconds, record["options"].get("max_seconds") if record else None)
    return min((limit for limit in limits if limit), default=None)


def check_fingerprint(found: str, record: dict[str, Any], name: str, option: str) -> None:
    """Refuse weights or a vocabulary that are not those the features were made with.

    Raises:
        MertkError: names both.
    """
    expected = record["weights_fingerprint"]
    if found != expected:
        raise MertkError(
            f"{name}: this is not what the {record['modality']} features of the model were made with (fingerprint "
            f"{found[:12]}, expected {expected[:12]}, then at {record['weights']}); give the right one with {option}."
        )


def _waveforms(given: InputConfig) -> Source:
    def read(recording: Recording) -> np.ndarray:
        return _read_sound(recording, given.sample_rate_hz, given.max_seconds)

    return read


def _read_sound(recording: Recording, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
    """Samples (S,); notes in the recording whether they are silence.

    Raises:
        RecordingError: no sound, or too little of it to tell anything.
    """
    samples = _decode_sound(recording, sample_rate_hz, max_seconds)
    check_samples(samples, recording.file)
    if len(samples) < SHORTEST_SECONDS * sample_rate_hz:
        raise RecordingError(
            f"its sound lasts {1000 * len(samples) / sample_rate_hz:.3g} ms, too short to tell anything; expected "
            f"{1000 * SHORTEST_SECONDS:g} ms or more, and rather a sentence.",
            "too_short",
        )
    recording.is_silent = bool(samples.min() == samples.max())
    return samples


def _decode_sound(recording: Recording, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
    """Samples (S,); of a video those that it has as a wav file of a corpus (`data_prep.raw_video`), to the last bit."""
    import numpy as np

    from mertk.data.waveform import read_sound_of_video, read_waveform, to_sixteen_bits

    name = recording.file.stem
    if not recording.is_video:
        return read_waveform(recording.file, name, sample_rate_hz, max_seconds)
    samples = read_sound_of_video(recording.file, name, _SOUND_HZ, max_seconds)
    check_samples(samples, recording.file)  # what is louder than 1 is clipped next
    samples = to_sixteen_bits(samples).astype(np.float32) / 2**15
    if sample_rate_hz == _SOUND_HZ:
        return samples
    import soxr

    return soxr.resample(samples, _SOUND_HZ, sample_rate_hz)


def _averaged_speech(extractor: Callable[[np.ndarray], np.ndarray], record: dict[str, Any]) -> Source:
    from mertk.data.averaging import average_frames

    options = record["options"]

    def read(recording: Recording) -> np.ndarray:
        samples = _read_sound(recording, options["sample_rate_hz"], options.get("max_seconds"))
        return average_frames(extractor(samples), options["average"])

    return read


def _librosa(record: dict[str, Any], _place: str | None, _device: torch.device) -> Source:
    from mertk.encoders.audio_features import LibrosaFeatures

    extractor = LibrosaFeatures(record["options"]["sample_rate_hz"])
    if extractor.fingerprint != record["weights_fingerprint"]:
        raise MertkError(
            f"the audio features of this model were made with {record['weights_fingerprint']}, here is "
            f"{extractor.fingerprint}, which may compute otherwise; install that version."
        )
    return _averaged_speech(extractor, record)


def _speech_states(record: dict[str, Any], place: str | None, device: torch.device) -> Source:
    from mertk.encoders.audio_features import SpeechStates

    name, layer = place or record["weights"], record["layer"]
    extractor = SpeechStates(name, None if layer == "output" else int(layer.removeprefix("layer_")), device)
    check_fingerprint(extractor.fingerprint, record, name, "--speech")
    return _averaged_speech(extractor, record)


def _frames(record: dict[str, Any], place: str | None, device: torch.device) -> Source:
    from fractions import Fraction

    from mertk.data.video_frames import Segment, VideoError, is_of_rate, read_duration, read_frames, read_rate

    options = record["options"]
    encoder = _frame_encoder(record, place, device)

    def read(recording: Recording) -> np.ndarray:
        segment = Segment(recording.file.stem, Fraction(0), read_duration(recording.video), recording.half)
        rate_hz = options.get("rate_hz")
        if rate_hz is None and not is_of_rate(read_rate(recording.video), Fraction(record["rate_hz"])):
            rate_hz = record["rate_hz"]  # the files of the corpus had one rate, and all their frames were taken
        try:
            frames = read_frames(recording.video, segment, options["max_seconds"], rate_hz, encoder.prepare)
        except VideoError as error:  # what it advises is for those who made a corpus of the file
            raise RecordingError(f"{str(error).partition(';')[0]}.", error.reason) from error
        return encoder.encode_in_batches(frames, options["batch_frames"])

    return read


def _frame_encoder(record: dict[str, Any], place: str | None, device: torch.device) -> FrameEncoder:
    from mertk.encoders.small_pictures import SmallPictures
    from mertk.encoders.visual import ClipFrameEncoder
    from mertk.encoders.weights import find_weights, fingerprint

    if record["extractor"] == "SmallPictures":
        return SmallPictures.of_layer(record["layer"], device)
    name = place or record["weights"]
    check_fingerprint(fingerprint(find_weights(name)), record, name, "--clip")
    precision = record["options"].get("precision", "float32")
    if precision == "float16" and device.type == "cpu":
        print("note: the video features of this model were made in float16, here they are in float32", file=sys.stderr)
        precision = "float32"
    return ClipFrameEncoder(name, record["layer"], device, precision)


def _tokens(record: dict[str, Any], place: str | None, _device: torch.device) -> Source:
    from mertk.encoders.tokenizer import Tokenizer

    tokenizer = Tokenizer(place or record["weights"], record["options"]["max_tokens"])
    check_fingerprint(tokenizer.fingerprint, record, tokenizer.source, "--bert")
    return lambda recording: _cut(tokenizer, recording).astype("int64")


def _text_states(record: dict[str, Any], place: str | None, device: torch.device) -> Source:
    from mertk.encoders.text_features import TextStates

    name = place or record["weights"]
    extractor = TextStates(name, record["options"]["max_tokens"], device)
    check_fingerprint(extractor.fingerprint, record, name, "--bert")

    def read(recording: Recording) -> np.ndarray:
        _cut(extractor.tokenizer, recording)
        return extractor(recording.words)

    return read


def _cut(tokenizer: Tokenizer, recording: Recording) -> np.ndarray:
    """Tokens (T, 2) of the words, as many as the model sees; notes in the recording what it does not see."""
    whole = tokenizer.whole(recording.words)
    if len(whole) > tokenizer.max_tokens:
        recording.notes.append(f"the model sees {tokenizer.max_tokens} of the {len(whole)} tokens of what is said")
    return tokenizer.cut(whole)
