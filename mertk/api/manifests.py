"""Manifests as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

#: what columns of a data directory are called in a table; others keep the name of their file
_NAMES = {
    "wav.scp": "audio",
    "video.scp": "video",
    "utt2spk": "speaker",
    "utt2session": "session",
    "utt2dialogue": "dialogue",
    "utt2video": "source",
    "utt2recording": "recording",
    "utt2gender": "gender",
    "utt2label": "label",
    "utt2label_audio": "label_audio",
    "utt2label_video": "label_video",
    "utt2label_text": "label_text",
    "utt2dur": "seconds",
    "utt2vad": "vad",
}


def read_manifest(path: str | Path) -> pandas.DataFrame:
    """The utterances of a data directory, or of a three-column scp file, with what is known of each.

        table = mertk.read_manifest("data/iemocap")
        table.groupby("speaker").label.value_counts()

    The index is the utterance. Columns, those that there are: `audio`, `video` (paths), `audio_segments`,
    `video_segments`, `text`, `speaker`, `session`, `dialogue`, `source` (the video that a clip is of), `recording` (the
    file that its sound was taken from), `gender`, `label` (the name of a class, or an intensity as a number),
    `label_audio`, `label_video`, `label_text`, `seconds`, `vad`. `table.attrs` has `classes`, in the order of their
    indices (None for intensities, or where classes.txt does not say), and `corpus`, the content of corpus.json.

    Raises:
        MertkError: there is none, or a file of it is faulty (names file, line and utterance).
    """
    import pandas

    from mertk.data.columns import COLUMN_NAMES, is_number
    from mertk.data.manifest import load_manifest

    manifest = load_manifest(path, need=())
    names = [name for name in COLUMN_NAMES if manifest.has(name)]
    columns = {_NAMES.get(name, name): manifest.column(name) for name in names}
    table = pandas.DataFrame(columns, index=pandas.Index(manifest.ids, name="utterance"))
    labels = [name for name in columns if name.startswith("label")]
    numbers = [name for name in labels if manifest.task.has_numbers and all(map(is_number, columns[name]))]
    numbers += [name for name in ("seconds",) if name in columns]
    table[numbers] = table[numbers].astype(float)
    table.attrs |= {"classes": manifest.classes, "corpus": manifest.corpus}
    return table
