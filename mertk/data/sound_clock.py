"""When decoded sound is to be heard, by the clock of its file: what is silent, and what comes too late to be played."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mertk.data.media_file import LONGEST_GAP_SECONDS

#: clocks of files are rounded, and players let sound run on over less
_LEAST_GAP_SECONDS = Fraction(1, 10)


class SoundClock:
    """Places frames of sound one behind the other.

    Args:
        start: seconds on the file's clock at which a player starts; None where the file has no clock.
        rate_hz: of what is made of the sound; less than one sample is no silence.

    Attributes:
        seconds: how much was placed so far, silence included.
    """

    def __init__(self, start: Fraction | None, rate_hz: int) -> None:
        self.start, self.seconds = start, Fraction(0)
        self._least = Fraction(1, rate_hz)
        self._before: tuple[Fraction, Fraction] | None = None  # when the last frame with a time began, and its length

    def silence_before(self, frame: Any, following: Any, length: Fraction) -> Fraction | None:
        """Seconds for which nothing is heard before a frame of `length` seconds; None when its own time is over.

        A clock that was set anew goes on where it was; one that is slower than the sound costs a frame now and then.
        """
        if self.start is None or frame.pts is None:
            return Fraction(0)
        begin = frame.pts * frame.time_base
        before, self._before = self._before, (begin, length)
        gap = begin - self.start - self.seconds
        if -_LEAST_GAP_SECONDS <= gap < (_LEAST_GAP_SECONDS if self.seconds else self._least):
            return Fraction(0)
        after = None if following is None or following.pts is None else following.pts * following.time_base
        if gap < 0:
            if before is not None and begin - before[0] >= before[1] / 2:
                return None if -gap > length else Fraction(0)
            is_alone = after is not None and after - self.start - self.seconds - length >= -_LEAST_GAP_SECONDS
        else:
            is_alone = after is not None and after < begin
        if is_alone:  # a single time that is wrong
            return Fraction(0)
        if gap < 0 or (gap > LONGEST_GAP_SECONDS and self.seconds):
            self.start += gap
            return Fraction(0)
        return gap
