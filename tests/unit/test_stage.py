import os
import shlex
import signal
import subprocess
import sys

import pytest

from mertk.bin.stage import main
from mertk.run.earlier_commands import as_spelt_now


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
    assert "stage 1 count: done before, skipped" in told


def test_changed_option_runs_it_again(stage):
    stage("--protocol", "clean")
    code, count, told = stage("--protocol", "published")
    assert (code, count) == (0, 2)
    assert "run again, the command changed (now published instead of clean)" in told


def test_a_log_that_could_not_be_written_is_not_told(tmp_path, capfd):
    (tmp_path / "done/2.log").mkdir(parents=True)
    words = [sys.executable, "-c", "raise SystemExit(3)"]
    assert main(["--name", "2 features", "--mark", str(tmp_path / "done/2"), "--", *words]) == 3
    assert capfd.readouterr().out.endswith("failed with exit code 3\n")


def test_changed_input_runs_it_again(stage, tmp_path):
    stage()
    (tmp_path / "input").write_text("b", encoding="utf-8")
    code, count, told = stage()
    assert (code, count) == (0, 2)
    assert f"changed input {tmp_path / 'input'}" in told


def test_the_screen_has_the_place_and_the_log_the_command(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    code = "from mertk.cli import program\nraise SystemExit(program(lambda argv: 1 / 0)())"
    words = [sys.executable, "-c", code, "extract", "video", "--note", "it's {'a': 1}", "--out", str(tmp_path / "made")]
    assert main(["--name", "2 features", "--mark", str(tmp_path / "done/2"), "--", *words]) == 1
    told = capfd.readouterr()
    assert told.out.splitlines() == [
        "stage 2 features: extract video, made",
        "stage 2 features: failed with exit code 1; command and messages are in done/2.log",
    ]
    assert "error: ZeroDivisionError: division by zero" in told.err and "Traceback" not in told.err
    log = (tmp_path / "done/2.log").read_text()
    assert shlex.join(words) in log and "Traceback" in log and log.endswith("exit code 1\n")


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


@pytest.mark.parametrize("code", [128 + signal.SIGTERM, 128 + signal.SIGUSR1, 128 + signal.SIGINT])
def test_a_stage_that_was_stopped_has_not_failed(code, tmp_path, capsys):
    command = ["--name", "1", "--mark", str(tmp_path / "mark"), "--", sys.executable, "-c", f"raise SystemExit({code})"]
    assert main(command) == code
    assert "stage 1: stopped on request; run the same command again to go on" in capsys.readouterr().out
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
    monkeypatch.setattr("mertk.run.locks.locked", None)
    assert stage()[:2] == (0, 1)


def test_a_killed_recipe_takes_its_stage_along(tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    words = (sys.executable, "-m", "mertk.bin.stage", "--name", "1", "--mark", tmp_path / "1", "--")
    script = f"{shlex.join(map(str, words))} {shlex.join([sys.executable, '-c', code])}; true"
    shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
    child = next(int(line) for line in shell.stdout if line.strip().isdigit())
    shell.terminate()
    assert shell.wait(timeout=60) == -signal.SIGTERM
    assert shell.stdout.read().strip().startswith("stage 1: stopped on request")  # closed: nothing is left
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


PREPARE = """
import pathlib, sys
out = pathlib.Path(sys.argv[1])
(out / "folds" / "1").mkdir(parents=True, exist_ok=True)
(out / "features").mkdir(exist_ok=True)
texts = {"utt2label": "a sad", "text": "a b", "corpus.json": "{}", "folds/1/train.ids": "a", "features/part.bin": "12"}
for name, text in texts.items():
    (out / name).write_text(text)
with open(out.parent / "prepared", "a") as count:
    count.write("x")
"""


@pytest.fixture
def prepare(tmp_path, capsys):
    """Run a stage that prepares a data directory; gives times run so far, and what was said."""
    data = tmp_path / "data"

    def run():
        words = ["--name", "1 manifests", "--mark", str(data / ".done" / "1"), "--folder", str(data)]
        words += ["--output", str(data / "text"), str(data / "folds")]
        assert main([*words, "--", sys.executable, "-c", PREPARE, str(data)]) == 0
        return len((tmp_path / "prepared").read_text()), capsys.readouterr().out

    data.mkdir()
    (data / "notes.txt").write_text("mine")
    run()
    return data, run


@pytest.mark.parametrize("name", ["utt2label", "text", "corpus.json", "folds/1/train.ids", "features/part.bin"])
def test_whatever_a_stage_wrote_is_made_again(prepare, name):
    data, run = prepare
    assert run()[0] == 1
    mark = (data / ".done" / "1").read_bytes()
    (data / name).unlink()
    count, told = run()
    assert count == 2 and f"run again, missing output {data / name}" in told
    assert (data / name).exists() and run()[0] == 2
    # What depends on this stage has no reason to run.
    assert (data / ".done" / "1").read_bytes() == mark


@pytest.mark.parametrize(("name", "rest"), [("utt2label", ""), ("corpus.json", "{"), ("features/part.bin", "1")])
def test_what_is_damaged_is_made_again(prepare, name, rest):
    data, run = prepare
    before = (data / name).read_text()
    (data / name).write_text(rest)
    count, told = run()
    assert count == 2 and f"run again, damaged output {data / name}" in told
    assert (data / name).read_text() == before


def test_files_of_others_are_nobodys_concern(prepare):
    data, run = prepare
    (data / "notes.txt").unlink()
    assert run()[0] == 1


def test_what_a_stage_owns_moves_with_its_folder_and_is_seen_through_links(prepare, tmp_path):
    data, run = prepare
    data.rename(tmp_path / "moved")
    data.symlink_to(tmp_path / "moved")
    assert run()[0] == 1
    (tmp_path / "moved" / "utt2label").unlink()
    assert run()[0] == 2


def test_text_that_was_mended_is_kept_and_seen_by_later_stages(prepare, stage):
    data, run = prepare
    options = ("--input", str(data / ".done" / "1"))
    assert stage(options=options)[1] == stage(options=options)[1] == 1
    (data / "utt2label").write_text("a happy")
    count, told = run()
    assert count == 1 and f"{data / 'utt2label'} was changed since, and stays so" in told
    assert stage(options=options)[1] == stage(options=options)[1] == 2
    (data / "text").unlink()
    told = run()[1]
    assert f"what was edited is kept as {data / '.utt2label.edited'}" in told
    assert ((data / ".utt2label.edited").read_text(), (data / "utt2label").read_text()) == ("a happy", "a sad")


def test_marks_of_before_outputs_were_noted_count(prepare):
    data, run = prepare
    (data / ".done" / ".1.outputs").unlink()
    assert run()[0] == 1
    (data / "text").unlink()
    assert run()[0] == 2


def test_what_a_stage_owned_survives_its_failure(prepare, tmp_path):
    data, run = prepare
    (data / "text").rename(data / "text.old")
    (data / "text").mkdir()  # the stage cannot write there
    with pytest.raises(AssertionError):
        run()
    assert not (data / ".done" / "1").exists()
    (data / "text").rmdir()
    assert run()[0] == 2
    (data / "corpus.json").unlink()
    assert run()[0] == 3


def test_what_another_launcher_left_does_not_reach_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    code = "import os, sys; sys.exit('WORLD_SIZE' in os.environ or 'RANK' in os.environ)"
    assert main(["--name", "2 text", "--mark", str(tmp_path / "mark"), "--", sys.executable, "-c", code]) == 0


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("-m data_prep.iemocap --corpus /c --out /d", "-m mertk prepare iemocap --corpus /c --out /d"),
        ("-m mertk.data_prep.extract_text --weights b", "-m mertk extract text --bert b"),
        ("-m mertk launch extract video --weights c", "-m mertk launch extract video --clip c"),
        ("-m mertk extract audio --weights w", "-m mertk extract audio --speech w"),
        ("-m mertk doctor --clip c --tokenizer b", "-m mertk doctor --clip c --bert b"),
        ("-m mertk.bin.report exp/run", "-m mertk plot exp/run"),
        ("-m data_prep.synthetic.mmsa --out /d", "-m mertk.data_prep.synthetic.mmsa --out /d"),
        ("-m mertk.bin.cross_validate -- run.name=mertk.bin.x", "-m mertk cross-validate -- run.name=mertk.bin.x"),
        (
            "-m mertk.bin.submit --slurm /x/conf/slurm.yaml -- mertk.bin.launch data_prep.extract_video",
            "-m mertk submit --slurm /x/mertk/conf/slurm.yaml -- launch extract video",
        ),
    ],
)
def test_commands_of_before_are_those_of_now(before, now):
    assert as_spelt_now(before.split()) == as_spelt_now(now.split()) == now.split()


