"""What is not run of the documents is understood: lines are parsed, options and values, calls held against functions.

Lines of mertk are run by `test_document_commands.py`, but for those of its `NOT_RUN`, lines of recipes by
`tests/recipes/test_document_recipes.py`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import re
import shlex

import pytest
import yaml

import mertk
from mertk.command import COMMANDS, find_module
from mertk.config import load_config
from mertk.data_prep.corpora import describe_corpora
from mertk.parser import parser_of
from tests.documents import BLOCKS, DOCUMENTS, PRINTED, ROOT, read_blocks
from tests.unit.test_document_commands import NOT_RUN, without_comment

#: programs of others, whose arguments are not looked at
OTHERS = ("git", "cd", ".", "pre-commit", "accelerate", "tensorboard", "sbatch", "mkdocs", "pytest", "docker", "uv")
STARTERS = ("launch", "submit", "stage")
RECIPE = re.compile(r"(bash (recipes/|my_exp/|\$recipe)|run\.sh( |$))")

LINES = [
    (block, line)
    for blocks in BLOCKS.values()
    for block in blocks
    if block.kind == "commands"
    for line in block.commands()
    if not re.match(PRINTED.get(block.document, "$."), line)
    and (not line.startswith("mertk ") or without_comment(line) in NOT_RUN)
    and not RECIPE.match(line)
]
#: modules of this project that are called with options
PROGRAMS = ("benchmarks.", "tests.reliability.")
#: calls of modules within prose and tables
TOLD = {
    call
    for path in DOCUMENTS
    for call in re.findall(r"`(python -m (?:benchmarks|tests)\.[^`]+)`", path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize(("block", "line"), LINES, ids=[f"{block.place}-{n}" for n, (block, _) in enumerate(LINES)])
def test_a_command_line_is_understood(block, line):
    assert [fault for part in re.split(r"\s+&&\s+", line) for fault in faults_of(part)] == []


@pytest.mark.parametrize("line", sorted(TOLD))
def test_a_module_that_is_told_of_is_understood(line):
    assert faults_of(line) == []


def faults_of(line: str) -> list[str]:
    """What is wrong with a command line, as the program would say it."""
    words = shlex.split(re.sub(r" > \S+$", "", line), comments=True)
    if re.match(r"\w+=\S", words[0]):  # a variable of the shell
        words = words[1:]
        return faults_of(shlex.join(words)) if words else []
    program, rest = words[0], words[1:]
    if program == "mertk":
        return _faults_of_mertk(rest)
    if program == "bash":
        return [] if (ROOT / rest[0]).is_file() else [f"{line}: no script {rest[0]}"]
    if program.startswith("python") and rest[0] == "-m":
        if not (rest[1] == "venv" or (ROOT / (rest[1].replace(".", "/") + ".py")).exists()):
            return [f"{line}: no module {rest[1]}"]
        return (
            _faults_of_arguments(rest[1], rest[2:]) if rest[1].startswith(("benchmarks.", "tests.reliability.")) else []
        )
    if program == "pip":
        extras = set(re.findall(r"\[(\w+)\]", line))
        known = set(re.findall(r"^(\w+) =$", (ROOT / "setup.cfg").read_text(encoding="utf-8"), re.MULTILINE))
        return [f"{line}: no extra {extra}" for extra in extras - known]
    return [] if program in OTHERS else [f"{line}: nobody knows {program}"]


def _faults_of_mertk(words: list[str]) -> list[str]:
    if words[0] in ("help", "NAME", "new"):
        return []
    if words[0] == "prepare":
        listed = describe_corpora()
        if words[1] not in listed:
            return [f"mertk prepare has no {words[1]}"]
        module, rest = listed[words[1]].module, words[2:]
    elif words[0] not in COMMANDS:
        return [f"mertk has no {words[0]}"]
    else:
        module, rest = find_module(words)
    inner: list[str] = []
    if words[0] in STARTERS:
        (start,) = [n for n, word in enumerate(rest) if word in COMMANDS][:1]
        inner = rest[start:]
    if faults := _faults_of_arguments(module, rest):
        return faults
    settings = [word for word in rest if re.match(r"[a-z_]+\.[\w.]+=", word)]
    if settings and not inner and words[0] != "extract":
        load_config([], settings)
    return _faults_of_mertk(inner) if inner else []


def _faults_of_arguments(module: str, words: list[str]) -> list[str]:
    """What the parser of a program says of its words."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        try:
            parser_of(importlib.import_module(module).main).parse_args(words)
        except SystemExit:
            return [told.getvalue()]
    return []


@pytest.mark.parametrize("code", [code for code in NOT_RUN if not code.startswith("mertk ")])
def test_a_call_is_such_as_the_function_takes(code):
    (call,) = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    keywords = {word.arg: None for word in call.keywords}
    inspect.signature(getattr(mertk, call.func.attr)).bind(*(None for _ in call.args), **keywords)


@pytest.mark.parametrize("block", [b for bs in BLOCKS.values() for b in bs if b.kind == "yaml"], ids=lambda b: b.place)
def test_yaml_of_the_documents_is_a_configuration_or_a_space(block, tmp_path):
    held = yaml.safe_load(block.text)
    if not any("." in key for key in held):  # a space has whole keys, optimizer.learning_rate
        (tmp_path / "shown.yaml").write_text(block.text, encoding="utf-8")
        load_config([tmp_path / "shown.yaml"])


def test_kinds_of_blocks_and_faults_are_told(tmp_path):
    text = (
        "A\n\n    mertk train \\\n        --x\n\n```python\nimport a\n```\n\n    a,b\n    1,2\n\n```yaml\na: 1\n```\n"
    )
    (tmp_path / "a.md").write_text(text)
    blocks = read_blocks(tmp_path / "a.md")
    assert [block.kind for block in blocks] == ["commands", "python", "text", "yaml"]
    assert blocks[0].commands() == ["mertk train --x"]
    assert "unknown option --windou" in faults_of("mertk predict --model M --windou 3 a.wav")[0]
    assert faults_of("mertk predict --model M --window three a.wav") and faults_of("mertk scor exp")
    assert faults_of("mertk prepare csvv a") and faults_of("frobnicate now") and faults_of("python -m mertk.bin.none")
    assert "unknown option --rowz" in faults_of("python -m benchmarks.manifest --rowz 3")[0]
    assert faults_of("bash tests/none.sh")
    assert faults_of("pip install -e '.[none]'") and faults_of("mertk launch --num_processes 2 evaluate exp --prt")
    assert faults_of("mertk launch --num_processes 2 evaluate exp") == []
