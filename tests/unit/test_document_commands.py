"""Every command line of mertk and every block of Python in the documents is run, as it stands there.

A page is gone through from its first line to its last in a world of its own (`tests/document_world.py`), which has what
the documents name: data, encoders, models, all of them tiny. Lines that would train for long are given an end
(`SHORTER`); a line that stands on several pages is run on the first. What is not run stands in `NOT_RUN`, with what
runs the like. Recipes, which the worlds have finished already, are run by tests of their own.
"""

from __future__ import annotations

import ast
import gc
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import mertk
from mertk.command import main
from tests import document_world
from tests.documents import BLOCKS, ELSEWHERE, ROOT, Block
from tests.hub_stand_in import StandIn

TWO_MACHINES = (
    "mertk launch --engine ddp --num_machines 2 --machine_rank {} --main_process_ip 10.0.0.1 --num_processes 16"
)
#: command lines and statements that are not run, and why
NOT_RUN = {
    "mertk demo --model MODEL": "serves until it is stopped: tests/unit/test_demo_page.py starts and stops it",
    "mertk launch --engine deepspeed_zero3 --num_processes 8 train --config ...": (
        "`...` is for the reader: tests/distributed/test_engines.py"
    ),
    f"{TWO_MACHINES.format(0)} train --config ...": "takes two machines: tests/distributed/test_two_machines.py",
    f"{TWO_MACHINES.format(1)} train --config ...": "takes two machines: tests/distributed/test_two_machines.py",
    'mertk.cross_validate("recipes/common/conf/foal.yaml", "data/iemocap", "exp/mine", ["training.epochs=20"])': (
        "trains for long, as the line of README.md would: tests/unit/test_results_table.py, on toy data"
    ),
    'table = mertk.evaluate(paper, drop="video", missing={"audio": "0:1:0.1"}, noise_snr=(20, 10, 0), seeds=5)': (
        "scores 70 conditions of each run: tests/unit/test_robustness.py, fewer"
    ),
}
#: options behind which stands what a line makes
PLACES = ("--out", "--out_dir", "--to", "--exp")
#: what is added to lines that train or score for long, by a part of them
SHORTER = {
    "--seeds 5": ("--seeds", "1"),
    "mertk cross-validate": ("training.epochs=1", "data.num_workers=0"),
    "mertk launch train": ("training.epochs=1", "data.num_workers=0"),
    "mertk tune --config": ("--trials", "1", "training.epochs=1", "data.num_workers=0"),
}
#: parts of lines, and what stands in their place: processes that each take seconds to start
FEWER = {"--num_processes 4": "--num_processes 2"}
#: packages of extras, without which lines are left out, by a part of them
NEEDED = {
    "mertk tune": "optuna",
    "--crop face": "mtcnn",
    "--format onnx": "onnxscript",
    "--segments vad": "silero_vad",
}
#: what a reader has done before a line, by a part of it
BEFORE = {
    "mertk prepare iemocap": document_world.forget_iemocap,
    "--extractor my_voice.Loudness": document_world.write_my_voice,
    "--trust my_voice": document_world.train_on_loudness,
    "--format onnx": document_world.take_a_plain_network,
}


def without_comment(line: str) -> str:
    return re.sub(r"\s+# .*$", "", line)


def lines_of(block: Block) -> list[str]:
    """Command lines of mertk in a block, without comments."""
    if block.kind != "commands":
        return []
    parts = [part for line in block.commands() for part in re.split(r"\s+&&\s+", without_comment(line))]
    return [part for part in parts if part.startswith("mertk ")]


def statements_of(block: Block) -> list[tuple[ast.stmt, str]]:
    """Statements of a block of Python, and how each stands there."""
    return [(node, ast.get_source_segment(block.text, node)) for node in ast.parse(block.text).body]


def only_calls(block: Block) -> bool:
    """Whether a block of Python is run here, not by the test in ELSEWHERE: it defines nothing, and is no program."""
    return block.document != "onnx.md" and not re.search(r"^(class|def) ", block.text, re.MULTILINE)