@pytest.mark.parametrize("words", ["-c pass copy/conf/slurm.yaml", "-m mertk.bin.doctor --missing run"])
def test_a_command_that_is_spelt_as_before_is_done_once(tmp_path, capsys, words):
    given = ["--name", "1 look", "--mark", str(tmp_path / "1"), "--", sys.executable, *words.split()]
    assert main(given) == 0 and "skipped" not in capsys.readouterr().out
    assert main(given) == 0 and "done before, skipped" in capsys.readouterr().out


def test_a_mark_with_an_earlier_spelling_stands_for_the_same_work(tmp_path, capsys):
    mark, words = tmp_path / ".done" / "1", ("doctor", "--missing", "run")
    given = ["--name", "1 look", "--mark", str(mark), "--", sys.executable, "-m", "mertk", *words]
    assert main(given) == 0
    before = mark.read_text().replace('"mertk",\n  "doctor"', '"mertk.bin.doctor"')
    assert "mertk.bin.doctor" in before
    mark.write_text(before)
    capsys.readouterr()
    assert main(given) == 0 and "done before, skipped" in capsys.readouterr().out
    assert mark.read_text() == before, "what depends on the mark has no reason to run"
    mark.write_text(before.replace('"run"', '"dev"'))
    assert main(given) == 0 and "the command changed (now run instead of dev)" in capsys.readouterr().out
