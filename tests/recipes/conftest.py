"""Fixtures of tests that look at recipes without training."""

import pytest

from tests.recipes.stages import StagedRecipe


@pytest.fixture
def recipe(tmp_path):
    """Call a recipe by its name; its stages, see `StagedRecipe`."""
    return StagedRecipe(tmp_path)
