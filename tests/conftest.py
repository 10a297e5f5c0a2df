"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before anything imports numpy or torch: tests run side by side, need no network and draw no windows.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def lines_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed in this process is not broken, wherever the tests run; tests of that give a width."""
    monkeypatch.setattr("mertk.screen.columns", lambda: 1000)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Folder that holds mertk/, recipes/, tests/."""
    return Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests of a GPU where there is none, and say so."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))
