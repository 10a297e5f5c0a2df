"""Command lines that documents and helps show: programs that there are, with options that they have."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from mertk.command import COMMANDS, EXTRACTIONS, find_module
from mertk.data_prep.corpora import describe_corpora
from mertk.parser import parser_of

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = [*sorted((ROOT / "mertk/bin").glob("[a-z]*.py")), *sorted((ROOT / "data_prep").glob("[a-z]*.py"))]
#: programs whose arguments are another program's command line
STARTERS = ("launch", "submit", "stage")


def lines_of_code(path: Path) -> list[str]:
    """Command lines of mertk in a document's code, or in a program's EXAMPLE; those that are continued as one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        assigned = (node for node in ast.parse(text).body if isinstance(node, ast.Assign))
        named = [node.value for node in assigned if getattr(node.targets[0], "id", "") == "EXAMPLE"]
        text = "\n".join(ast.literal_eval(value) for value in named)
    else:
        code = re.findall(r"^(?:    .*\n)+", text, re.MULTILINE)
        text = "\n".join([*code, *re.findall(r"`(mertk [a-z-]+ [^`]*)`", text)])
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if re.match(r"\s*mertk [a-z]", line)]


def faults_of(line: str) -> list[str]:
    """Programs and options in a command line that there are not."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] in ("help", "NAME") or words == ["prepare"] or words[0] == "new":
        return []
    if words[0] not in COMMANDS:
        return [f"{line}: no command {words[0]}"]
    found = []
    while words:
        if words[0] == "prepare":  # which need not be listed yet
            listed = describe_corpora()
            module = listed[words[1]].module if words[1] in listed else f"mertk.data_prep.{words[1]}"
            words = [module, *words[2:]]
        starter, (module, rest) = words[0], find_module(words)
        known, words = set(parser_of(importlib.import_module(module).main).options()), []
        for number, word in enumerate(rest):
            if starter in STARTERS and (word in COMMANDS or word.startswith(("mertk.", "data_prep."))):
                rest, words = rest[:number], rest[number:]
                break
        given = {word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"}
        found += [f"{line}: {module} has no {option}" for option in sorted(given - known)]
    return found


@pytest.mark.parametrize("path", [*DOCUMENTS, *PROGRAMS], ids=lambda path: path.name)
def test_commands_that_are_shown_exist(path):
    assert [fault for line in lines_of_code(path) for fault in faults_of(line)] == []


def test_commands_are_found_and_faults_seen(tmp_path):
    assert sum(len(lines_of_code(path)) for path in DOCUMENTS) > 10
    assert sum(len(lines_of_code(path)) for path in PROGRAMS) > 10
    (tmp_path / "a.md").write_text(
        "See `mertk evaluate --x`:\n\n    mertk launch --engine ddp \\\n        evaluate exp --part\n"
    )
    assert lines_of_code(tmp_path / "a.md") == ["mertk launch --engine ddp evaluate exp --part", "mertk evaluate --x"]
    assert faults_of("mertk launch --engine ddp evaluate exp --part") == []
    assert faults_of("mertk launch --engin ddp evaluate exp --prt")[0].endswith("mertk.bin.launch has no --engin")
    assert faults_of("mertk launch --engine ddp evaluate exp --prt")[0].endswith("mertk.bin.evaluate has no --prt")
    assert faults_of("mertk score exp")[0].endswith("no command score")
    assert all(faults_of(f"mertk extract {name} --data d --out o") == [] for name in EXTRACTIONS)
