"""A tree in the layout of IEMOCAP, for tests: text files as the corpus has them, one recording linked everywhere."""

from __future__ import annotations

import os
import re
import wave
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from mertk.data_prep import iemocap

#: the first turn of `small_corpus`
FIRST = "Ses01F_impro01_F000"

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
RATERS = (
    "C-E2:\tNeutral; Sadness;\t()\nC-E3:\tNeutral;\t(tired [sigh])\nC-F1:\tNeutral;\t()\n"
    "A-E3:\tval 3; act 2; dom  2;\t()\nA-E4:\tval 2; act 3; dom  3;\t(caf\xe9)\nA-F1:\tval 3; act 2; dom  1;\t()\n\n"
)
#: what a Macintosh leaves beside each file
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(40)


class TurnRow(NamedTuple):
    utterance: str
    start: str
    end: str
    emotion: str
    ratings: str = "2.5000, 2.5000, 2.5000"
    words: str | None = "Excuse me."

    @property
    def dialogue(self) -> str:
        return self.utterance.rpartition("_")[0]


def small_corpus() -> list[TurnRow]:
    """Two dialogues a session, both speakers in each, the four classes and one turn without agreement."""
    rows = []
    for session in range(1, 6):
        for scene, left in (("impro01", "F"), ("script01_1", "M")):
            for number, emotion in enumerate(("neu", "hap", "exc", "ang", "sad", "xxx")):
                for speaker in "FM":
                    name = f"Ses{session:02d}{left}_{scene}_{speaker}{number:03d}"
                    words = f"This is {scene} sentence {number} of {speaker}."
                    start = 2.0 * number
                    rows.append(TurnRow(name, f"{start:.4f}", f"{start + 1.5:.4f}", emotion, words=words))
    return rows


def write_wav(path: Path, seconds: float = 1.5, rate: int = 16000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * channels * round(seconds * rate)))
    return path


def write_avi(path: Path) -> Path:
    """Two small pictures, MPEG-4."""
    import av
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_tree(root: Path, rows: Iterable[TurnRow], miniature: bool = True) -> Path:
    """Write a corpus below `root`; every wav and every avi is a hard link to one file."""
    source = root.with_name(f"{root.name}.source")
    wav, avi = write_wav(source / "speech.wav"), write_avi(source / "picture.avi")
    dialogues: dict[str, list[TurnRow]] = defaultdict(list)
    for row in rows:
        dialogues[row.dialogue].append(row)
    for dialogue, turns in dialogues.items():
        session = root / f"Session{int(dialogue[3:5])}"
        annotation = HEADER + "".join(
            f"[{row.start} - {row.end}]\t{row.utterance}\t{row.emotion}\t[{row.ratings}]\n{RATERS}" for row in turns
        )
        write_bytes(session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", annotation.encode("latin-1"))
        transcript = "".join(f"{row.utterance} [{row.start}-{row.end}]: {row.words}\n" for row in turns if row.words)
        write_bytes(session / "dialog" / "transcriptions" / f"{dialogue}.txt", transcript.encode())
        link(avi, session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi")
        folder = session / "sentences" / "wav" / dialogue
        folder.mkdir(parents=True, exist_ok=True)
        for row in turns:
            os.link(wav, folder / f"{row.utterance}.wav")
    if miniature:
        write_bytes(root / "MINIATURE.json", b"{}\n")
    return root


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def link(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, path)


def prepare(corpus: Path, *options: str) -> int:
    return iemocap.main(["--corpus", str(corpus), "--out", str(corpus.parent / "data"), *options])


def annotation(corpus: Path, dialogue: str = "Ses01F_impro01") -> Path:
    return corpus / f"Session{int(dialogue[3:5])}" / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"


def wav(corpus: Path, utterance: str = FIRST) -> Path:
    return corpus / f"Session{int(utterance[3:5])}" / "sentences" / "wav" / utterance[:-5] / f"{utterance}.wav"


def replace_wav(corpus: Path, content: bytes, utterance: str = FIRST) -> Path:
    """Put other bytes in place of one recording (which is a link to the one all share)."""
    path = wav(corpus, utterance)
    path.unlink()
    path.write_bytes(content)
    return path


def assert_refused(corpus: Path, capsys: pytest.CaptureFixture, pattern: str, *options: str) -> None:
    """The program ends with one error that matches, exit code 1, and leaves nothing behind."""
    before = sorted(corpus.parent.iterdir())
    assert prepare(corpus, *options) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(pattern, errors[0]), errors[0]
    assert sorted(corpus.parent.iterdir()) == before
