"""The command line of every run.sh, and the shell that recipes share. Nothing is trained here."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mertk.config import load_config

ROOT = Path(__file__).resolve().parents[2]
FOAL = ROOT / "recipes/iemocap/foal/run.sh"
SCRIPTS = sorted((ROOT / "recipes").glob("**/run.sh"))


def run(*arguments, script=FOAL, cwd=ROOT, path=None, **environment):
    """Run a script with this interpreter first on PATH."""
    folder = path or Path(sys.executable).parent
    variables = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | environment
    return subprocess.run(
        ["bash", str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=variables,
        timeout=120,
        check=False,
    )


def test_recipes_are_found():
    assert FOAL in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.parent.relative_to(ROOT / "recipes")))
def test_help_has_what_the_script_says_of_itself_and_every_option(script, tmp_path):
    ended = run("--help", script=script, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    head = script.read_text(encoding="utf-8").splitlines()[1:]
    head = [line.removeprefix("#").removeprefix(" ") for line in head[: head.index("set -euo pipefail")]]
    assert [line for line in head if line not in ended.stdout.splitlines()] == []
    known = re.search(r"\(known: (.*)\)", run("--@@@@", script=script, cwd=tmp_path).stderr)[1].split()
    assert len(known) > 20
    assert [name for name in known if not re.search(rf"{name}\b", ended.stdout)] == []
    assert max(map(len, ended.stdout.splitlines())) <= 120


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.parent.relative_to(ROOT / "recipes")))
def test_a_recipe_says_only_what_distinguishes_it(script):
    lines = script.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= 8


def test_lines_of_scripts_fit_a_screen():
    lines = [line for path in (ROOT / "recipes").rglob("*.sh") for line in path.read_text("utf-8").splitlines()]
    assert max(map(len, lines)) <= 132


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.parent.relative_to(ROOT / "recipes")))
def test_script_is_strict_and_evaluates_nothing(script):
    lines = script.read_text(encoding="utf-8").splitlines()
    shared = [line for file in (ROOT / "recipes/common").rglob("*.sh") for line in file.read_text("utf-8").splitlines()]
    assert "set -euo pipefail" in lines
    assert os.access(script, os.X_OK)
    assert [line for line in lines + shared if line.strip().startswith("eval ")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus", "1"], "unknown option --bogus"),
        (["--bogus=1"], "unknown option --bogus"),
        (["--stages", "3"], "unknown option --stages; did you mean --stage?"),
        (["--num-processes=2"], "unknown option --num-processes; did you mean --num_processes?"),
        (["--help=all"], "--help takes no value"),
        (["-x"], "unknown option -x"),
        (["--stage"], "--stage: value missing"),
        (["--corpus", "--stage", "1"], "--corpus: value missing"),
        (["--data", ""], "--data: value missing"),
        (["--exp="], "--exp: value missing"),
        (["--stage", "6"], "--stage '6': expected a whole number from 0 to 5"),
        (["--stage", "one"], "--stage 'one': expected a whole number"),
        (["--stage", "3", "--stop_stage", "2"], "--stop_stage '2': expected a whole number from 3 to 5"),
        (["--protocol", "dirty"], "--protocol dirty: expected one of clean clean-refit published"),
        (["--cv", "gender"], "--cv gender: expected one of session speaker"),
        (["--variant", "mine"], "--variant mine: expected one of paper released interaction small"),
        (["--ablation", "text"], "--ablation text: expected one of"),
        (["--folds", "1 6"], "--folds '6': expected a whole number from 1 to 5"),
        (["--folds", " "], "expected whole numbers from 1"),
        (["--cv", "speaker", "--folds", "11"], "--folds '11': expected a whole number from 1 to 10"),
        (["--seeds", "1 x"], "--seeds 'x': expected a whole number"),
        (["--num_processes", "0"], "--num_processes '0': expected a whole number from 1"),
        (["--num_processes", "1 2"], "expected one number"),
        (["--corpus", "/no/such/corpus"], "--corpus /no/such/corpus: no such directory"),
        (["epochs"], "unexpected argument 'epochs'"),
        (["=3"], "setting '=3': expected key=value"),
        (["--folds", "$(touch evaluated)"], "expected a whole number"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_message(arguments, message, tmp_path):
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "--help" in ended.stderr
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_recipe_is_the_recipe(tmp_path):
    (tmp_path / "mine.sh").symlink_to(FOAL)
    ended = run("--stage", "6", script=tmp_path / "mine.sh", cwd=tmp_path)
    assert ended.stderr.startswith("mine.sh: --stage '6': expected a whole number from 0 to 5")
    assert ended.returncode == 2


def test_unknown_configuration_key_stops_before_stage_0(tmp_path):
    (tmp_path / "corpus").mkdir()
    places = ("--data", tmp_path / "data", "--exp", tmp_path / "exp", "--corpus", tmp_path / "corpus")
    ended = run(*places, "--stop_stage", 0, "training.epoch=3")
    assert ended.returncode == 1
    assert "Did you mean: 'epochs'?" in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus"]


def test_corpus_without_sessions_stops_at_stage_0(tmp_path):
    (tmp_path / "corpus").mkdir()
    ended = run("--data", "data", "--exp", "exp", "--corpus", "corpus", "--stop_stage", 0, cwd=tmp_path)
    assert ended.returncode == 1
    assert " corpus: Session1/dialog/EmoEvaluation and 14 more missing" in ended.stdout
    assert "failed with exit code 1" in ended.stdout


def shell(code, **variables):
    """Run bash code with the recipes' shared functions."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source {ROOT}/recipes/common/init.sh\n{code}"],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_settings_and_values_keep_their_spaces():
    code = "options='data folds'\nparse_options --data '/a b/c' a.b='1 2' --folds='1,2' x=$'y;z'\n"
    code += 'numbers_from folds 1 5\nprintf "<%s>" "$data" "$folds" "${settings[@]}"'
    assert shell(code) == (0, "</a b/c><1 2><a.b=1 2><x=y;z>", "")


