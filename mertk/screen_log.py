"""Log lines as they stand on the screen: without time and level, whole words, below no progress bar."""

from __future__ import annotations

import logging
import sys

from mertk.screen import fit, from_here, write_above_bars


class ScreenHandler(logging.StreamHandler):
    """Writes to stderr.

    A record may have its words for the screen, `extra={"screen": text}`; empty, it is for the log file alone.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_ScreenFormatter())
        self.addFilter(lambda record: getattr(record, "screen", None) != "")

    def emit(self, record: logging.LogRecord) -> None:
        if not self.stream.isatty():
            super().emit(record)
            return
        try:
            write_above_bars(self.format(record), self.stream)
        except Exception:
            self.handleError(record)


class _ScreenFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = getattr(record, "screen", None) or record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return fit(from_here(text))
