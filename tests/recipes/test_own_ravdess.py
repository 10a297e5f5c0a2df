"""Real speech through the door of one's own table: what the recipe of its corpus trains on, to the last character."""

import csv

import pytest

from mertk.data.folds import read_fold
from mertk.data_prep import csv_table, ravdess, ravdess_corpus
from tests.recipes.test_ravdess import CORPUS

pytestmark = [
    pytest.mark.recipe,
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="no RAVDESS recordings in ../shared/data/ravdess"),
]

COLUMNS = ("wav.scp", "text", "utt2spk", "utt2label", "utt2dur", "classes.txt")


def test_a_table_of_the_corpus_gives_the_data_of_its_recipe(tmp_path):
    manifest = ravdess.prepare(CORPUS, tmp_path / "recipe")
    fold_of = {actor: str(number) for number, group in enumerate(manifest.corpus["groups"], 1) for actor in group}
    columns = [manifest.column(name) for name in ("wav.scp", "text", "utt2spk", "utt2label")]
    with (tmp_path / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Emotion", "speaker", "fold", "path", "text"])
        for path, text, actor, label in zip(*columns, strict=True):
            table.writerow([label.upper(), actor, fold_of[actor], path, text])
    own = csv_table.prepare(
        [tmp_path / "clips.csv"], tmp_path / "own", class_order=ravdess_corpus.CLASSES, modalities=["audio", "text"]
    )
    assert own.corpus["left_out"] == {}
    for name in COLUMNS:
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "recipe" / name).read_bytes(), name
    folds = sorted(path.parent.relative_to(tmp_path / "recipe") for path in tmp_path.glob("recipe/folds/*/*/fold.json"))
    assert len(folds) == 18
    for folder in folds:
        theirs, ours = (read_fold(tmp_path / name / folder) for name in ("recipe", "own"))
        assert (ours.train, ours.validation, ours.test) == (theirs.train, theirs.validation, theirs.test), folder