@pytest.mark.parametrize("name", ["/models/bert", "/run #2/bert", "2024_05", "a: b", "it's"])
def test_paths_become_settings_as_they_are(name):
    code, quoted, _ = shell(f"yaml_text {shlex.quote(name)}")
    assert code == 0
    assert load_config([], [f"run.output_dir={quoted}"]).run.output_dir == name


def test_slug_is_a_file_name_and_short():
    code, short, _ = shell("slug training.epochs=3 'data.x=[a/b]'")
    assert (code, short) == (0, "training.epochs=3_data.x=_a_b_")
    one, other = (shell(f"slug {'x' * 200} {last}")[1] for last in "ab")
    assert one != other
    assert len(one) < 80


def fake_environment(folder, missing):
    """A bin folder whose python3 lacks the packages `missing`, and can otherwise do nothing."""
    folder.mkdir()
    python = folder / "python3"
    lines = ["#!/bin/sh", 'case "$*" in', "*doctor*)", *(f"echo {name}" for name in missing)]
    python.write_text("\n".join([*lines, f"exit {int(bool(missing))} ;;", "esac", "exit 0"]) + "\n", encoding="utf-8")
    python.chmod(0o755)
    return folder


def test_environment_that_has_everything_is_used(tmp_path):
    folder = fake_environment(tmp_path / "bin", [])
    code = 'make_environment() { echo MADE; }\nuse_environment run\necho "$python"'
    path = f"{folder}:{os.environ['PATH']}"
    assert shell(code, PATH=path, VIRTUAL_ENV=str(tmp_path)) == (0, f"{folder}/python3\n", "")


def test_active_environment_that_lacks_something_is_left_alone_and_told(tmp_path):
    folder = fake_environment(tmp_path / "bin", ["torch", "av"])
    code = 'make_environment() { echo "MADE $1"; }\nuse_environment dev\necho "$python"'
    path = f"{folder}:{os.environ['PATH']}"
    status, told, _ = shell(code, PATH=path, VIRTUAL_ENV=str(tmp_path))
    assert status == 0
    assert f"The active environment {tmp_path} lacks torch, av; it is left as it is." in told
    assert told.endswith(f"MADE dev\n{ROOT}/.venv/bin/python\n")


