"""Fixtures of tests that look at recipes without training."""

import pytest

from tests.recipes.stages import StagedRecipe


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    return tmp_path_factory.mktemp("known")


@pytest.fixture
def recipe(tmp_path, known):
    """Call a recipe by its name; its stages, see `StagedRecipe`."""
    return StagedRecipe(tmp_path, known)
