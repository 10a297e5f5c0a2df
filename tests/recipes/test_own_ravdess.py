"""Real speech through the door of one's own table: what the recipe of its corpus trains on, to the last character."""

import pytest

from mertk.data.folds import read_fold
from mertk.data_prep.own_directory import prepare_rows
from mertk.data_prep.own_rows import OwnRow
from mertk.data_prep.ravdess import prepare
from mertk.data_prep.ravdess_corpus import CLASSES
from tests.recipes.test_ravdess import CORPUS

pytestmark = [
    pytest.mark.recipe,
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="no RAVDESS recordings in ../shared/data/ravdess"),
]

COLUMNS = ("wav.scp", "text", "utt2spk", "utt2label", "utt2dur", "classes.txt")


def test_a_table_of_the_corpus_gives_the_data_of_its_recipe(tmp_path):
    manifest = prepare(CORPUS, tmp_path / "recipe")
    fold_of = {actor: str(number) for number, group in enumerate(manifest.corpus["groups"], 1) for actor in group}
    columns = [manifest.column(name) for name in ("wav.scp", "text", "utt2spk", "utt2label")]
    rows = [
        OwnRow(f"table:{number}", CORPUS / file, label.upper(), speaker=actor, text=text, fold=fold_of[actor])
        for number, (file, text, actor, label) in enumerate(zip(*columns, strict=True), start=2)
    ]
    own = prepare_rows(
        rows[::-1], tmp_path / "own", corpus="own", source=CORPUS, class_order=CLASSES, modalities=["audio", "text"]
    )
    assert own.corpus["left_out"] == {}
    for name in COLUMNS:
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "recipe" / name).read_bytes(), name
    folds = sorted(path.parent.relative_to(tmp_path / "recipe") for path in tmp_path.glob("recipe/folds/*/*/fold.json"))
    assert len(folds) == 18
    for folder in folds:
        theirs, ours = (read_fold(tmp_path / name / folder) for name in ("recipe", "own"))
        assert (ours.train, ours.validation, ours.test) == (theirs.train, theirs.validation, theirs.test), folder
