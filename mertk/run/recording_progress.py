"""How far a long recording is answered, in seconds of it, and how fast."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mertk.file_names import printable
from mertk.progress_bar import LINE_SECONDS
from mertk.screen import tell

if TYPE_CHECKING:
    from tqdm import tqdm


class RecordingProgress:
    """A bar on a terminal; elsewhere a line now and then, and none for what is soon done.

    Args:
        name: of the recording.
        seconds: that it lasts.
        show: False says nothing, where answers go to the same terminal.
    """

    def __init__(self, name: str, seconds: float, show: bool = True) -> None:
        self.name, self.seconds, self.show = printable(name), seconds, show
        self._started = self._said = time.monotonic()
        self._reached = 0.0
        self._bar: tqdm | None = None
        if show and sys.stderr.isatty():
            from tqdm import tqdm

            form = "{desc}: {percentage:3.0f} %{postfix} |{bar}|"
            self._bar = tqdm(total=seconds, desc=self.name, bar_format=form, dynamic_ncols=True, leave=False)

    def reach(self, seconds: float) -> None:
        """The recording is answered up to here."""
        gone, self._reached = max(seconds - self._reached, 0), max(seconds, self._reached)
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self._speed(now), refresh=False)
            self._bar.update(gone)
        elif self.show and now - self._said >= LINE_SECONDS:
            self._said = now
            told = f"{self.name}: {self._reached:.0f} of {self.seconds:.0f} s, {self._speed(now)}"
            tell(told)

    def _speed(self, now: float) -> str:
        """Seconds of recording a second are as many minutes a minute."""
        minutes = self._reached / max(now - self._started, 1e-6)
        return f"{minutes / 60:.2f} hours of recording a minute"

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
