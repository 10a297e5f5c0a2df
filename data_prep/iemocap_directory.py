"""What the data directory of IEMOCAP holds, and what sets it apart from that of the full corpus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mertk.data.columns import read_column
from mertk.data.data_directory import is_miniature
from mertk.data.label_map import LabelMap
from mertk.data.ledger import Entry, Ledger
from mertk.data.manifest import read_corpus as read_corpus_json
from mertk.data_prep.iemocap_corpus import NUM_SESSIONS, Corpus, Turn
from mertk.errors import MertkError
from mertk.file_names import printable

#: utterances of the full corpus under four_excited_as_happy, by class and by session
CLASS_TOTALS = {"neutral": 1708, "happy": 1636, "angry": 1103, "sad": 1084}
SESSION_TOTALS = {"Ses01": 1085, "Ses02": 1023, "Ses03": 1151, "Ses04": 1031, "Ses05": 1241}
#: by the letter of a speaker
GENDERS = {"F": "female", "M": "male"}
#: what fold.json says, in the order in which it always has
FOLD_KEYS = (
    *("cv", "protocol", "fold", "test_sessions", "test_speakers", "validation_sessions", "train_sessions"),
    *("left_out", "left_out_speakers", "counts", "scripted_overlap"),
)


def check_features(out: Path, root: Path, seconds: dict[str, float]) -> None:
    """Features are looked up by utterance: never mix in those of another corpus with the same names.

    One that lies elsewhere than before is known by the lengths of its recordings.
    """
    before = read_corpus_json(out).get("source")
    if before in (None, printable(str(root))) or not any(out.glob("features/*/record.json")):
        return
    lengths = dict(zip(*read_column(out / "utt2dur"), strict=True)) if (out / "utt2dur").exists() else {}
    shared = lengths.keys() & seconds.keys()
    if not shared or any(lengths[utterance] != _length(seconds[utterance]) for utterance in shared):
        raise MertkError(
            f"{out} has features made from {before}, whose recordings are others; remove {out / 'features'} or choose "
            f"another data directory for {root}."
        )


def _length(seconds: float) -> str:
    return f"{seconds:.4f}"


def count_wanted(corpus: Corpus, label_map: LabelMap, ledger: Ledger) -> int:
    """Utterances that there would be if nothing were lost."""
    return sum(turn.emotion in label_map.map for turn in corpus.turns) + ledger.counts().get("no_label", 0)


def missing_warnings(corpus: Corpus, kept: list[Turn], label_map: LabelMap) -> list[str]:
    """What of the corpus seems not to have been copied."""
    return _silent_dialogues(corpus) + ([] if is_miniature(corpus.root) else _total_warnings(corpus, kept, label_map))


def lost_warnings(ledger: Ledger) -> list[str]:
    """One line per reason, with its first utterance."""
    by_reason: dict[str, list[Entry]] = {}
    for entry in ledger.lost():
        by_reason.setdefault(entry.reason, []).append(entry)
    return [
        f"{len(entries)} left out, {reason}; the first is {entries[0].utterance}: {entries[0].detail}"
        for reason, entries in by_reason.items()
    ]


def _silent_dialogues(corpus: Corpus) -> list[str]:
    """A warning naming the dialogues that have no recordings at all, if there are any."""
    dialogues = sorted({turn.dialogue for turn in corpus.turns})
    heard = {utterance.rpartition("_")[0] for utterance in corpus.wavs}
    silent = [dialogue for dialogue in dialogues if dialogue not in heard]
    if not silent:
        return []
    return [f"{len(silent)} of {len(dialogues)} dialogues have no wav files: {', '.join(silent)}"]


def _total_warnings(corpus: Corpus, kept: list[Turn], label_map: LabelMap) -> list[str]:
    """Differences from the known totals of the full corpus, class by class and session by session."""
    if label_map.name != "four_excited_as_happy":
        return []
    short = []
    annotated = [turn for turn in corpus.turns if turn.emotion in label_map.map]
    sessions = {f"Ses{number:02d}" for number in corpus.sessions}
    expected = {name: count for name, count in SESSION_TOTALS.items() if name in sessions}
    totals = [(expected, Counter(turn.session for turn in kept), Counter(turn.session for turn in annotated))]
    if len(sessions) == NUM_SESSIONS:
        names = [Counter(label_map.map[turn.emotion] for turn in turns) for turns in (kept, annotated)]
        totals.append((CLASS_TOTALS, *names))
    for known, found, named in totals:
        for name, count in known.items():
            if found[name] != count:
                short.append(f"{name} {found[name]} instead of {count} ({named[name]} annotated)")
    if not short:
        return []
    missing = sum(expected.values()) - len(kept)
    what = f"{missing} utterances are missing" if missing > 0 else f"{-missing} utterances too many"
    return [f"counts differ from those of the full corpus, {what}: {'; '.join(short)}"]


def count_classes(kept: list[Turn], label_map: LabelMap) -> dict[str, Any]:
    sessions = sorted({turn.session for turn in kept})
    both = Counter((label_map.map[turn.emotion], turn.session) for turn in kept)
    return {
        "counts": {name: {session: both[name, session] for session in sessions} for name in label_map.classes},
        "sessions": {session: sum(turn.session == session for turn in kept) for session in sessions},
    }


def make_columns(
    corpus: Corpus, kept: list[Turn], seconds: dict[str, float], label_map: LabelMap, video: bool
) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {
        "wav.scp": {turn.utterance: str(corpus.wav(turn)) for turn in kept},
        "text": {turn.utterance: corpus.words.get(turn.utterance, "") for turn in kept},
        "utt2spk": {turn.utterance: turn.speaker for turn in kept},
        "utt2gender": {turn.utterance: GENDERS[turn.speaker[-1]] for turn in kept},
        "utt2session": {turn.utterance: turn.session for turn in kept},
        "utt2dialogue": {turn.utterance: turn.dialogue for turn in kept},
        "utt2label": {turn.utterance: label_map.map[turn.emotion] for turn in kept},
        "utt2dur": {turn.utterance: _length(seconds[turn.utterance]) for turn in kept},
        "utt2vad": {turn.utterance: " ".join(f"{rating:g}" for rating in turn.ratings) for turn in kept},
    }
    if video:
        columns["video.scp"] = {turn.utterance: str(corpus.avi(turn.dialogue)) for turn in kept}
        columns["video_segments"] = {
            turn.utterance: f"{turn.start_seconds:.4f} {turn.end_seconds:.4f} {turn.half}" for turn in kept
        }
    return columns
