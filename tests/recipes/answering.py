"""A `python3` for PATH whose `-m MODULE WORD...` is answered by this process, at the cost of a shell's start."""

from __future__ import annotations

import contextlib
import os
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PYTHON = """#!/bin/bash
[[ $1 == -m ]] || exec "$PYTHON" "$@"
exec 3<>"/dev/tcp/127.0.0.1/$ANSWERING"
printf '%d\\n' "$#" >&3
printf '%s\\0' "$@" >&3
read -r code <&3
mapfile -u 3 told
printf %s "${told[@]}"
exit "$code"
"""


@contextlib.contextmanager
def answering(answer: Callable[[Sequence[str]], tuple[int, str]], folder: Path) -> Iterator[dict[str, str]]:
    """Variables of the environment by which `python3` is this one; what is called without `-m` gets a real one.

    Args:
        answer: gives exit code and what is printed for the words behind `python3`; called in a thread.
        folder: where the `python3` goes.
    """
    python = folder / "bin/python3"
    python.parent.mkdir()
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            count, told = int(self.rfile.readline() or 0), b""
            while told.count(b"\0") < count:
                if not (more := self.rfile.read1(65536)):
                    return  # who called was ended
                told += more
            code, printed = answer(told.decode().split("\0")[:count])
            self.wfile.write(f"{code}\n{printed}".encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        path, port = f"{python.parent}:{os.environ['PATH']}", str(server.server_address[1])
        try:
            yield {"PATH": path, "PYTHON": sys.executable, "ANSWERING": port}
        finally:
            server.shutdown()
