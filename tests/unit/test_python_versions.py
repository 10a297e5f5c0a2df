"""Every file is understood by every version of Python that mertk is for, and every module can be imported there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.unit.test_import_rules import ROOT, files_below, module_name

#: the minor version of each Python 3
VERSIONS = (10, 11, 12, 13)
#: run by another Python, which is told what to read on its standard input
COMPILE = """
import json, sys
for path in json.load(sys.stdin):
    with open(path, encoding="utf-8") as file:
        compile(file.read(), path, "exec", dont_inherit=True)
"""
IMPORT = """
import importlib, json, sys
imported, absent, failed = [], [], []
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
        imported.append(name)
    except ModuleNotFoundError as error:
        (failed if error.name.startswith("mertk") else absent).append(error.name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print(json.dumps([imported, sorted(set(absent)), failed]))
"""


@cache
def find_python(minor: int) -> str:
    """A Python 3 of this minor version other than the one that runs, on PATH or one of pyenv's."""
    if minor == sys.version_info.minor:
        pytest.skip(f"Python 3.{minor} is what runs all tests")
    kept = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/3.{minor}.*/bin/python"))
    for place in [shutil.which(f"python3.{minor}"), *map(str, reversed(kept))]:
        # pyenv puts names on PATH that start nothing.
        if place and subprocess.run([place, "-c", ""], capture_output=True).returncode == 0:
            return place
    pytest.skip(f"python3.{minor} is not installed")


def run_on(minor: int, code: str, given: list[str]) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [find_python(minor), *(["-W", "error"] if code is COMPILE else []), "-c", code]
    done = subprocess.run(words, input=json.dumps(given), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_file_is_understood(minor):
    folders = ("mertk", "mertk.data_prep", "benchmarks", "tests")
    run_on(minor, COMPILE, [str(path) for folder in folders for path in files_below(folder)])


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_module_can_be_imported(minor):
    """As far as the packages that they need are installed for that Python; those that are not are named."""
    modules = [module_name(path) for folder in ("mertk", "mertk.data_prep") for path in files_below(folder)]
    modules.remove("mertk.__main__")  # the command itself
    imported, absent, failed = json.loads(run_on(minor, IMPORT, modules))
    assert failed == []
    assert {"mertk", "mertk.command", "mertk.cli"} <= set(imported)  # what `mertk --help` needs
    if absent:
        pytest.skip(
            f"Python 3.{minor} imports {len(imported)} of {len(modules)} modules; not there: {', '.join(absent)}"
        )


def test_what_a_python_does_not_understand_is_seen(tmp_path):
    minor = next((minor for minor in VERSIONS if minor != sys.version_info.minor and is_there(minor)), None)
    if minor is None:
        pytest.skip("no other Python from 3.10 to 3.13 is installed")
    (tmp_path / "bad.py").write_text("def f(:\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="SyntaxError"):
        run_on(minor, COMPILE, [str(tmp_path / "bad.py")])


def is_there(minor: int) -> bool:
    try:
        return bool(find_python(minor))
    except pytest.skip.Exception:
        return False