LINES = [(name, line) for name, blocks in BLOCKS.items() for block in blocks for line in lines_of(block)]
PAGE_OF = dict(reversed([(line, name) for name, line in LINES]))
PYTHON = [block for blocks in BLOCKS.values() for block in blocks if block.kind == "python"]
RUN_HERE = {page for line, page in PAGE_OF.items() if line not in NOT_RUN}
RUN_HERE |= {block.document for block in PYTHON if only_calls(block)}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        gc.freeze()  # garbage is collected behind each training, which takes longer the more there is
        document_world.write_world(patch)
    yield folder
    gc.unfreeze()


@pytest.fixture
def hub(world, tmp_path, monkeypatch, warm_folder):
    """The working directory of a reader, with the world in it, and the stand-in of a hub."""
    document_world.copy_world(world, tmp_path)
    monkeypatch.chdir(tmp_path)
    document_world.use_hub(monkeypatch, tmp_path / "hub")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.executable", str(warm_folder / "python3"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # lines ask for more processes than there may be GPUs
    with StandIn() as server:
        yield server
    sys.modules.pop("my_voice", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BLOCKS if name in RUN_HERE])
def test_a_page_runs_from_its_first_block_to_its_last(name, hub, monkeypatch):
    names, lacking = {"mertk": mertk} | document_world.given_names(name), set()
    for block in BLOCKS[name]:
        if "hub:" in block.text:
            hub.serve_this_process(monkeypatch)
        if block.kind == "python" and only_calls(block):
            run_python(block, names)
        for line in lines_of(block):
            if PAGE_OF[line] == name and line not in NOT_RUN:
                lacking |= (lacks := packages_lacking(line))
                if not lacks:
                    run_line(line)
    if lacking:
        pytest.skip(f"{', '.join(sorted(lacking))} not installed; the other lines of {name} were run")


def packages_lacking(line: str) -> set[str]:
    return {package for part, package in NEEDED.items() if part in line and find_spec(package) is None}


def run_line(line: str) -> None:
    """Run a command line as a shell would; a line that starts processes is a process, too."""
    for part, prepare in BEFORE.items():
        if part in line:
            prepare()
    for before, after in {"/corpora/": "corpora/", **FEWER}.items():
        line = line.replace(before, after)
    words = shlex.split(line)[1:]
    words = [one for word in words for one in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    words += [word for part, more in SHORTER.items() if part in line for word in more]
    if words[0] == "launch":
        done = subprocess.run([sys.executable, "-m", "mertk", *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    else:
        assert main(words) == 0, line
    for option, value in zip(words, words[1:], strict=False):
        assert option not in PLACES or value.startswith("hub:") or Path(value).exists(), (line, value)


def run_python(block: Block, names: dict) -> None:
    """Run a block statement by statement."""
    for node, code in statements_of(block):
        if code not in NOT_RUN:
            exec(compile(ast.Module([node], []), block.place, "exec"), names)


def test_what_is_not_run_stands_in_a_document():
    statements = {code for block in PYTHON for _, code in statements_of(block)}
    assert NOT_RUN.keys() - PAGE_OF.keys() - statements == set()


@pytest.mark.parametrize("part", [*SHORTER, *FEWER, *NEEDED, *BEFORE])
def test_what_is_said_of_lines_is_said_of_one_that_there_is(part):
    assert any(part in line for line in PAGE_OF)


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
        and not any(seen.startswith(without_comment(line).strip(" \\")) for seen in lines_of(block))
    ]
    assert unseen == []


def test_python_that_defines_something_is_run_by_a_test():
    assert {block.document for block in PYTHON if not only_calls(block)} == ELSEWHERE.keys()
    for name, test in ELSEWHERE.items():
        assert name in (ROOT / "tests/unit" / test).read_text(encoding="utf-8"), name
