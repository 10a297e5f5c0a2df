"""Every program answers --help: at once, with an example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.heavy_packages import HEAVY

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("mertk/bin", "data_prep", "data_prep/synthetic", "benchmarks")


def programs() -> list[str]:
    """Modules that can be run with `python -m`."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8"):
                found.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


def test_programs_are_found():
    assert {"mertk.bin.train", "mertk.bin.summarize", "data_prep.iemocap"} <= set(programs())


@pytest.mark.parametrize("module", programs())
def test_help_is_quick_and_has_an_example(module):
    # What was imported, not the clock, decides: a busy machine must not fail the test.
    code = (
        "import runpy, sys\n"
        "sys.argv = [*sys.argv[:2], '--help']\n"
        "try:\n"
        "    runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)\n"
        "except SystemExit as ended:\n"
        "    code = ended.code\n"
        f"loaded = sorted({HEAVY!r} & set(sys.modules))\n"
        "print('LOADED', *loaded)\n"
        "sys.exit(code)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, module], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    text, _, loaded = ended.stdout.rpartition("LOADED")
    assert loaded.split() == []
    assert "example" in text
    assert module.rpartition(".")[2] in text.partition("example")[2], "the example shows another program"


@pytest.mark.parametrize("module", programs())
def test_unknown_option_is_wrong_usage(module):
    ended = subprocess.run(
        [sys.executable, "-m", module, "--no_such_option"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "usage:" in ended.stderr
