"""mertk demo as a visitor meets it: the program is started as a user does, and headless Chromium looks at its page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from mertk.bin import predict
from tests.browser import CHROMIUM
from tests.listening_model import save_listener
from tests.unit.test_demo import write_sound

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")
#: seconds for a busy machine to start a program or to answer
PATIENCE = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and clips."""
    folder = tmp_path_factory.mktemp("demo")
    save_listener(folder / "model")
    write_sound(folder / "short.wav", 1.0)
    write_sound(folder / "longer.wav", 5.0)
    (folder / "damaged.wav").write_bytes(b"RIFF and nothing else")
    return folder


@pytest.fixture(scope="module")
def outside():
    """Where everything that leaves the machine would pass, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.setblocking(False)
        yield gate


@pytest.fixture(scope="module")
def served(folder, outside):
    """The program and the address that it prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gate = f"http://127.0.0.1:{outside.getsockname()[1]}"
    (folder / "tmp").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp"), "NO_PROXY": "127.0.0.1"}
    environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), gate)
    command = [sys.executable, "-m", "mertk", "demo", "--model", folder / "model", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
    ) as process:
        try:
            line = process.stdout.readline()
            assert line == f"http://127.0.0.1:{port}/  (Ctrl-C ends it)\n", process.stderr.read()
            yield process, line.split()[0]
        finally:
            process.kill()


@contextmanager
def browsing():
    """A browser, and the addresses of all that it asked for."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark")
        context.set_default_timeout(1000 * PATIENCE)
        context.on("request", lambda request: asked.append(request.url))
        yield context, asked
        browser.close()


def begin(page, address, file):
    """Give a file to the page, and ask for the answer."""
    page.goto(address)
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_label("Clear").first.wait_for()
    page.get_by_role("button", name="Answer").click()


def finish(page):
    """Wait until all is answered."""
    page.locator(".answer").wait_for()
    page.locator(".answer [role=status]").wait_for(state="detached")


def test_a_visitor_gets_the_answer_of_predict(folder, served, outside, capsys):
    assert predict.main(["--model", str(folder / "model"), "--", str(folder / "short.wav")]) == 0
    header, told = (line.split("\t")[2:] for line in capsys.readouterr().out.splitlines())
    with browsing() as (context, asked):
        one, other = context.new_page(), context.new_page()
        begin(one, served[1], folder / "longer.wav"), begin(other, served[1], folder / "short.wav")
        finish(other)
        assert other.locator(".bars tbody th").all_inner_texts() == header
        shown = other.locator(".bars .value").all_inner_texts()
        assert shown == [f"{100 * float(value):.2f} %" for value in told]
        assert other.locator(".timeline").count() == 0
        finish(one)
        assert one.locator(".timeline tbody tr").count() == 3
        assert one.locator(".timeline img").evaluate("image => image.naturalWidth") > 600
        with one.expect_download() as download:
            one.get_by_role("link", name="longer.srt").click()
        assert download.value.path().read_text().startswith("1\n00:00:00,000 --> ")
        assert one.evaluate("document.documentElement.scrollWidth") == 390
        begin(other, served[1], folder / "damaged.wav")
        other.get_by_role("alert").filter(has_text="No answer: cannot be read as audio").wait_for()
        assert other.locator(".bars").count() == 0
    assert asked and [url for url in asked if not url.startswith((served[1], "data:", "blob:"))] == []
    assert served[0].poll() is None
    with pytest.raises(BlockingIOError):  # the program asked for nothing either
        outside.accept()


def test_browsers_are_told_to_fetch_nothing_from_elsewhere(served):
    with urllib.request.urlopen(served[1]) as page:
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self' data: blob:")
        assert b"fonts.googleapis.com/css" not in page.read()


def test_nothing_stays_when_it_is_interrupted(served, folder):
    process, _ = served
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr.read() == "interrupted\n"
    assert list((folder / "tmp").iterdir()) == []
