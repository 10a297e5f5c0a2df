"""Every command line and block of Python in the documents: run where a tiny model suffices, else parsed in full.

Which it is stands here: pages of `RUN` are called in order, line by line, in a folder that has what they name; Python
that defines something is run by the tests in `ELSEWHERE`. Of what is left, command lines are parsed, options and
values, and arguments of calls are held against what the functions take.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import re
import shlex
import subprocess
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile
import yaml

import mertk
from mertk.command import COMMANDS, find_module, main
from mertk.config import load_config
from mertk.data_prep.corpora import describe_corpora
from mertk.parser import parser_of
from tests.documents import DOCUMENTS, ROOT, Block, read_blocks
from tests.listening_model import save_listener
from tests.scored_runs import write_run
from tests.small_run import write_data

#: pages whose commands and Python are run here, each in a folder of its own
RUN = ("predict.md", "python.md", "report.md", "settings.md", "splits.md", "statistics.md")
#: command lines and calls of these pages that are held against parsers and signatures alone, by a part of them, and why
NOT_RUN = {
    "--segments vad": "tests/unit/test_timeline.py runs it, with a stand-in for the package",
    "--metrics mae": "tests/unit/test_compare.py runs it, on intensities",
    "mertk.train(": "tests/unit/test_robustness.py calls it so; what these files name takes encoders and a corpus",
    "mertk.cross_validate(": "tests/unit/test_results_table.py calls it so, on toy data",
    "--train train.jsonl": "tests/unit/test_audit.py runs it, on lists of its own",
}
#: pages with classes and functions of one's own, and the tests that run these
ELSEWHERE = {
    "adding.md": "test_architecture_document.py",
    "components.md": "test_components_document.py",
    "data.md": "test_data_directory.py",
    "features.md": "test_own_extractors.py",
    "onnx.md": "test_onnx.py",
    "python.md": "test_api.py",
    "tasks.md": "test_tasks.py",
}
#: what stands in blocks of commands and is none: what they print
PRINTED = {"predict.md": r"file  |lecture\.wav  ", "export.md": r"import mertk|mertk\.\w+\("}
#: programs of others, whose arguments are not looked at
OTHERS = ("git", "cd", ".", "pre-commit", "accelerate", "tensorboard", "sbatch", "mkdocs", "pytest", "docker", "uv")
STARTERS = ("launch", "submit", "stage")

BLOCKS = {path.name: read_blocks(path) for path in DOCUMENTS}
LINES = [
    (block, line)
    for blocks in BLOCKS.values()
    for block in blocks
    if block.kind == "commands"
    for line in block.commands()
    if not re.match(PRINTED.get(block.document, "$."), line)
]
PYTHON = [block for blocks in BLOCKS.values() for block in blocks if block.kind == "python"]


def defines(block: Block) -> bool:
    """Whether a block of Python has a class or a function, or is a program, not calls alone."""
    return block.document == "onnx.md" or bool(re.search(r"^(class|def) ", block.text, re.MULTILINE))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the pages of RUN name: recordings, a model, the recipes."""
    folder = tmp_path_factory.mktemp("documents")
    for place in ("MODEL", "exp/first/session-clean/fold_1/seed_1234/best"):
        save_listener(folder / place)
    for name in ("interview.mp4", "greeting.wav", "lecture.wav"):  # a file is what it holds, not what it is called
        sound = np.random.default_rng(len(name)).normal(0, 0.1, 5 * 16000)
        soundfile.write(folder / name, sound, 16000, format="WAV")
    for name, right in (("paper", 0.7), ("paper_baseline", 0.5)):
        for fold in (1, 2):
            write_run(folder / "exp/iemocap/foal" / name, fold, right=right)
    write_data(folder / "data/iemocap")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    (folder / "mine.yaml").write_text("model: {component: mertk.models.foal.FoalNet}\nloss_weights: {ce: 1.0}\n")
    return folder


@pytest.mark.parametrize("name", RUN)
def test_a_page_runs_from_its_first_block_to_its_last(name, world, monkeypatch, capsys):
    monkeypatch.chdir(world)
    names: dict = {}
    done = 0
    for block in BLOCKS[name]:
        if block.kind == "python" and not (name in ELSEWHERE and defines(block)):
            done += _run_python(block, names)
        for line in block.commands() if block.kind == "commands" else ():
            if not re.match(PRINTED.get(name, "$."), line) and not any(part in line for part in NOT_RUN):
                words = shlex.split(line, comments=True)[1:]
                assert main(words) == 0, (block.place, line, capsys.readouterr().err)
                done += 1
    assert done and (name == "python.md" or capsys.readouterr().out)


