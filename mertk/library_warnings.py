"""Warnings of libraries: one line each, told once by all processes of a launch; some only to the log.

What a user can do nothing about is `KNOWN`, by the words it begins with. It goes to the log file, where there is one;
all others are shown too.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from mertk.journal import note
from mertk.screen import tell
from mertk.screen_log import ScreenHandler

#: beginnings of warnings, as regular expressions, by the package that they come from
KNOWN = {
    "torch": (
        r"`broadcast_buffers` is deprecated",
        r"`torch\.distributed\.\S+` is deprecated",
        r"The pynvml package is deprecated",
        r"Grad strides do not match bucket view strides",
        r"No device id is provided via `init_process_group` or `barrier",
        r"barrier\(\): using the device under current context",
        r"`torch\.nn\.utils\.weight_norm` is deprecated",
    ),
    "accelerate": (r"`broadcast_buffers` is deprecated",),
    "deepspeed": (r"`torch\.distributed\.\S+` is deprecated", r"pkg_resources is deprecated"),
    "librosa": (r"n_fft=\d+ is too large for input signal", r"Trying to estimate tuning from empty frequency set"),
}
#: of the same libraries what they log, by the name of the logger
KNOWN_LINES = {
    "torch.distributed.run": (r"\W*Setting OMP_NUM_THREADS environment variable",),
    # Who stopped a launch knows it.
    "torch.distributed.elastic.agent.server.api": (r"Received \S+ death signal, shutting down workers",),
    "torch.distributed.elastic.multiprocessing.api": (r"Sending process \d+ closing signal ",),
    "accelerate.utils.other": (r"Detected kernel version \S+, which is below the recommended minimum",),
}
#: of the same libraries what they print
REPORTS = r"DeepSpeed \S+ built successfully"


@contextlib.contextmanager
def told_briefly(is_first: Callable[[str], bool]) -> Iterator[None]:
    """Within, warnings of the process are one line, those known go to the log file alone.

    Args:
        is_first: whether no other process of this launch has told a text yet.
    """

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text, package = str(message), package_of(filename)
        full = warnings.formatwarning(message, category, filename, lineno, line)
        shown = "" if is_known(text, package) or not is_first(text) else f"{text} ({package})"
        note(full)
        log = logging.getLogger("py.warnings")
        has_place = any(isinstance(handler, ScreenHandler) for handler in logging.getLogger().handlers)
        if has_place and log.isEnabledFor(logging.WARNING):
            log.warning("%s", full.rstrip(), extra={"screen": shown})
        elif shown:
            tell(f"warning: {shown}")

    before = warnings.showwarning
    warnings.showwarning = show
    filters = [(logging.getLogger(name), _Known(texts)) for name, texts in KNOWN_LINES.items()]
    for logger, known in filters:
        logger.addFilter(known)
    try:
        yield
    finally:
        warnings.showwarning = before
        for logger, known in filters:
            logger.removeFilter(known)


@contextlib.contextmanager
def without_reports() -> Iterator[None]:
    """Within, lines that libraries print on every process (`REPORTS`) go to the log file alone."""
    output = _Output(sys.stdout)
    with contextlib.redirect_stdout(output):
        yield
    output.shown.write(output.line)


class _Output(io.TextIOBase):
    """Passes on what is printed, line by line, but for reports."""

    def __init__(self, shown: TextIO) -> None:
        self.shown, self.line = shown, ""

    def write(self, text: str) -> int:
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            if re.fullmatch(REPORTS, line):
                note(line)
            else:
                self.shown.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        self.shown.flush()


def is_known(text: str, package: str) -> bool:
    """Whether a user can do nothing about a warning of a package."""
    return any(re.match(known, text.lstrip()) for known in KNOWN.get(package, ()))


def package_of(filename: str) -> str:
    """The package that a file is of; what it is called where that cannot be told.

    >>> package_of("/env/lib/python3.11/site-packages/torch/nn/modules/module.py"), package_of("/home/me/mine.py")
    ('torch', 'mine')
    """
    parts = Path(filename).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return Path(parts[parts.index(folder) + 1]).stem
    return "mertk" if "mertk" in parts else Path(filename).stem


class _Known(logging.Filter):
    """Lets through what is not known, and notes the rest."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        self.texts = texts

    def filter(self, record: logging.LogRecord) -> bool:
        text: Any = record.getMessage()
        if not any(re.match(known, text.lstrip()) for known in self.texts):
            return True
        note(f"{record.name}: {text}")
        return False
