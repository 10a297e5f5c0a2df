"""Fixtures of tests of recipes."""

import os

import pytest

from tests.recipes.stages import StagedRecipe
from tests.warm_python import warm_python


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    return tmp_path_factory.mktemp("known")


@pytest.fixture
def recipe(tmp_path, known):
    """Call a recipe by its name; its stages, see `StagedRecipe`."""
    return StagedRecipe(tmp_path, known)


@pytest.fixture(scope="session")
def warm_folder(tmp_path_factory):
    with warm_python(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture(scope="module")
def warm(warm_folder):
    """The `python3` of programs, and of what they start, has its packages already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{warm_folder}:{os.environ['PATH']}")
        yield
