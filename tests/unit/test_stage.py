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
