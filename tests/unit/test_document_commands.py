"""Every command line of mertk and every block of Python in the documents is run, as it stands there.

A page is gone through from its first line to its last in a world of its own (`tests/document_world.py`), which has what
the documents name: data, encoders, models, all of them tiny. Lines that would train for long are given an end
(`SHORTER`); a line that stands on several pages is run on the first. What is not run stands in `NOT_RUN`, with what
runs the like. Recipes, which the worlds have finished already, are run by tests of their own.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import mertk
from mertk.command import main
from tests import document_world as world_of
from tests.documents import BLOCKS, ELSEWHERE, ROOT, Block
from tests.hub_stand_in import StandIn

#: command lines and calls by a part of them, and why they are not run
NOT_RUN = {
    "mertk demo --model": "serves until it is stopped: tests/unit/test_demo_page.py starts and stops it",
    "--engine deepspeed_zero3 --num_processes 8": "`...` is for the reader: tests/distributed/test_engines.py",
    "--num_machines 2 --machine_rank": "takes two machines: tests/distributed/test_two_machines.py",
    "mertk.cross_validate(": "trains as long as the line of README.md: tests/unit/test_results_table.py, on toy data",
    "mertk.evaluate(paper": "scores 70 conditions: tests/unit/test_robustness.py, fewer",
}
#: what is added to lines that train, by a part of them
SHORTER = {
    "mertk cross-validate": ("training.epochs=1", "data.num_workers=0"),
    "mertk tune --config": ("--trials", "1", "training.epochs=1", "data.num_workers=0"),
}
#: what a reader has done before a line, by a part of it
BEFORE = {
    "mertk prepare iemocap": world_of.forget_iemocap,
    "--extractor my_voice.Loudness": world_of.write_my_voice,
    "--trust my_voice": world_of.train_on_loudness,
    "--format onnx": world_of.take_a_voice_alone,
}


def lines_of(block: Block) -> list[str]:
    """Command lines of mertk in a block."""
    if block.kind != "commands":
        return []
    return [part for line in block.commands() for part in re.split(r"\s+&&\s+", line) if part.startswith("mertk ")]


def only_calls(block: Block) -> bool:
    """Whether a block of Python is run here, not by the test in ELSEWHERE: it defines nothing, and is no program."""
    return block.document != "onnx.md" and not re.search(r"^(class|def) ", block.text, re.MULTILINE)


LINES = [(name, line) for name, blocks in BLOCKS.items() for block in blocks for line in lines_of(block)]
PAGE_OF = dict(reversed([(line, name) for name, line in LINES]))
PYTHON = [block for blocks in BLOCKS.values() for block in blocks if block.kind == "python"]
PAGES = [
    name for name in BLOCKS if name in PAGE_OF.values() or name in {one.document for one in PYTHON if only_calls(one)}
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world_of.write_world(patch)
    return folder


@pytest.fixture
def hub(world, tmp_path, monkeypatch, warm_folder):
    """The working directory of a reader, with the world in it, and the stand-in of a hub."""
    world_of.copy_world(world, tmp_path)
    monkeypatch.chdir(tmp_path)
    world_of.use_hub(monkeypatch, tmp_path / "hub")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.executable", str(warm_folder / "python3"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with StandIn() as server:
        yield server
    sys.modules.pop("my_voice", None)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_from_its_first_block_to_its_last(name, hub, monkeypatch):
    names = {"mertk": mertk} | world_of.given_names(name)
    for block in BLOCKS[name]:
        if "hub:" in block.text:
            hub.serve_this_process(monkeypatch)
        if block.kind == "python" and only_calls(block):
            run_python(block, names)
        for line in lines_of(block):
            if PAGE_OF[line] == name and is_run(line):
                run_line(line)


def is_run(code: str) -> bool:
    return not any(part in code for part in NOT_RUN)


def run_line(line: str) -> None:
    """Run a command line as a shell would; a line that starts processes is a process, too."""
    for part, prepare in BEFORE.items():
        if part in line:
            prepare()
    words = shlex.split(line.replace("/corpora/", "corpora/"), comments=True)[1:]
    words = [one for word in words for one in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    words += [word for part, more in SHORTER.items() if part in line for word in more]
    if words[0] == "launch":
        done = subprocess.run([sys.executable, "-m", "mertk", *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    else:
        assert main(words) == 0, line


def run_python(block: Block, names: dict) -> None:
    """Run a block statement by statement."""
    for node in ast.parse(block.text).body:
        if is_run(ast.unparse(node)):
            exec(compile(ast.Module([node], []), block.place, "exec"), names)


@pytest.mark.parametrize("part", [*NOT_RUN, *SHORTER, *BEFORE])
def test_what_is_said_of_lines_is_said_of_one_that_there_is(part):
    assert any(part in code for code in (*PAGE_OF, *(ast.unparse(ast.parse(block.text)) for block in PYTHON)))


def test_reasons_name_tests_that_there_are():
    for reason in NOT_RUN.values():
        for file in re.findall(r"tests/[\w/]+\.py", reason):
            assert (ROOT / file).exists(), file


def test_no_line_of_mertk_stands_where_it_is_not_seen():
    """In a block that is taken for something else, say."""
    unseen = [
        (block.place, line)
        for blocks in BLOCKS.values()
        for block in blocks
        for line in block.text.splitlines()
        if re.match(r"\s*mertk [a-z-]+", line)
        and not any(seen.startswith(line.strip(" \\")) for seen in lines_of(block))
    ]
    assert unseen == []


def test_python_that_defines_something_is_run_by_a_test():
    assert {block.document for block in PYTHON if not only_calls(block)} == ELSEWHERE.keys()
    for name, test in ELSEWHERE.items():
        assert name in (ROOT / "tests/unit" / test).read_text(encoding="utf-8"), name
