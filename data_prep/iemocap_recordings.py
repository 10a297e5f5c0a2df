"""The recordings of IEMOCAP, held against its annotations."""

from __future__ import annotations

from mertk.data.corpus_files import find_near
from mertk.data.label_map import LabelMap
from mertk.data.ledger import Ledger
from mertk.data_prep.iemocap_corpus import Corpus, Turn
from mertk.data_prep.video_header import video_problem
from mertk.data_prep.wav_header import TruncatedWav, UnreadableWav, WavHeader, read_wav_header
from mertk.errors import MertkError
from mertk.progress_bar import progress

STAGE = "manifests"
SAMPLE_RATE_HZ = 16000


def check_recordings(
    corpus: Corpus, label_map: LabelMap, ledger: Ledger, min_seconds: float, audio_policy: str, video: bool
) -> tuple[list[Turn], dict[str, float]]:
    """Turns whose label and recordings are there, and their durations; the rest goes to the ledger.

    Args:
        min_seconds: what is shorter is left out.
        audio_policy: convert or refuse recordings that are not 16 kHz mono.
        video: whether videos are needed.

    Raises:
        MertkError: recordings that the policy refuses.
    """
    kept, seconds = [], {}
    other_formats: list[tuple[Turn, WavHeader]] = []
    video_problems: dict[str, tuple[str, str] | None] = {}
    for turn in progress(corpus.turns, description="recordings"):
        if turn.emotion not in label_map.map:
            ledger.add(turn.utterance, STAGE, "label_not_in_map", turn.emotion)
            continue
        try:
            header = read_wav_header(corpus.wav(turn))
        except (OSError, UnreadableWav) as error:
            near = find_near(corpus.wav(turn)) if isinstance(error, FileNotFoundError) else None
            detail = f"{corpus.wav(turn)}: {_words_of(error)}" + (f", but there is {near}" if near else "")
            ledger.add(turn.utterance, STAGE, _audio_reason(error), detail)
            continue
        if header.seconds < min_seconds:
            detail = f"{corpus.wav(turn)}: {header.seconds:.3f} s, at least {min_seconds} s asked for"
            ledger.add(turn.utterance, STAGE, "too_short", detail)
            continue
        if turn.dialogue not in video_problems and video:
            video_problems[turn.dialogue] = video_problem(corpus.avi(turn.dialogue))
        problem = video_problems.get(turn.dialogue)
        if problem:
            ledger.add(turn.utterance, STAGE, *problem)
            continue
        if (header.num_channels, header.sample_rate_hz) != (1, SAMPLE_RATE_HZ):
            other_formats.append((turn, header))
        kept.append(turn)
        seconds[turn.utterance] = header.seconds
    for file in corpus.recordings_without_turn():
        ledger.add(file.stem, STAGE, "no_label", f"{file}: no annotation names it")
    _check_formats(corpus, other_formats, audio_policy)
    _leave_out_files(corpus, kept, ledger, video)
    return kept, seconds


def _leave_out_files(corpus: Corpus, kept: list[Turn], ledger: Ledger, video: bool) -> None:
    """Count the recordings that no utterance uses; the ledger names their utterances."""
    for entry in ledger:
        if entry.utterance in corpus.wavs:
            corpus.files.leave_out(corpus.wavs[entry.utterance], entry.reason, named=False)
    used = {turn.dialogue for turn in kept}
    for dialogue, file in corpus.avis.items():
        if not video:
            corpus.files.leave_out(file, "not_asked_for", named=False)
        elif dialogue not in used:
            corpus.files.leave_out(file, "no_utterance", "none of its utterances is taken")


def _audio_reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no_audio"
    return "truncated_audio" if isinstance(error, TruncatedWav) else "unreadable_audio"


def _words_of(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _check_formats(corpus: Corpus, other_formats: list[tuple[Turn, WavHeader]], policy: str) -> None:
    if not other_formats:
        return
    turn, header = other_formats[0]
    message = (
        f"{len(other_formats)} recordings are not {SAMPLE_RATE_HZ} Hz mono; the first is utterance {turn.utterance}, "
        f"{corpus.wav(turn)}: {header.num_channels} channels at {header.sample_rate_hz} Hz"
    )
    if policy == "refuse":
        raise MertkError(f"{message}. Convert them, or let them be converted as they are read.")
    corpus.warnings.append(f"{message}; they are mixed down and resampled when read")
