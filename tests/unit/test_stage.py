import os
import shlex
import signal
import subprocess
import sys

import pytest

from mertk.bin.stage import main


@pytest.fixture
def stage(tmp_path, capsys):
    """Run a stage that counts its runs in a file; gives (exit code, times run so far, what was said)."""
    (tmp_path / "input").write_text("a", encoding="utf-8")
    code = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(int(sys.argv[2]))"

    def run(*words, exit_code=0, options=()):
        command = [sys.executable, "-c", code, str(tmp_path / "count"), str(exit_code), *words]
        inputs = ["--input", str(tmp_path / "input"), *options]
        given = ["--name", "1 count", "--mark", str(tmp_path / ".done" / "1"), *inputs, "--", *command]
        ended = main(given)
        count = tmp_path / "count"
        return ended, len(count.read_text(encoding="utf-8")) if count.exists() else 0, capsys.readouterr().out

    return run


def test_finished_stage_is_skipped_and_says_so(stage):
    assert stage()[:2] == (0, 1)
    code, count, told = stage()
    assert (code, count) == (0, 1)
    assert "stage 1 count: done before with the same command and inputs, skipped" in told


def test_changed_option_runs_it_again(stage):
    stage("--protocol", "clean")
    code, count, told = stage("--protocol", "published")
    assert (code, count) == (0, 2)
    assert "run again, the command changed (now published instead of clean)" in told


def test_changed_input_runs_it_again(stage, tmp_path):
    stage()
    (tmp_path / "input").write_text("b", encoding="utf-8")
    code, count, told = stage()
    assert (code, count) == (0, 2)
    assert f"changed input {tmp_path / 'input'}" in told


def test_missing_output_runs_it_again(stage, tmp_path):
    options = ("--output", str(tmp_path / "count"))
    stage(options=options)
    (tmp_path / "count").unlink()
    code, count, told = stage(options=options)
    assert (code, count) == (0, 1)
    assert f"missing output {tmp_path / 'count'}" in told


def test_failure_passes_its_exit_code_and_leaves_no_mark(stage, tmp_path):
    stage()
    (tmp_path / "input").write_text("b", encoding="utf-8")
    code, _, told = stage(exit_code=5)
    assert code == 5
    assert "failed with exit code 5" in told
    assert not (tmp_path / ".done" / "1").exists()


def test_command_that_cannot_start_is_an_error(tmp_path, capsys):
    code = main(["--name", "1", "--mark", str(tmp_path / "mark"), "--", "no-such-program"])
    assert code == 1
    assert "error: no-such-program: cannot be started" in capsys.readouterr().err
    assert not (tmp_path / "mark").exists()


def test_a_second_recipe_waits_and_finds_the_work_done(tmp_path):
    mark, count = tmp_path / ".done" / "1", tmp_path / "count"
    code = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(1)"
    words = ("--name", "1 count", "--mark", mark, "--", sys.executable, "-c", code, count)
    command = [sys.executable, "-m", "mertk.bin.stage", *map(str, words)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = "".join(process.communicate(timeout=60)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert count.read_text() == "x"
    assert "another run is at it, waiting" in told and "skipped" in told


def test_a_stage_that_is_done_needs_no_writable_folder(stage, tmp_path, monkeypatch):
    stage()
    monkeypatch.setattr("mertk.bin.stage.locked", None)
    assert stage()[:2] == (0, 1)


def test_a_killed_recipe_takes_its_stage_along(tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    words = (sys.executable, "-m", "mertk.bin.stage", "--name", "1", "--mark", tmp_path / "1", "--")
    script = f"{shlex.join(map(str, words))} {shlex.join([sys.executable, '-c', code])}; true"
    shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
    child = next(int(line) for line in shell.stdout if line.strip().isdigit())
    shell.terminate()
    assert shell.wait(timeout=20) == -signal.SIGTERM
    assert shell.stdout.read().strip().startswith("stage 1: stopped on request")  # closed: nothing is left
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
