"""The files of IEMOCAP as they lie on disk: annotations, transcripts, and where recordings are.

    SessionN/dialog/EmoEvaluation/<dialogue>.txt     times, majority emotion and mean ratings of each turn
    SessionN/dialog/transcriptions/<dialogue>.txt    words of each turn
    SessionN/dialog/avi/DivX/<dialogue>.avi          both actors side by side
    SessionN/sentences/wav/<dialogue>/<utterance>.wav

A dialogue such as Ses01F_impro01 is named after the actor on the left of its picture; an utterance such as
Ses01F_impro01_M003 is spoken by the actor of its last field, here the other one, on the right. Suffixes may be in any
case, and recordings in other folders below `wav` and `avi`. Source: Busso et al.,
"IEMOCAP: interactive emotional dyadic motion capture database", 2008, and the corpus' own documentation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles
from mertk.errors import MertkError

#: codes of the majority emotion; xxx where the raters did not agree
EMOTIONS = ("neu", "hap", "exc", "ang", "sad", "fru", "sur", "fea", "dis", "oth", "xxx")
NUM_SESSIONS = 5

_UTTERANCE = re.compile(r"(?P<session>Ses\d\d)(?P<left>[FM])_(?P<scene>\w+)_(?P<speaker>[FM])\d+")
_SCRIPT = re.compile(r"script[\d_]*")
_SESSION = re.compile(r"Ses\d\d")
_TURN = re.compile(
    r"\[\s*(?P<start>[^\s\]]+)\s*-\s*(?P<end>[^\s\]]+)\s*\]\s+(?P<utterance>\S+)\s+(?P<emotion>\S+)\s+"
    r"\[(?P<ratings>[^\]]*)\]"
)
#: lines of a single rater, e.g. `C-E2:	Neutral;	()` or `A-F1:	val 3; act 2; dom  2;	()`
_RATER = re.compile(r"[CA]-\w+:")
_TRANSCRIPT = re.compile(r"(?P<utterance>\S+)\s+\[[^\]]*\]\s*:?(?P<words>.*)")


@dataclass(frozen=True)
class Turn:
    """One turn as annotated; `place` is file:line of its annotation."""

    utterance: str
    start_seconds: float
    end_seconds: float
    emotion: str
    ratings: tuple[float, float, float]  # valence, activation, dominance; a few lie outside 1 to 5
    place: str

    @property
    def session(self) -> str:
        return self.utterance[:5]

    @property
    def dialogue(self) -> str:
        return self.utterance.rpartition("_")[0]

    @property
    def speaker(self) -> str:
        """Session and the letter of the last field: Ses01F_impro01_M003 is spoken by Ses01_M."""
        return f"{self.session}_{self.utterance.rpartition('_')[2][0]}"

    @property
    def script(self) -> str | None:
        """Which script the dialogue performs, None if it is improvised; a letter after its name marks another take.

        >>> [Turn(f"Ses05M_{scene}_F000", 0, 1, "neu", (2, 2, 2), "").script for scene in ("script01_1b", "impro01")]
        ['script01_1', None]
        """
        match = _SCRIPT.search(self.dialogue)
        return match.group() if match else None

    @property
    def half(self) -> str:
        """Where the speaker is in the picture: left if the dialogue is named after them."""
        return "left" if self.speaker[-1] == self.utterance[5] else "right"


@dataclass
class Corpus:
    """What the text files of the chosen sessions say."""

    root: Path
    sessions: list[int]
    turns: list[Turn] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    wavs: dict[str, Path] = field(default_factory=dict)
    avis: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = CorpusFiles(self.root)

    def session_folder(self, session: int | str) -> Path:
        """Folder of a session, which is given by its number or a name that begins with it, such as Ses01F_impro01."""
        return self.root / f"Session{session if isinstance(session, int) else int(session[3:5])}"

    def wav(self, turn: Turn) -> Path:
        """Recording of a turn; where it belongs when there is none."""
        return self.wavs.get(turn.utterance) or self.own_wav(turn.utterance)

    def own_wav(self, utterance: str) -> Path:
        folder = self.session_folder(utterance) / "sentences" / "wav" / utterance.rpartition("_")[0]
        return folder / f"{utterance}.wav"

    def avi(self, dialogue: str) -> Path:
        """Video of a dialogue; where it belongs when there is none."""
        return self.avis.get(dialogue) or self.own_avi(dialogue)

    def own_avi(self, dialogue: str) -> Path:
        return self.session_folder(dialogue) / "dialog" / "avi" / "DivX" / f"{dialogue}.avi"

    def recordings_without_turn(self) -> list[Path]:
        """Wav files that no annotation names; turns numbered XX were never annotated and are passed over."""
        annotated = {turn.utterance for turn in self.turns}
        found = []
        for name, file in self.wavs.items():
            if name in annotated:
                continue
            if _UTTERANCE.fullmatch(name):
                found.append(file)
            self.files.leave_out(file, "no_label", "no annotation names it", named=file not in found)
        return found


def read_corpus(root: Path, sessions: Iterable[int] | None = None, ignore_malformed_lines: bool = False) -> Corpus:
    """Read annotations and transcripts.

    Args:
        sessions: numbers of the sessions to take; None takes all five.
        ignore_malformed_lines: warn of annotation lines that make no sense instead of raising.

    Raises:
        MertkError: corpus or session missing, malformed line, unknown emotion, utterance annotated twice.
    """
    corpus = Corpus(root, sorted(set(sessions)) if sessions is not None else list(range(1, NUM_SESSIONS + 1)))
    _check_sessions(corpus, chosen=sessions is not None)
    place_of: dict[str, str] = {}
    for session in corpus.sessions:
        folder = corpus.session_folder(session) / "dialog" / "EmoEvaluation"
        files = corpus.files.find(folder, (".txt",), below=False)
        if not files:
            raise MertkError(f"{folder} holds no annotation (*.txt); the copy of the corpus is incomplete.")
        for file in files:
            for turn in _read_turns(file, session, corpus.warnings if ignore_malformed_lines else None):
                if turn.utterance in place_of:
                    raise MertkError(
                        f"{turn.place}: utterance {turn.utterance} was already annotated at "
                        f"{place_of[turn.utterance]}; remove one of the two."
                    )
                place_of[turn.utterance] = turn.place
                corpus.turns.append(turn)
        for file in corpus.files.find(corpus.session_folder(session) / "dialog" / "transcriptions", (".txt",), False):
            _read_words(file, corpus.words)
        _find_recordings(corpus, session)
    corpus.turns.sort(key=lambda turn: turn.utterance)
    silent = [turn.utterance for turn in corpus.turns if turn.utterance not in corpus.words]
    if silent:
        corpus.warnings.append(
            f"{len(silent)} of {len(corpus.turns)} turns have no transcript (the first is {silent[0]}); their text "
            "is empty"
        )
    return corpus


def _find_recordings(corpus: Corpus, session: int) -> None:
    """Add the recordings of a session; of several with one name, the one where it belongs."""
    folder = corpus.session_folder(session)
    for below, suffix, found, place in (
        ("sentences/wav", ".wav", corpus.wavs, corpus.own_wav),
        ("dialog/avi", ".avi", corpus.avis, corpus.own_avi),
    ):
        files = corpus.files.find(folder / below, (suffix,))
        own = {file for file in files if _SESSION.match(file.stem) and file == place(file.stem)}
        for file in sorted(files, key=lambda file: file not in own):
            first = found.setdefault(file.stem, file)
            if first != file:
                corpus.files.leave_out(file, "duplicate", f"{first} is taken")


def _check_sessions(corpus: Corpus, chosen: bool) -> None:
    root = corpus.root
    if not root.is_dir():
        raise MertkError(
            f"corpus path {root} does not exist or is no directory; expected one with Session1 to Session5."
        )
    present = [number for number in range(1, 100) if (root / f"Session{number}").is_dir()]
    if not present:
        inside = [entry.name for entry in root.iterdir() if (entry / "Session1").is_dir()]
        hint = f"did you mean {root / inside[0]}?" if inside else "give the folder IEMOCAP_full_release."
        raise MertkError(f"corpus path {root} has no Session1 to Session5; {hint}")
    missing = [f"Session{number}" for number in corpus.sessions if number not in present]
    if missing:
        remedy = "choose others" if chosen else f'complete it, or add --sessions "{" ".join(map(str, present))}"'
        raise MertkError(f"corpus {root} has no {', '.join(missing)}; {remedy}.")


def _read_turns(file: Path, session: int, warnings: list[str] | None) -> Iterator[Turn]:
    # Raters' remarks may be in any encoding; the turn lines are plain ASCII.
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("%") or _RATER.match(line):
            continue
        try:
            yield _turn(line, f"{file}:{number}", session)
        except MertkError as error:
            if warnings is None:
                raise
            warnings.append(f"ignored: {error}")


def _turn(line: str, place: str, session: int) -> Turn:
    match = _TURN.fullmatch(line)
    if not match:
        raise MertkError(
            f"{place}: malformed annotation line {line!r}; expected `[start - end] utterance emotion [valence, "
            "activation, dominance]`. Mend the line, or add --ignore_malformed_lines."
        )
    utterance, emotion = match["utterance"], match["emotion"]
    where = f"{place}: utterance {utterance}"
    name = _UTTERANCE.fullmatch(utterance)
    if not name:
        raise MertkError(f"{where}: malformed name, expected one like Ses01F_impro01_M003. Mend the line.")
    if name["session"] != f"Ses{session:02d}":
        raise MertkError(f"{where}: it belongs to {name['session']}, but the file lies in Session{session}. Move it.")
    try:
        start, end = float(match["start"]), float(match["end"])
        valence, activation, dominance = map(float, match["ratings"].split(","))
    except ValueError:
        raise MertkError(f"{where}: malformed times or ratings in {line!r}; expected numbers. Mend the line.") from None
    if not all(map(math.isfinite, (start, end, valence, activation, dominance))) or not 0 <= start < end:
        raise MertkError(f"{where}: times from {start} to {end} s or ratings make no sense in {line!r}. Mend the line.")
    if emotion not in EMOTIONS:
        raise MertkError(
            f"{where}: unknown label {emotion!r}, expected one of {', '.join(EMOTIONS)}. Mend the line, or add "
            "--ignore_malformed_lines."
        )
    return Turn(utterance, start, end, emotion, (valence, activation, dominance), place)


def _read_words(file: Path, words: dict[str, str]) -> None:
    """Add the transcripts of a file; lines in another form (`M: [BREATHING]`) belong to no turn."""
    for line in file.read_text(encoding="utf-8-sig", errors="replace").split("\n"):
        match = _TRANSCRIPT.fullmatch(line.strip())
        if match and _UTTERANCE.fullmatch(match["utterance"]):
            words.setdefault(match["utterance"], " ".join(match["words"].split()))
