"""The table of labels of a corpus of clips, label.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mertk.data.columns import is_number
from mertk.data.ledger import Ledger
from mertk.data_prep.label_table import BadRow, Row, read_rows
from mertk.errors import MertkError
from mertk.metrics.catalogue import LABEL_RANGES

STAGE = "manifests"
REQUIRED = ("video_id", "clip_id", "text", "label", "mode")
#: `mode` to the part of the folds
PARTS = {"train": "train", "valid": "validation", "test": "test"}
#: columns with the labels of one modality alone, to columns of a data directory
UNIMODAL = {"label_A": "utt2label_audio", "label_V": "utt2label_video", "label_T": "utt2label_text"}


@dataclass(frozen=True)
class Clip:
    """One row of the table; `labels` by column of a data directory, `annotation` a word on their sign."""

    video: str
    number: str
    text: str
    labels: dict[str, str]
    part: str
    place: str
    annotation: str = ""

    @property
    def utterance(self) -> str:
        return f"{self.video}$_${self.number}"

    def video_file(self, corpus: Path) -> Path:
        return corpus / "Raw" / self.video / f"{self.number}.mp4"

    def wav_file(self, out: Path) -> Path:
        return out / "wav" / self.video / f"{self.number}.wav"


def find_table(corpus: Path, given: Path | None) -> Path:
    """The table of labels: the one that was given, or label.csv of the corpus.

    Raises:
        MertkError: there is no such file.
    """
    table = given or corpus / "label.csv"
    if not table.is_file():
        there = ", ".join(sorted(file.name for file in table.parent.glob("*.[cC][sS][vV]"))) or "no table"
        raise MertkError(
            f"{table}: no such file, there is {there} beside it; rename the table, or give its name to "
            "mertk prepare raw_video --labels."
        )
    return table


def read_clips(path: Path, metrics: str, ledger: Ledger) -> tuple[list[Clip], int]:
    """Clips of the table in its order, and how many rows it has; rows that cannot be used go to the ledger.

    Args:
        metrics: set of metrics, which has the scale of the labels.

    Raises:
        MertkError: no such file, not UTF-8, not CSV, a column is missing, or no row.
    """
    rows = list(read_rows(path, REQUIRED, (*UNIMODAL, "annotation")))
    # A column that is empty throughout has no labels; one with gaps has missing ones.
    given = {name for name in UNIMODAL if any(row.values.get(name, "").strip() for row in rows)}
    clips: dict[str, Clip] = {}
    for row in rows:
        place = f"{path}:{row.line}"
        name = f"{row.values.get('video_id', '')}$_${row.values.get('clip_id', '')}"
        try:
            clip = _clip(place, row, given, metrics)
            if clip.utterance in clips:
                raise BadRow("duplicate", f"the clip is already at {clips[clip.utterance].place}, which is kept")
            clips[clip.utterance] = clip
        except BadRow as bad:
            ledger.add("_".join(name.split()), STAGE, bad.reason, f"{place}: {bad}")
    return list(clips.values()), len(rows)


def _clip(place: str, row: Row, unimodal: set[str], metrics: str) -> Clip:
    """The clip of a row.

    Raises:
        BadRow: whatever is wrong with it.
    """
    if row.fault:
        raise BadRow("malformed_row", row.fault)
    values = row.values
    video, number = values["video_id"].strip(), values["clip_id"].strip()
    for name, value in (("video_id", video), ("clip_id", number)):
        if len(value.split()) != 1 or "/" in value or "\\" in value or value in (".", ".."):
            raise BadRow("bad_name", f"{name} {value!r}, expected one word that can name a file")
    text = " ".join(values["text"].split())
    if not text:
        raise BadRow("empty_text", "the transcript is empty")
    part = PARTS.get(values["mode"].strip().lower())
    if part is None:
        raise BadRow("unknown_part", f"mode {values['mode']!r}, expected one of {', '.join(PARTS)}")
    columns = {"label": "utt2label"} | {name: column for name, column in UNIMODAL.items() if name in unimodal}
    labels = {column: _label(name, values[name], metrics) for name, column in columns.items()}
    return Clip(video, number, text, labels, part, place, values.get("annotation", "").strip())


def _label(name: str, value: str, metrics: str) -> str:
    lowest, highest = LABEL_RANGES[metrics]
    if not is_number(value) or not lowest <= float(value) <= highest:
        raise BadRow("bad_label", f"{name} {value!r}, expected a number from {lowest:g} to {highest:g}")
    return repr(float(value))
