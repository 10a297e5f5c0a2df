"""A `python3` for programs that recipes start under test: `-m MODULE` runs in a fork of a process that has packages.

An interpreter of its own would import torch and transformers anew, for seconds each time. The server has imported
these, nothing of mertk, and computed nothing. What is called otherwise, or finds no server, gets a real interpreter.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("torch._dynamo", "torch.distributed.tensor", "accelerate", "transformers.modeling_utils")
#: of these, or what they import, modules that look into the environment when they are imported
READ_THE_ENVIRONMENT = ("huggingface_hub.constants",)
#: what a program may be sent, which the one that was started in its place passes on
PASSED_ON = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """Start the server; gives a folder for PATH, in which its python3 is."""
    place, python = folder / "server", folder / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -ISs {__file__} {sys.executable} {place} $0 "$@"\n')
    python.chmod(0o755)
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, __file__, str(place)], env=bare, **streams) as server:
        server.stdout.readline()  # it listens
        yield python.parent
        server.stdin.close()  # it ends


def ask(python: str, place: str, called: str, words: list[str]) -> None:
    """Let the server run `words` in place of this process, or become a real interpreter."""
    modules = words[1:] if words[:1] == ["-u"] else words
    server = socket.socket(socket.AF_UNIX)
    try:
        if modules[:1] != ["-m"]:
            raise OSError
        server.connect(place)
    except OSError:
        os.execv(python, [python, *words])
    child = 0
    for number in PASSED_ON:
        signal.signal(number, lambda received, _: child and os.kill(child, received))
    told = json.dumps([called, os.getppid(), str(Path.cwd()), dict(os.environ), modules[1:]]).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
    answers = server.makefile()
    child = int(answers.readline())
    ended = os.waitstatus_to_exitcode(int(answers.readline()))
    if ended < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other
            signal.signal(-ended, signal.SIG_DFL)
        os.kill(os.getpid(), -ended)
    os._exit(ended)


def serve(place: str) -> None:
    """Fork for each that asks, until stdin is closed."""
    import importlib
    import selectors

    del sys.path[0]  # the folder of this file
    for package in PACKAGES:
        importlib.import_module(package)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen()
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    for source in (0, woken, listening):
        selector.register(source, selectors.EVENT_READ)
    asking: dict[int, socket.socket] = {}
    print("listening", flush=True)
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if 0 in ready:
            break
        if listening in ready:
            asker, _ = listening.accept()
            asking[fork(asker)] = asker
            selector.register(asker, selectors.EVENT_READ)
        if woken in ready:
            os.read(woken, 4096)
        for child, asker in list(asking.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                if asker in ready:  # it was killed, and says nothing more
                    os.kill(child, signal.SIGKILL)
                    selector.unregister(asker)
                continue
            with contextlib.suppress(OSError, KeyError):
                selector.unregister(asker)
                asker.sendall(f"{status}\n".encode())
            asking.pop(child).close()
    for child in asking:
        os.kill(child, signal.SIGTERM)
    os._exit(0)


def fork(asker: socket.socket) -> int:
    """Start what is asked for; returns its process id."""
    size, streams, *_ = socket.recv_fds(asker, 8, 3)
    told = asker.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    child = os.fork()
    if child == 0:
        try:
            run(*json.loads(told), streams)
        finally:
            os._exit(1)
    for stream in streams:
        os.close(stream)
    asker.sendall(f"{child}\n".encode())
    return child


def run(
    python: str, parent: int, folder: str, environment: dict[str, str], words: list[str], streams: list[int]
) -> None:
    """Be an interpreter that was started with `-m` and these words, by the process `parent`."""
    import atexit
    import importlib
    import runpy
    import tempfile
    import threading
    import traceback

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    reopened = {"encoding": "utf-8", "errors": "backslashreplace", "closefd": False, "buffering": 1}
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", **reopened)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", **reopened)  # noqa: SIM115
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(":"))]
    tempfile.tempdir = None  # that of the environment
    for package in READ_THE_ENVIRONMENT:
        importlib.reload(sys.modules[package])
    sys.executable, own, getppid = python, os.getpid(), os.getppid
    os.getppid = lambda: parent if os.getpid() == own else getppid()
    module, *arguments = words
    sys.argv = [module, *arguments]
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & 255)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        ask(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
