"""setup.cfg asks for the packages that are imported: every one of them, and no other."""

from __future__ import annotations

import configparser
import re
import sys

from tests.unit.test_import_rules import ROOT, files_below, imports

#: what is imported, by the name under which it is installed, where the two differ
INSTALLED_AS = {"sklearn": "scikit-learn", "umap": "umap-learn", "yaml": "pyyaml"}
#: asked for and not imported
EXCUSED = {
    "mtcnn": "holds the weights that find faces, which are read without its code",
    "latex2mathml": "draws formulas for the pages of docs/, whose hooks are no package",
    "mkdocs-material": "a program: builds the pages of docs/, with the look that mkdocs.yml names",
    "mkdocstrings-python": "a plugin that mkdocs finds: pages of the interface, from docstrings",
    "setuptools": "builds the package (pyproject.toml), which a test does without a network",
    "pre-commit": "a program: runs the formatter before a commit",
    "pytest-xdist": "a plugin that pytest finds: tests/run.sh has two workers",
    "ruff": "a program: style",
    "tensorboard": "torch.utils.tensorboard, which writes for it, imports it",
}
OUR_OWN = {"mertk", "data_prep", "benchmarks", "tests"}


def declared() -> dict[str, set[str]]:
    """Names of packages of each extra, by its name; those that everybody needs by ""."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    groups = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    return {name: {normalized(word) for word in re.findall(r"^[\w.-]+", text, re.M)} for name, text in groups.items()}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> set[str]:
    """Packages that others made, as they are installed, of all imports below the folders, late ones too."""
    modules = {module for folder in folders for path in files_below(folder) for _, module, _ in imports(path)}
    packages = {module.partition(".")[0] for module in modules} - OUR_OWN - sys.stdlib_module_names
    return {normalized(INSTALLED_AS.get(package, package)) for package in packages}


def test_what_the_library_imports_is_asked_for():
    groups = declared()
    optional = set().union(*(names for extra, names in groups.items() if extra not in ("", "dev")))
    found = imported("mertk", "mertk.data_prep")
    assert found - groups[""] - optional == set()
    assert optional - found - EXCUSED.keys() == set()


def test_what_is_asked_for_is_imported():
    assert declared()[""] - imported("mertk", "mertk.data_prep") - EXCUSED.keys() == set()


def test_development_asks_for_what_tests_need_and_all_that_is_optional():
    groups = declared()
    development = groups.pop("dev")
    in_tests = imported("tests", "benchmarks")
    assert in_tests - groups[""] - development == set()
    optional = set().union(*(names for extra, names in groups.items() if extra))
    assert optional - development == set()
    assert development - in_tests - optional - EXCUSED.keys() == set()


def test_excuses_are_needed():
    asked_for = set().union(*declared().values())
    assert EXCUSED.keys() <= asked_for
    assert EXCUSED.keys() & imported("mertk", "mertk.data_prep") == set()
