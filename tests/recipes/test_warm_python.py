"""A program that a warm interpreter runs cannot tell it from its own."""

import signal
import subprocess

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

PROGRAM = """\
import os, signal, sys, time
print(__name__, sys.argv[1:], os.getcwd(), os.environ["TOLD"], sys.stdin.read())
if sys.argv[1] == "signal":
    os.kill(os.getpid(), int(sys.argv[2]))
if sys.argv[1] == "wait":
    sys.stdout.flush()
    time.sleep(100)
sys.exit(int(sys.argv[2]))
"""


def start(folder, monkeypatch, *words):
    monkeypatch.setenv("TOLD", "a b")
    (folder / "tried.py").write_text(PROGRAM, encoding="utf-8")
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(["python3", "-m", "tried", *words], cwd=folder, **streams)


@pytest.mark.parametrize(("words", "code"), [("exit 0", 0), ("exit 75", 75), ("signal 9", -9), ("signal 15", -15)])
def test_words_folder_streams_and_end_are_passed_on(tmp_path, monkeypatch, words, code):
    process = start(tmp_path, monkeypatch, *words.split())
    printed, _ = process.communicate("in", timeout=60)
    assert process.returncode == code
    assert printed == f"__main__ {words.split()} {tmp_path} a b in\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL])
def test_a_signal_reaches_the_program(tmp_path, monkeypatch, number):
    process = start(tmp_path, monkeypatch, "wait", "0")
    process.stdin.close()
    assert process.stdout.readline().startswith("__main__")
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert process.stdout.read() == ""  # closed: the program is gone too


def test_what_packages_take_from_the_environment_is_that_of_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "told.py").write_text("from huggingface_hub import constants\nprint(constants.HF_HUB_CACHE)\n")
    told = subprocess.run(["python3", "-m", "told"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout == f"{tmp_path / 'hub'}\n"
