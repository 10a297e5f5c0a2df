"""Corpora in their own layouts, as the documents name them, of a few recordings each."""

from __future__ import annotations

import json
from pathlib import Path

from mertk.data_prep.synthetic import mmsa
from tests import raw_corpus
from tests.unit import iemocap_tree, test_cremad, test_meld, test_ravdess

#: utterances of a file of features
UTTERANCES = mmsa.MIN_UTTERANCES


def write_corpora(folder: Path) -> None:
    """What stands below /corpora."""
    iemocap_tree.write_tree(folder / "IEMOCAP_full_release", iemocap_tree.small_corpus())
    test_ravdess.write_corpus(folder / "RAVDESS", 24, with_pictures=True)
    test_cremad.write_corpus(folder / "CREMA-D")
    (folder / "crema-d").symlink_to("CREMA-D")
    raw_corpus.write_corpus(folder / "MOSEI")
    raw_corpus.write_clip_file(folder / "clip.mp4")
    test_meld.write_corpus(folder / "MELD.Raw", folder / "clip.mp4")


def write_features(path: Path, corpus: str) -> None:
    """A file of features of CMU-MOSI or CH-SIMS v2, by the name that it is published under, and a BERT beside it."""
    folder = path.parent / f"{corpus}_miniature"
    mmsa.write_corpus(folder, corpus, utterances=UTTERANCES)
    path.symlink_to(folder / "unaligned.pkl")


def write_lists(folder: Path, corpus: Path) -> None:
    """Parts of CREMA-D in JSON lines, which share an actor."""
    files = sorted(path.relative_to(corpus) for path in corpus.rglob("*.wav"))
    for part, some in (("train", files[:12]), ("test", files[9:20])):
        lines = [json.dumps({"key": file.stem, "wav": str(file)}) for file in some]
        (folder / f"{part}.jsonl").write_text("".join(f"{line}\n" for line in lines))
