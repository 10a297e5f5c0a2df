"""Recipes of the package, and copies of them."""

import os
import subprocess

import pytest

from mertk.bin.new import main
from mertk.run.recipes import RECIPES, copy_recipe, find_recipes


def test_the_recipes_are_listed_by_what_they_are_about(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(find_recipes()) == len(list(RECIPES.glob("**/run.sh")))
    assert "mosi/hscl          HSCL on CMU-MOSI" in told


def test_the_folder_of_the_recipes_is_told(capsys):
    assert main(["--where"]) == 0
    assert capsys.readouterr().out == f"{RECIPES}\n"


@pytest.mark.parametrize("name", sorted(find_recipes()))
def test_a_copy_has_the_recipes_configuration_whole(name, tmp_path):
    copy_recipe(name, tmp_path / "copy")
    method = name.partition("/")[2]
    own = {path.relative_to(RECIPES / name) for path in (RECIPES / name).glob("conf/**/*.yaml")}
    shared = RECIPES / "common/conf"
    # A recipe of any method has them all.
    pattern = f"{method}/**/*.yaml" if method else "**/*.yaml"
    own |= {path.relative_to(RECIPES / "common") for path in shared.glob(pattern)}
    found = {path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").glob("conf/**/*.yaml")}
    assert own and own < found
    assert (tmp_path / "copy/conf/slurm.yaml").exists()
    assert (tmp_path / "copy/published.yaml").exists() == (RECIPES / name / "published.yaml").exists()
    if (shared / f"{method}.yaml").exists():
        assert (tmp_path / f"copy/conf/{method}.yaml").exists() and (tmp_path / "copy/conf/recordings.yaml").exists()
    assert os.access(tmp_path / "copy/run.sh", os.X_OK)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_what_is_there_is_left_alone(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["mosi/hscl", str(tmp_path / "empty")]) == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    assert main(["mosi/hscl", str(tmp_path / "full")]) == 1
    assert main(["mosi/hscl", str(tmp_path / "full/mine")]) == 1
    assert "there already, and not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_an_unknown_recipe_is_told_with_the_nearest(tmp_path, capsys):
    assert main(["iemocap/fol", str(tmp_path / "x")]) == 1
    assert "did you mean iemocap/foal?" in capsys.readouterr().err
    assert main(["other", str(tmp_path / "x")]) == 1
    assert "iemocap/foal, meld/baselines, meld/hscl, meld/tam_ulag, mosei/baselines" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("mertk.run.recipes.PACKAGE", tmp_path / "none")  # whose conf/slurm.yaml is to be copied last
    with pytest.raises(FileNotFoundError):
        copy_recipe("mosi/hscl", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_finds_its_stages_in_the_package(tmp_path, checkout):
    copy_recipe("mosi/hscl", tmp_path / "copy")
    ended = subprocess.run(
        ["bash", str(tmp_path / "copy/run.sh"), "--ablation", "none"],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "--ablation none: expected one of full audio no_consistency" in ended.stderr
