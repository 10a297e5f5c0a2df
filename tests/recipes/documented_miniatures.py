"""The corpora that documents name as miniatures, and the lines shortened to a few seconds each."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from mertk.data_prep.synthetic import cremad, iemocap, meld, mmsa, ravdess
from tests import raw_corpus
from tests.recipes.documented import RecipeLine
from tests.recipes.pretended_data import leave

#: an epoch, in this process
SHORT = ("--num_processes", "1", "training.epochs=1", "data.num_workers=0")
#: corpora of several folds, of which one will do
FOLDED = ("iemocap", "ravdess", "cremad", "own")


def _write_features(folder: Path, corpus: str, name: str = "unaligned") -> None:
    mmsa.write_corpus(folder, corpus, utterances=96)
    if name != "unaligned":
        (folder / f"{name}.pkl").symlink_to("unaligned.pkl")


def _write_recordings(folder: Path, largest: int) -> None:
    """Those of tests/raw_corpus.py, whose labels are from -3 to 3, with labels up to `largest`."""
    raw_corpus.write_corpus(folder)
    rows = [(*row[:3], str(float(row[3]) * largest / 3), *row[4:6]) for row in raw_corpus.CLIPS]
    raw_corpus.write_labels(folder / "label.csv", rows)
    leave(folder / "MINIATURE.json", "{}")
    (folder / "models").symlink_to(Path("tiny").absolute())


#: by name, what writes it
MINIATURES: dict[str, Callable[[Path], object]] = {
    "IEMOCAP_full_release": lambda folder: iemocap.write_corpus(folder, utterances=80),
    "RAVDESS": ravdess.write_corpus,
    "CREMA-D": cremad.write_corpus,
    "MELD.Raw": meld.write_corpus,
    "MOSI": lambda folder: _write_features(folder, "mosi", "unaligned_50"),
    "MOSEI": lambda folder: _write_features(folder, "mosei", "unaligned_50"),
    "SIMS": lambda folder: _write_features(folder, "sims", "unaligned_39"),
    "SIMS2": lambda folder: _write_features(folder, "sims2"),
    "MOSI_recordings": lambda folder: _write_recordings(folder, 3),
    "SIMS_recordings": lambda folder: _write_recordings(folder, 1),
}


def write_corpora(line: RecipeLine, corpora: Path) -> None:
    """The miniatures that a line reads."""
    for name in line.corpora:
        if not (corpora / name).exists():
            MINIATURES[name](corpora / name)


def shortened(line: RecipeLine, corpora: Path) -> str:
    """The command of a line with less to train: one epoch, one fold, one seed."""
    words = shlex.split(line.command(corpora))
    short = list(SHORT)
    recipe = line.copied or words[1].removeprefix("recipes/")
    if recipe.split("/")[0] in FOLDED and "--folds" not in words:
        short += ["--folds", "1"]
    if "--seeds" in words:
        short += ["--seeds", "1111"]
    return shlex.join([*words, *short])