def test_half_made_environment_is_finished_not_trusted(tmp_path):
    """`make_environment` installs until it succeeded once, and then no more."""
    for name in ("setup.cfg", "constraints.txt"):
        (tmp_path / name).write_text("x\n", encoding="utf-8")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    log = tmp_path / "log"
    python.write_text(f'#!/bin/sh\necho "$*" >>{log}\ncase "$*" in *install*) [ -e {tmp_path}/net ] ;; esac\n', "utf-8")
    python.chmod(0o755)
    make = f"root={tmp_path}\nmake_environment run"
    status, _, told = shell(make)
    assert status == 1
    assert "run this again" in told
    assert not (tmp_path / ".venv/.ready").exists()
    (tmp_path / "net").touch()
    assert shell(make)[0] == 0
    installed = log.read_text(encoding="utf-8").count("install")
    assert installed == 2
    assert shell(make)[0] == 0
    assert log.read_text(encoding="utf-8").count("install") == installed
    (tmp_path / "constraints.txt").write_text("y\n", encoding="utf-8")
    assert shell(make)[0] == 0
    assert log.read_text(encoding="utf-8").count("install") == installed + 1


def test_stages_outside_the_asked_range_do_not_run(tmp_path):
    code = "stage=2 stop_stage=3 python=echo\n"
    code += f"for n in 1 2 3 4; do run_stage $n name {tmp_path}/$n --input x -- module; done"
    status, told, _ = shell(code)
    assert status == 0
    assert [line.split("--name ")[1].split()[0] for line in told.splitlines()] == ["2", "3"]


#: a program that says that it is ready and ends, when it is told to stop, with the code it was given
PROGRAM = """
import signal, sys, time
told = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    if sys.argv[1] != "none":
        signal.signal(number, lambda number, _: told.append(number))  # an exit from here could be interrupted itself
try:
    print("ready", flush=True)
    for _ in range(1500):
        if not told:
            time.sleep(0.02)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
print(signal.Signals(told[0]).name, flush=True)
sys.exit(int(sys.argv[1]))
"""


def stop_while_it_runs(number, ending, tmp_path, to_group=False, times=1):
    """Send a signal to a shell that runs a program; its exit code and what was printed."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = f"run_program {sys.executable} {tmp_path}/program.py {ending}"
    code = f"source {ROOT}/recipes/common/init.sh\n{command}\necho NEXT"
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert shell.stdout.readline() == "ready\n"
    for _ in range(times):
        os.kill(-shell.pid if to_group else shell.pid, number)
    told, _ = shell.communicate(timeout=60)
    return shell.returncode, told


@pytest.mark.parametrize("name", ["TERM", "USR1"])
@pytest.mark.parametrize("ending", [75, 0, "none"])
def test_request_to_stop_reaches_the_program_and_ends_with_75(name, ending, tmp_path):
    told = "" if ending == "none" else f"SIG{name}\n"
    assert stop_while_it_runs(signal.Signals[f"SIG{name}"], ending, tmp_path) == (75, told)


def test_request_to_stop_may_come_twice(tmp_path):
    code, told = stop_while_it_runs(signal.SIGTERM, 75, tmp_path, times=3)
    assert (code, set(told.split())) == (75, {"SIGTERM"})


def test_program_that_fails_at_stopping_has_failed(tmp_path):
    assert stop_while_it_runs(signal.SIGTERM, 1, tmp_path)[0] == 1


def test_interrupt_from_the_terminal_reaches_the_program_and_ends_with_130(tmp_path):
    assert stop_while_it_runs(signal.SIGINT, "none", tmp_path, to_group=True) == (130, "interrupted\n")


@pytest.mark.parametrize(("name", "code"), [("TERM", 75), ("USR1", 75), ("INT", 130)])
def test_request_to_stop_between_programs(name, code):
    assert shell(f"kill -s {name} $$\necho NEXT")[:2] == (code, "")


def test_exit_code_of_a_program_is_that_of_the_shell():
    assert shell("run_program true\nrun_program bash -c 'exit 3'\necho NEXT")[:2] == (3, "")
    assert shell("run_program true\nfalse_name() { run_program false; }\nfalse_name || echo FAILED")[1] == "FAILED\n"
