"""Every program answers --help: at once, with an example, by the name that the user typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mertk.command import COMMANDS, EXTRACTIONS
from mertk.data_prep.corpora import describe_corpora
from tests.heavy_packages import HEAVY

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("mertk/bin", "data_prep", "data_prep/synthetic", "benchmarks")
#: columns of a terminal in which help is read
WIDTH = 100
#: what a user types, and the module of it
TYPED = {name: command.module for name, command in COMMANDS.items()}
TYPED |= {f"extract {name}": command.module for name, command in EXTRACTIONS.items()}


def programs() -> list[str]:
    """Modules that can be run with `python -m`, but for the earlier names of others."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            if 'if __name__ == "__main__"' in text and "import main\n" not in text:
                found.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


def exists(module: str | None) -> bool:
    return module is None or (ROOT / module.replace(".", "/")).with_suffix(".py").exists()


def help_of(*words: str) -> str:
    """What `python -m WORDS --help` prints; nothing heavy may be imported for it."""
    # What was imported, not the clock, decides: a busy machine must not fail the test.
    code = (
        "import runpy, sys\n"
        "sys.argv = [*sys.argv[1:], '--help']\n"
        "try:\n"
        "    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
        "except SystemExit as ended:\n"
        "    code = ended.code\n"
        f"loaded = sorted({HEAVY!r} & set(sys.modules))\n"
        "print('LOADED', *loaded)\n"
        "sys.exit(code)\n"
    )
    ended = run("-c", code, *words)
    assert ended.returncode == 0, ended.stderr
    text, _, loaded = ended.stdout.rpartition("LOADED")
    assert loaded.split() == []
    assert "example" in text
    return text


def too_long(text: str) -> list[str]:
    return [line for line in text.splitlines() if len(line) > WIDTH]


def run(*words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"COLUMNS": str(WIDTH)}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False, env=environment)


def test_programs_are_found():
    assert {"mertk.bin.train", "mertk.bin.summarize", "data_prep.iemocap"} <= set(programs())


def test_every_program_of_mertk_is_a_command():
    modules = {module for module in programs() if module.startswith("mertk.bin.")}
    assert modules <= {command.module for command in COMMANDS.values()}


@pytest.mark.parametrize("module", programs())
def test_help_of_a_module_is_quick_and_has_an_example(module):
    text = help_of(module)
    assert text.startswith(f"usage: python -m {module} ")
    typed = [f"mertk {name}" for name, own in TYPED.items() if own in (module, f"mertk.{module}")]
    typed += [f"mertk prepare {name}" for name, one in describe_corpora().items() if one.module == f"mertk.{module}"]
    last = module.rpartition(".")[2]
    shown = text.partition("example")[2]
    assert any(name in shown for name in [*typed, last]), "the example shows another program"
    assert not typed or too_long(text) == []


@pytest.mark.parametrize("typed", [name for name, module in TYPED.items() if exists(module)])
def test_help_of_a_command_is_quick_and_says_its_name(typed):
    text = help_of("mertk", *typed.split())
    assert text.startswith(f"usage: python -m mertk {typed} ")
    assert too_long(text) == []


@pytest.mark.parametrize(
    "words", [*([module] for module in programs()), *(["mertk", name] for name in ("extract", ""))]
)
def test_unknown_option_is_wrong_usage(words):
    ended = run("-m", *filter(None, words), "--no_such_option")
    assert ended.returncode == 2
    assert "usage:" in ended.stderr
    assert "unknown option --no_such_option" in ended.stderr
