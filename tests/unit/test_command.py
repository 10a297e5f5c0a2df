"""`mertk NAME`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import mertk
from mertk.command import COMMANDS, EXTRACTIONS, find_corpora, find_module, main
from mertk.data_prep import corpora
from mertk.errors import MertkError

ROOT = Path(__file__).resolve().parents[2]


def refuse(capsys, *words):
    """What is said of wrong usage."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_help_shows_every_command_with_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert told.startswith("usage: mertk [-h] [--version] NAME ...\n")
    shown = {line.split()[0]: line for line in told.splitlines() if line.startswith("  ") and line.split()}
    for name, one in COMMANDS.items():
        assert (name in shown) is not one.is_hidden
        assert one.is_hidden or (one.line in shown[name] and len(shown[name]) < 100)


@pytest.mark.parametrize("name", [name for name, one in {**COMMANDS, **EXTRACTIONS}.items() if one.module])
def test_programs_of_commands_exist(name):
    module = {**COMMANDS, **EXTRACTIONS}[name].module
    assert find_spec(module)


def test_help_takes_little_time():
    """Processor time, since the machine may be busy; the interpreter has its part in it."""
    seconds = []
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-m", "mertk", "--help"], stdout=subprocess.DEVNULL, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(used.ru_utime + used.ru_stime)
    assert min(seconds) < 0.3


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"mertk {mertk.__version__}\n")


@pytest.mark.parametrize("words", [[], ["prepare"], ["extract"]])
def test_without_a_name_those_there_are_are_listed(capsys, words):
    assert main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"usage: {' '.join(['mertk', *words])} [-h]")
    if words == ["extract"]:
        assert all(f"  {name}" in told and one.line in told for name, one in EXTRACTIONS.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "mertk: error: no command 'trian'; did you mean train?"),
        (["crossvalidate"], "did you mean cross-validate?"),
        (["nothing-like-it"], "no command 'nothing-like-it'; mertk --help lists those there are"),
        (["--versoin"], "unknown option --versoin; did you mean --version?"),
        (["extract", "vido"], "mertk extract: error: got 'vido', expected audio, video or text; did you mean video?"),
        (["extract", "video", "--rate_hertz", "5"], "mertk extract video: error: unknown option --rate_hertz; did you"),
        (["train", "--confg", "a.yaml"], "mertk train: error: unknown option --confg; did you mean --config?"),
        (["evaluate", "exp", "--part", "tset"], "--part: got 'tset', expected train, validation or test; did you mean"),
        (["launch", "--num_proceses", "2", "train"], "unknown option --num_proceses; did you mean --num_processes?"),
    ],
)
def test_what_is_mistyped_names_the_nearest(capsys, words, message):
    assert message in refuse(capsys, *words)


@pytest.mark.parametrize("words", [["help", "evaluate"], ["evaluate", "-h"], ["help", "extract", "text"], ["help"]])
def test_help_of_a_name(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    name = " ".join(word for word in words if word not in ("help", "-h"))
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {f'mertk {name}'.strip()} [-h]")


def test_what_recipes_call_runs_and_does_not_show(capsys, tmp_path):
    assert main(["recipe-facts", "--data", str(tmp_path)]) == 0
    assert main(["stage", "--name", "1", "--mark", str(tmp_path / "1"), "--", sys.executable, "-c", ""]) == 0
    assert (tmp_path / "1").exists()
    assert "recipe-facts" not in refuse(capsys, "recipe_fact")


def test_errors_and_exit_codes_are_those_of_the_program(capsys, tmp_path):
    assert main(["validate", str(tmp_path / "none")]) == 1
    assert f"error: {tmp_path}/none is not a directory" in capsys.readouterr().err


def test_a_corpus_is_a_module_that_prepares_and_can_be_called(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "data_prep"
    folder.mkdir()
    (folder / "mine.py").write_text(
        '"""My corpus.\n\nMore."""\n\ndef prepare(corpus, out): ...\n\ndef main(argv): ...\n'
    )
    (folder / "mine_directory.py").write_text("def prepare(corpus, out): ...\n")
    (folder / "table.py").write_text(
        '"""A table."""\n\nCOMMAND = "csv"\n\ndef prepare(corpus, out): ...\n\ndef main(argv): ...\n'
    )
    (folder / "imported.py").write_text("def main(argv):\n    from mine_directory import prepare\n")
    told = corpora.describe_corpora(folder)
    monkeypatch.setattr(corpora, "describe_corpora", lambda: told)
    found = find_corpora()
    assert {name: (one.module, one.line) for name, one in found.items()} == {
        "csv": ("mertk.data_prep.table", "A table"),
        "mine": ("mertk.data_prep.mine", "My corpus"),
    }
    assert "  mine  My corpus\n" in (main(["prepare"]), capsys.readouterr().err)[1]
    assert "got 'min', expected csv or mine; did you mean mine?" in refuse(capsys, "prepare", "min")


def test_modules_of_launched_programs():
    assert find_module(["train", "--config", "a"]) == ("mertk.bin.train", ["--config", "a"])
    assert find_module(["extract", "video", "--side", "8"]) == ("mertk.data_prep.extract_video", ["--side", "8"])
    assert find_module(["mertk.bin.evaluate", "exp"]) == ("mertk.bin.evaluate", ["exp"])
    for words, message in [
        (["trian"], "trian: no program, .* did you mean train?"),
        (["extract"], "extract: expected one of audio, video, text behind it"),
        (["extract", "vidio"], "extract: got 'vidio', .* did you mean video?"),
        (["mertk.bin.trian"], "mertk.bin.trian: no program"),
        (["no.such.module"], "no.such.module: no program"),
    ]:
        with pytest.raises(MertkError, match=message.replace("?", r"\?")):
            find_module(words)


def test_no_program_to_launch_is_wrong_usage(capsys):
    assert main(["launch", "trian"]) == 2
    assert "error: trian: no program, expected a command of mertk or a module; did you mean train?" in (
        capsys.readouterr().err
    )
