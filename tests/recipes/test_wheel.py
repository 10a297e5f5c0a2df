"""What `pip install` gives: built, installed outside the checkout, and used from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.recipe, pytest.mark.slow]

FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt")
FOLDERS = ("mertk", "data_prep", "recipes")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def call(*command, folder, code=0, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def build(kind, source, out):
    out.mkdir()
    call(sys.executable, "-c", BUILD, f"build_{kind}", out, folder=source)
    return next(out.iterdir())


@pytest.fixture(scope="module")
def tree(checkout, tmp_path_factory):
    """A copy of what is packaged, to build in; links stay links."""
    folder = tmp_path_factory.mktemp("tree")
    for name in FILES:
        shutil.copy(checkout / name, folder)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / name, folder / name, symlinks=True, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return build("wheel", tree, tmp_path_factory.mktemp("wheel") / "out")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Call a program in an environment that has the wheel, and of the present one its packages alone."""
    folder = tmp_path_factory.mktemp("installed")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "env", folder=folder)
    python = folder / "env/bin/python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, folder=folder)
    site = next((folder / "env/lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    work = folder / "work"
    work.mkdir()

    def run(*command, code=0):
        path = f"{python.parent}:{os.environ['PATH']}"
        return call(*command, folder=work, code=code, PATH=path, VIRTUAL_ENV=str(folder / "env"), OMP_NUM_THREADS="1")

    run.work, run.site = work, site
    return run


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_whole_and_mertk_is_all_it_puts_on_top(wheel, checkout):
    names = set(contents(wheel))
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"mertk"}
    # What lies behind the links.
    for folder, kinds in (("recipes", ("sh", "yaml")), ("data_prep", ("py", "yaml"))):
        for kind in kinds:
            found = {f"mertk/{path.relative_to(checkout)}" for path in (checkout / folder).glob(f"**/*.{kind}")}
            assert found and found <= names
    code = {path.relative_to(checkout).as_posix() for path in (checkout / "mertk").glob("**/*.py")}
    assert code <= names
    engines = {f"mertk/conf/engines/{path.name}" for path in (checkout / "mertk/conf/engines").iterdir()}
    assert (
        engines
        | {"mertk/constraints.txt", "mertk/py.typed", "mertk/conf/slurm.yaml", "mertk/conf/accelerate_config.yaml"}
        <= names
    )
    assert {f"mertk/report/templates/page.{kind}" for kind in ("html", "css")} <= names
    assert "mertk/handover/templates/model_card.jinja" in names
    assert not [name for name in names if name.endswith((".png", ".json", ".md"))]


def test_the_source_archive_has_files_for_links_and_gives_the_same_wheel(tree, wheel, tmp_path):
    archive = build("sdist", tree, tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        assert not [member.name for member in packed.getmembers() if member.issym() or member.islnk()]
        # Early releases of Python 3.10 and 3.11 have no filters.
        packed.extractall(tmp_path / "source", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    again = build("wheel", next((tmp_path / "source").iterdir()), tmp_path / "wheel")
    assert contents(again) == contents(wheel)


def test_what_is_said_to_install_an_extra_can_be_called(installed):
    code = "from mertk.installing import installing_extra; print(installing_extra('lora'))"
    command = installed("python", "-c", code).strip()
    assert "mertk[lora]" in command
    told = installed("sh", "-c", f"{command} --no-index --no-deps --dry-run")  # nothing is fetched
    assert "already satisfied: mertk[lora]" in told and "does not provide the extra" not in told


def test_the_package_lists_its_recipes_and_copies_one(installed):
    assert "iemocap/foal" in installed("mertk", "new")
    installed("mertk", "new", "mosi/hscl", "copy")
    told = installed("bash", "copy/run.sh", "--help")
    assert "HSCL on CMU-MOSI" in told and "--num_machines" in told
    assert "not empty" in installed("mertk", "new", "mosi/hscl", "copy", code=1)
    assert "did you mean mosi/hscl?" in installed("mertk", "new", "mosi/hcsl", "other", code=1)
    assert not (installed.work / "other").exists()


def model_and_clip(work):
    """The model that the copied recipe trained, and a recording."""
    (model,) = (work / "my_exp/exp").glob("**/fold_1/seed_1234/best")
    return model, next((work / "my_exp/data").glob("**/sentences/wav/*/*.wav"))


@pytest.fixture(scope="module")
def printed(installed):
    """What a copied recipe prints on its way from nothing to a table."""
    installed("mertk", "new", "iemocap/foal", "my_exp")
    small = ("--variant", "small", "--ablation", "audio", "--folds", "1", "--num_processes", "1")
    return installed("bash", "my_exp/run.sh", *small, "training.epochs=1", "data.num_workers=0")


def test_a_copied_recipe_goes_from_nothing_to_a_table_and_predicts(installed, printed):
    assert "cross-validate" in installed("mertk", "--help")
    assert "UA pooled" in printed and "MINIATURE" in printed
    assert {path.name for path in installed.work.glob("my_exp/*")} == {
        "conf",
        "data",
        "exp",
        "published.yaml",
        "run.sh",
    }
    model, clip = model_and_clip(installed.work)
    installed("mertk", "predict", "--model", model, "--out", "told.tsv", "--", clip)
    assert (installed.work / "told.tsv").read_text().startswith("file\tprediction\t")
    where = installed("python", "-c", "import mertk; print(mertk.__file__)")
    assert Path(where.strip()).is_relative_to(installed.site)


def test_the_model_of_a_copied_recipe_is_loaded_in_python(installed, printed):
    model, clip = model_and_clip(installed.work)
    code = f"import mertk; print(mertk.load({str(model)!r}).predict({str(clip)!r}))"
    assert "neutral" in installed("python", "-c", code)
