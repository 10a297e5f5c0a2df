"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warm_python import warm_python

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


@pytest.fixture(scope="session")
def warm_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For PATH: a `python3` that starts programs in a fork of a process that has packages."""
    with warm_python(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture(scope="module")
def warm(warm_folder: Path) -> Iterator[None]:
    """The `python3` of programs, and of what they start, has its packages already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{warm_folder}:{os.environ['PATH']}")
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests of a GPU where there is none, and say so."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


#: by marker, what a test that did not run would have needed
NEEDS = {"gpu": "a GPU", "slurm": "Slurm", "corpus": "licensed data", "onnx": "time (MERTK_TEST_ONNX=1)"}
NEEDS |= {"documents": "time (MERTK_TEST_DOCUMENTS=1)"}


def needed(report: pytest.TestReport, reason: str) -> str:
    """What a test that was left out lacked, in a word or two; else what it says itself."""
    for marker, words in NEEDS.items():
        if marker in report.keywords:
            return words
    if reason.startswith("Python 3"):
        return "another Python, with packages"
    return "network" if "network" in reason else reason


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests ran in each folder, and how many did not for want of what."""
    ran, left_out, wants = Counter(), Counter(), Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue
            folder = "/".join(report.nodeid.split("::")[0].split("/")[:-1]).partition("mertk/")[0] or "mertk"
            if outcome == "skipped":
                left_out[folder] += 1
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                wants[needed(report, reason.removeprefix("Skipped: "))] += 1
            elif report.when == "call" or report.failed:
                ran[folder] += 1
    if not ran and not left_out:
        return
    terminalreporter.section("what ran where", sep="=")
    width = max(map(len, {*ran, *left_out}))
    for folder in sorted({*ran, *left_out}):
        terminalreporter.line(f"{folder:{width}}  {ran[folder]:5} ran  {left_out[folder]:4} did not")
    if wants:
        terminalreporter.line("DID NOT RUN, for want of:")
    for want, count in wants.most_common():
        terminalreporter.line(f"{count:5}  {want}")
    if unchosen := len(terminalreporter.stats.get("deselected", ())):
        terminalreporter.line(f"{unchosen:5}  tests were not chosen")
