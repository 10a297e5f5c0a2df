"""Hold the recordings of IEMOCAP against their annotations, and write the data directory."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from mertk.data.building import building
from mertk.data.columns import read_column
from mertk.data.folds import CROSS_VALIDATIONS, PROTOCOLS, make_folds, write_folds
from mertk.data.label_map import LabelMap, load_label_map
from mertk.data.ledger import Entry, Ledger
from mertk.data.manifest import COLUMN_NAMES, load_manifest, write_manifest
from mertk.data.manifest import read_corpus as read_corpus_json
from mertk.data.manifest_writer import write_corpus
from mertk.data_prep.corpus_files import CorpusFiles, find_near, write_ledger
from mertk.data_prep.destination import check_destination
from mertk.data_prep.iemocap_corpus import EMOTIONS, NUM_SESSIONS, Corpus, Turn, read_corpus
from mertk.data_prep.video_header import video_problem
from mertk.data_prep.wav_header import TruncatedWav, UnreadableWav, WavHeader, read_wav_header
from mertk.errors import MertkError
from mertk.names import printable
from mertk.progress_bar import progress

STAGE = "manifests"
LABEL_MAPS = Path(__file__).parent / "label_maps"
SAMPLE_RATE_HZ = 16000
#: what a run replaces in a data directory that is already there; features stay
OWN_FILES = (*COLUMN_NAMES, "classes.txt", "corpus.json", "excluded.tsv", "folds")

#: utterances of the full corpus under four_excited_as_happy, by class and by session
CLASS_TOTALS = {"neutral": 1708, "happy": 1636, "angry": 1103, "sad": 1084}
SESSION_TOTALS = {"Ses01": 1085, "Ses02": 1023, "Ses03": 1151, "Ses04": 1031, "Ses05": 1241}


def prepare(arguments: argparse.Namespace) -> tuple[dict[str, Any], Ledger]:
    """Read the corpus and write the data directory; see `data_prep.iemocap` for the arguments.

    Returns:
        Content of corpus.json, and the ledger.

    Raises:
        MertkError: see `read_corpus`; too much lost; recordings that `--audio_policy refuse` forbids; something
            else, or features of another corpus, in the way at `--out`.
    """
    label_map = load_label_map(arguments.label_map, LABEL_MAPS, EMOTIONS)
    root = arguments.corpus.absolute()
    miniature = (root / "MINIATURE.json").is_file()
    check_destination(arguments.out, "iemocap", miniature, OWN_FILES)
    corpus = read_corpus(root, arguments.sessions, arguments.ignore_malformed_lines)
    ledger = Ledger()
    kept, seconds = _check_recordings(corpus, label_map, ledger, arguments)
    _check_features(arguments.out, root, seconds)
    wanted = sum(turn.emotion in label_map.map for turn in corpus.turns)
    missing = _silent_dialogues(corpus)
    if not miniature:
        missing += _total_warnings(corpus, kept, label_map)
    no_label = sum(entry.reason == "no_label" for entry in ledger)
    try:
        ledger.check_share(wanted + no_label, arguments.max_lost, f"utterances of {root}")
    except MertkError as error:
        raise MertkError("\n".join([f"{error} (--max_lost)", *missing])) from None
    warnings = corpus.warnings + _lost_warnings(ledger) + missing
    record = {
        "format": 1,
        "corpus": "iemocap",
        "source": printable(str(root)),
        "miniature": miniature,
        "label_map": label_map.name,
        "count": len(kept),
        **_counts(kept, label_map),
        "left_out": ledger.counts(),
        "files": corpus.files.counts(),
        "warnings": warnings,
    }
    columns = _columns(corpus, kept, seconds, label_map, not arguments.no_video)
    _write(arguments.out, columns, label_map, record, ledger, corpus.files)
    return record, ledger


def _check_features(out: Path, root: Path, seconds: dict[str, float]) -> None:
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


def _check_recordings(
    corpus: Corpus, label_map: LabelMap, ledger: Ledger, arguments: argparse.Namespace
) -> tuple[list[Turn], dict[str, float]]:
    """Turns whose label and recordings are there, and their durations; the rest goes to the ledger."""
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
        if header.seconds < arguments.min_seconds:
            detail = f"{corpus.wav(turn)}: {header.seconds:.3f} s, at least {arguments.min_seconds} s asked for"
            ledger.add(turn.utterance, STAGE, "too_short", detail)
            continue
        if turn.dialogue not in video_problems and not arguments.no_video:
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
    _check_formats(corpus, other_formats, arguments.audio_policy)
    _leave_out_files(corpus, kept, ledger, arguments.no_video)
    return kept, seconds


def _leave_out_files(corpus: Corpus, kept: list[Turn], ledger: Ledger, no_video: bool) -> None:
    """Count the recordings that no utterance uses; the ledger names their utterances."""
    for entry in ledger:
        if entry.utterance in corpus.wavs:
            corpus.files.leave_out(corpus.wavs[entry.utterance], entry.reason, named=False)
    used = {turn.dialogue for turn in kept}
    for dialogue, file in corpus.avis.items():
        if no_video:
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


def _lost_warnings(ledger: Ledger) -> list[str]:
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


def _counts(kept: list[Turn], label_map: LabelMap) -> dict[str, Any]:
    sessions = sorted({turn.session for turn in kept})
    both = Counter((label_map.map[turn.emotion], turn.session) for turn in kept)
    return {
        "counts": {name: {session: both[name, session] for session in sessions} for name in label_map.classes},
        "sessions": {session: sum(turn.session == session for turn in kept) for session in sessions},
    }


def _columns(
    corpus: Corpus, kept: list[Turn], seconds: dict[str, float], label_map: LabelMap, video: bool
) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {
        "wav.scp": {turn.utterance: str(corpus.wav(turn)) for turn in kept},
        "text": {turn.utterance: corpus.words.get(turn.utterance, "") for turn in kept},
        "utt2spk": {turn.utterance: turn.speaker for turn in kept},
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


def _write(
    out: Path,
    columns: dict[str, dict[str, str]],
    label_map: LabelMap,
    record: dict[str, Any],
    ledger: Ledger,
    files: CorpusFiles,
) -> None:
    with building(out, replaces=OWN_FILES) as temporary:
        write_manifest(temporary, columns, label_map.classes, record)
        write_ledger(temporary / "excluded.tsv", ledger, files, STAGE)
        manifest = load_manifest(temporary)
        for cv in CROSS_VALIDATIONS:
            for protocol in PROTOCOLS:
                if len(record["sessions"]) >= (3 if protocol == "clean" else 2):
                    write_folds(temporary / "folds" / f"{cv}-{protocol}", make_folds(manifest, cv, protocol))
                else:
                    message = f"too few sessions for the folds {cv}-{protocol}; they are not made"
                    record["warnings"].append(message)
        write_corpus(temporary, record)
