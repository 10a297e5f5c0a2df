"""What people read: lines that fit, paths from where they stand, warnings that matter."""

import io
import logging
import re
import sys
import warnings

import pytest

from mertk import screen
from mertk.journal import JOURNAL
from mertk.library_warnings import KNOWN, told_briefly, without_reports
from mertk.progress_bar import progress
from mertk.screen import fit, from_here
from mertk.screen_log import ScreenHandler


def test_paths_are_seen_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_here(f"{tmp_path}/exp/a.log, {tmp_path}") == f"exp/a.log, {tmp_path}"
    assert from_here(f"/copy{tmp_path}/exp, {tmp_path}_2/exp") == f"/copy{tmp_path}/exp, {tmp_path}_2/exp"
    link = tmp_path.parent / f"{tmp_path.name}_link"
    link.symlink_to(tmp_path)
    monkeypatch.setenv("PWD", str(link))  # as a shell calls it that went through a link
    assert from_here(f"log {link}/exp, data='{link}/data'") == "log exp, data='data'"
    monkeypatch.chdir("/")
    assert from_here("/exp/a.log") == "/exp/a.log"


def test_lines_are_broken_between_words_and_paths_stay_whole():
    path = "/corpora/" + "x" * 120
    told = fit(f"  one: {path} " + "word " * 30, 60).splitlines()
    assert f"    {path}" in told
    assert all(len(line) <= 60 or path in line for line in told)
    assert all(line.startswith("    ") for line in told[1:])


@pytest.fixture
def brief(capsys):
    """Warn as a library would; gives what the screen shows."""

    def warn(*messages, package="torch", is_first=lambda text: True):
        with told_briefly(is_first), warnings.catch_warnings():
            warnings.simplefilter("always")
            tell = warnings.showwarning
            for message in messages:
                tell(UserWarning(message), UserWarning, f"/env/site-packages/{package}/nn/module.py", 3)
        return capsys.readouterr().err

    return warn


def test_a_warning_is_one_line_and_its_place_is_in_the_log(brief, tmp_path, monkeypatch):
    monkeypatch.setenv(JOURNAL, str(tmp_path / "stage.log"))
    assert brief("lr_scheduler.step() before optimizer.step()") == (
        "warning: lr_scheduler.step() before optimizer.step() (torch)\n"
    )
    assert "site-packages/torch/nn/module.py:3: UserWarning: lr_scheduler" in (tmp_path / "stage.log").read_text()


def test_what_nobody_can_do_anything_about_is_in_the_log_alone(brief, tmp_path, monkeypatch):
    monkeypatch.setenv(JOURNAL, str(tmp_path / "stage.log"))
    known = "The pynvml package is deprecated. Please install nvidia-ml-py instead."
    assert brief(known) == ""
    assert known in (tmp_path / "stage.log").read_text()
    assert known in brief(known, package="mine"), "known words of another package"
    assert brief(f"Careful: {known}") != "", "known words further on"


def test_what_torch_logs_of_a_launch_that_was_stopped_is_in_the_log_alone(tmp_path, monkeypatch):
    monkeypatch.setenv(JOURNAL, str(tmp_path / "stage.log"))
    agent, shown = logging.getLogger("torch.distributed.elastic.agent.server.api"), io.StringIO()
    monkeypatch.setattr(agent, "handlers", [logging.StreamHandler(shown)])
    with told_briefly(lambda text: True):
        agent.warning("Received %s death signal, shutting down workers", 2)
        agent.error("Error waiting on exit barrier")
    agent.warning("Received %s death signal, shutting down workers", 2)
    assert shown.getvalue().splitlines() == [
        "Error waiting on exit barrier",
        "Received 2 death signal, shutting down workers",
    ]
    assert "Received 2 death signal" in (tmp_path / "stage.log").read_text()


def test_several_processes_warn_once(brief):
    told = set()
    assert brief("odd", "odd", "even", is_first=lambda text: not (text in told or told.add(text))) == (
        "warning: odd (torch)\nwarning: even (torch)\n"
    )


def test_known_warnings_are_narrow():
    harmless = ("loss is nan", "Some weights were not initialized", "No space left", "deprecated", "")
    for patterns in KNOWN.values():
        for pattern in patterns:
            assert len(pattern) > 20 and not any(re.match(pattern, text) for text in harmless)


def test_reports_of_libraries_are_dropped_and_other_lines_pass(capsys):
    with without_reports():
        print("DeepSpeed deepspeed.ops.comm built successfully")
        print("DeepSpeed failed")
        print("half", end="")
    assert capsys.readouterr().out == "DeepSpeed failed\nhalf"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_leaves_nothing_and_lines_stand_above_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    log, handler = logging.getLogger("somebody"), ScreenHandler()
    monkeypatch.setattr(log, "handlers", [handler])
    for _ in progress(range(3), description="reading"):
        log.warning("odd")
    shown = terminal.getvalue()
    assert "reading" in shown and shown.endswith("\r")
    assert shown.count("warning: odd\n") == 3
    *_, last = shown.rstrip("\r").split("\r")
    assert not last.strip()


def test_a_note_is_wrapped_on_a_terminal_alone(monkeypatch, capsys):
    monkeypatch.setattr(screen, "columns", lambda: 40)
    note = "note: " + "word " * 20 + "end"
    screen.tell(note)
    assert capsys.readouterr().err == f"{note}\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    screen.tell(note)
    lines = terminal.getvalue().replace("\r", "").splitlines()
    assert len(lines) > 1 and all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == note


def test_a_file_gets_no_bar(capsys):
    list(progress(range(3), description="reading"))
    assert "\r" not in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["72", "3"])
def test_the_width_is_that_of_the_terminal(columns, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", columns)
    assert screen.columns() == max(40, int(columns))
