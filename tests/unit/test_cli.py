import errno
import signal
import subprocess
import sys
import time

import pytest

from mertk.cli import make_parser, program, run_child, share
from mertk.errors import MertkError


def raising(error):
    @program
    def main(argv=None):
        raise error

    return main


class TooManyError(MertkError):
    exit_code = 3


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MertkError("wav.scp:3: no such file"), 1, "error: wav.scp:3: no such file\n"),
        (TooManyError("lost"), 3, "error: lost\n"),
        (MertkError("a\x1b[31m\udce9.wav:\n\tb"), 1, "error: a\\x1b[31m\\xe9.wav:\n\tb\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.yaml"), 1, "error: a.yaml: No such file"),
        (OSError(errno.ENOSPC, "No space left on device", "b.bin"), 1, "no space left to write b.bin; older files are"),
    ],
)
def test_what_the_user_can_mend_ends_in_a_message(capsys, error, code, message):
    assert raising(error)([]) == code
    assert message in capsys.readouterr().err


def test_what_nobody_foresaw_in_a_recording_keeps_its_trace(capsys):
    error = MertkError("a.wav: KeyError: 'title'")
    error.trace = "Traceback of it\n"
    assert raising(error)([]) == 1
    assert capsys.readouterr().err == "Traceback of it\nerror: a.wav: KeyError: 'title'\n"


def test_our_own_faults_keep_their_trace():
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())([])
    with pytest.raises(OSError, match="strange"):
        raising(OSError("strange"))([])


def test_other_processes_say_who_they_are(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "2")
    raising(MertkError("lost"))([])
    assert capsys.readouterr().err == "[process 2] error: lost\n"


def test_closed_pipe_is_quiet():
    code = (
        "from mertk.cli import program\n"
        "@program\n"
        "def main(argv=None):\n"
        "    for number in range(100000): print(number)\n"
        "    return 0\n"
        "raise SystemExit(main())\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 141


def test_help_ends_with_the_example(capsys):
    parser = make_parser("\nDoes a thing.\n\nSecond paragraph.\n", "program --here", "program")
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "Does a thing.\n\nSecond paragraph.\n" in text
    assert text.endswith("example:\n  program --here\n")


@pytest.mark.parametrize("text", ["1.5", "-0.1", "nan", "much"])
def test_a_share_is_a_number_from_0_to_1(capsys, text):
    parser = make_parser("", "program", "program")
    parser.add_argument("--most", type=share)
    assert parser.parse_args(["--most", "0.25"]).most == 0.25
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--most", text])
    assert ended.value.code == 2
    assert f"argument --most: expected a share from 0 to 1, got {text}" in capsys.readouterr().err


def test_child_gives_its_exit_code():
    assert run_child([sys.executable, "-c", "raise SystemExit(7)"]) == 7
    assert run_child([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 137
    with pytest.raises(MertkError, match="no-such-program: cannot be started"):
        run_child(["no-such-program"])


def test_child_ends_in_its_own_way_when_asked_to_stop(tmp_path):
    child = (
        "import time, pathlib\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(0.6)\n"
        f"    pathlib.Path({str(tmp_path / 'tidy')!r}).touch()\n"
        "    raise SystemExit(130)\n"
    )
    parent = f"import sys; from mertk.cli import run_child; sys.exit(run_child([sys.executable, '-c', {child!r}]))"
    started = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
        # What runs in the background of a shell ignores Ctrl-C, and so do its children unless they are told.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert started.stdout.readline() == "ready\n"
    subprocess.run(["kill", "-INT", "--", f"-{started.pid}"], check=True)
    assert started.wait(timeout=60) == 130
    assert (tmp_path / "tidy").exists()


def test_request_to_stop_is_passed_on():
    parent = (
        "import sys; from mertk.cli import run_child\n"
        "sys.exit(run_child([sys.executable, '-c', \"print('ready', flush=True); import time; time.sleep(30)\"]))"
    )
    started = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "ready\n"
    begun = time.monotonic()
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=60) == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 15


def test_no_folder_for_temporary_files_is_one_message(monkeypatch, capsys):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/none/there"])

    @program
    def main(argv=None):
        return len(tempfile.gettempdir())

    assert main() == 1
    assert "No usable temporary directory found in ['/none/there']; make room there" in capsys.readouterr().err
