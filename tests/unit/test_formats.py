"""Directories that earlier versions wrote answer as they did; those of a newer one are refused with what to do."""

import json
import shutil
from pathlib import Path

import pytest

import mertk
from mertk.data.manifest import load_manifest, validate_directory
from mertk.errors import MertkError
from tests.fixtures.formats.write import FOAL, FORMATS, PLACE, SETTINGS, replace_in_texts, tell
from tests.small_run import small_config

VERSIONS = sorted(path.name for path in FORMATS.iterdir() if (path / "expected.json").is_file())


def copy_of(version, folder):
    """The directories of a version, as if they had been made in a folder."""
    shutil.copytree(FORMATS / version, folder)
    replace_in_texts(folder, PLACE, str(folder))
    return folder


@pytest.fixture
def written(tmp_path):
    return copy_of("0.1", tmp_path / "written")


def leaves(value, place=""):
    """Numbers by their place."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: leaf for key, inner in pairs for name, leaf in leaves(inner, f"{place}/{key}").items()}
    return {place: value}


def test_there_are_directories_of_earlier_versions():
    assert "0.1" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_version_wrote_answers_as_it_did(tmp_path, version):
    folder = copy_of(version, tmp_path / "written")
    assert not validate_directory(folder / "data")
    expected = leaves(json.loads((folder / "expected.json").read_text()))
    assert expected
    assert leaves(tell(folder)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_training_that_a_version_began_goes_on_to_the_end_of_one_that_was_not_stopped(tmp_path, version):
    folder = copy_of(version, tmp_path / "written")
    (checkpoint,) = (folder / "interrupted/checkpoints").iterdir()
    assert checkpoint.name == "step_00000001"
    mertk.train(small_config(folder / "data", folder / "interrupted", *SETTINGS), resume=True)
    for name in ("step", "train", "validation"):
        found, expected = (
            [json.loads(line)[name] for line in (folder / run / "history.jsonl").read_text().splitlines()]
            for run in ("interrupted", "run")
        )
        assert leaves(found) == pytest.approx(leaves(expected), abs=1e-6)


def test_a_run_is_told_before_it_is_scored_again(written):
    table = mertk.read_results(written / "run")
    assert list(table["ua"]) == pytest.approx([json.loads((written / "expected.json").read_text())["figures"]["ua"]])


def read_features(folder):
    from mertk.data.feature_store import FeatureStore

    FeatureStore(folder / "data/features/video")


READERS = {
    "data/corpus.json": lambda folder: load_manifest(folder / "data"),
    "data/features/video/record.json": read_features,
    "run/best/model.json": lambda folder: mertk.evaluate(folder / "run", again=True),
    "run/environment.json": lambda folder: mertk.evaluate(folder / "run", again=True),
    "run/results.json": lambda folder: mertk.read_results(folder / "run"),
    "export/export.json": lambda folder: mertk.load(folder / "export"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_newer_format_is_refused_with_what_to_do(written, name):
    path = written / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(
        MertkError, match=rf"{path.name}: format 99, expected at most .* that mertk .* knows.*pip install"
    ):
        READERS[name](written)


def test_what_a_run_is_made_of_now_has_its_format(written, tmp_path):
    from tests.small_run import small_config, write_data

    write_data(tmp_path / "data")
    mertk.train(small_config(tmp_path / "data", tmp_path / "run", FOAL, "training.epochs=1"))
    for name in ("environment.json", "best/model.json"):
        assert json.loads(Path(tmp_path, "run", name).read_text())["format"] == 1