def _run_python(block: Block, names: dict) -> int:
    """Run a block statement by statement, but for those of NOT_RUN; returns how many were."""
    nodes = ast.parse(block.text).body
    nodes = [node for node in nodes if not any(part in ast.unparse(node) for part in NOT_RUN)]
    for node in nodes:
        exec(compile(ast.Module([node], []), block.place, "exec"), names)
    return len(nodes)


@pytest.mark.parametrize(("block", "line"), LINES, ids=[f"{block.place}-{n}" for n, (block, _) in enumerate(LINES)])
def test_a_command_line_is_understood(block, line):
    assert [fault for part in re.split(r"\s+&&\s+", line) for fault in faults_of(part)] == []


def faults_of(line: str) -> list[str]:
    """What is wrong with a command line, as the program would say it."""
    words = shlex.split(re.sub(r" > \S+$", "", line), comments=True)
    if re.match(r"\w+=\S", words[0]):  # a variable of the shell
        words = words[1:]
        return faults_of(shlex.join(words)) if words else []
    program, rest = words[0], words[1:]
    if program == "mertk":
        return _faults_of_mertk(rest)
    if program in ("bash", "run.sh"):
        script = "recipes/iemocap/foal/run.sh" if program == "run.sh" or rest[0].startswith("$") else rest[0]
        return _faults_of_script(script, rest if program == "run.sh" else rest[1:])
    if program.startswith("python") and rest[0] == "-m":
        known = rest[1] == "venv" or (ROOT / (rest[1].replace(".", "/") + ".py")).exists()
        return [] if known else [f"{line}: no module {rest[1]}"]
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
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        try:
            parser_of(importlib.import_module(module).main).parse_args(rest)
        except SystemExit:
            return [told.getvalue()]
    settings = [word for word in rest if re.match(r"[a-z_]+\.[\w.]+=", word)]
    if settings and not inner and words[0] != "extract":
        load_config([], settings)
    return _faults_of_mertk(inner) if inner else []


def _faults_of_script(script: str, words: list[str]) -> list[str]:
    if script.startswith("my_exp/"):  # a copy that `mertk new` made
        script = "recipes/own/run.sh"
    if not (ROOT / script).exists():
        return [f"no script {script}"]
    told = _help_of(script)
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    load_config([], [word for word in words if re.match(r"[a-z_]+\.[\w.]+=", word)])
    return [f"{script} has no {option}" for option in options if not re.search(rf"{option}\b", told)]


@cache
def _help_of(script: str) -> str:
    return subprocess.run(["bash", str(ROOT / script), "--help"], capture_output=True, text=True, check=True).stdout


def test_python_that_defines_something_is_run_by_a_test():
    assert {block.document for block in PYTHON if defines(block)} == ELSEWHERE.keys()
    for name, test in ELSEWHERE.items():
        assert name in (ROOT / "tests/unit" / test).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("block", [block for block in PYTHON if not defines(block)], ids=lambda block: block.place)
def test_calls_are_such_as_the_functions_take(block):
    names = {"mertk": mertk}
    calls = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call)]
    for node in ast.parse(block.text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(compile(ast.Module([node], []), block.place, "exec"), names)
    held = 0
    for call in calls:
        function = _named(call.func, names)
        if function is not None:
            keywords = {word.arg: None for word in call.keywords}
            inspect.signature(function).bind(*(None for _ in call.args), **keywords)
            held += 1
    assert held


def _named(node: ast.expr, names: dict) -> Callable | None:
    """What a name, or an attribute of mertk, is; None for whatever only a run knows."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mertk":
        return getattr(mertk, node.attr)
    return None


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
    assert faults_of("bash recipes/own/run.sh --csvv a") and faults_of("bash recipes/none/run.sh")
    assert faults_of("pip install -e '.[none]'") and faults_of("mertk launch --num_processes 2 evaluate exp --prt")
    assert faults_of("mertk launch --num_processes 2 evaluate exp") == []
