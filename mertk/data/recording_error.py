"""The border around every recording: whatever goes wrong inside is the error of this recording, and of no other.

Readers and encoders raise what they like; who works on many recordings puts each inside a `border`, and gets errors
that name the recording: for the ledger of an extraction, or as the answer to one file of many.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mertk.errors import MertkError

Value = TypeVar("Value")
Raised = TypeVar("Raised", bound=BaseException)

#: what the system says when another recording would have met the same
_MACHINE_NUMBERS = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN")
    if hasattr(errno, name)
)
#: classes of torch's errors of a GPU, and words of those that have no class of their own
_MACHINE_CLASSES = frozenset({"OutOfMemoryError", "AcceleratorError"})
_MACHINE_WORDS = ("CUDA error", "CUDA driver", "CUDNN_STATUS", "CUBLAS_STATUS", "HIP error")


class RecordingError(MertkError):
    """A recording, or what was made of it, that cannot be used; `reason` is for the ledger (`mertk.data.ledger`)."""

    def __init__(self, message: str, reason: str = "failed") -> None:
        super().__init__(message)
        self.reason = reason

    def of(self, utterance: str) -> RecordingError:
        """The same, told of one utterance of a recording that has several."""
        error = RecordingError(f"utterance {utterance}: {self}", self.reason)
        error.trace = self.trace
        return error


class MachineError(MertkError):
    """The machine failed over a recording that is not to blame: no room, a GPU out of memory."""


@contextmanager
def border(file: str | Path, utterance: str | None = None) -> Iterator[None]:
    """Read and encode one recording inside; only what ends the program (Ctrl-C, an exit) passes through.

    Raises:
        RecordingError: names file, utterance and cause. One that was raised inside passes as it is.
        MachineError: the cause lies outside the recording.
    """
    try:
        yield
    except (RecordingError, MachineError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # what a library in Rust calls a panic is no Exception
        # It has no name here: that would hold all that its traceback holds, an open video say.
        raise _failure_of(error, file, utterance) from error


def _failure_of(error: BaseException, file: str | Path, utterance: str | None) -> RecordingError | MachineError:
    told = cause_of(error)
    if not isinstance(error, MertkError) or (utterance or str(file)) not in told:
        told = f"utterance {utterance}: {file}: {told}" if utterance else f"{file}: {told}"
    if is_of_machine(error):
        return MachineError(f"{told}. The machine, not the recording, is at fault; mend that, then run again.")
    failure = RecordingError(told)
    if not isinstance(error, MertkError):
        failure.trace = "".join(traceback.format_exception(error))
    return failure


def attempt(work: Callable[[], Value], file: str | Path, utterance: str | None = None) -> Value | RecordingError:
    """What `work` makes of a recording, or why it makes nothing; a `MachineError` is raised."""
    try:
        with border(file, utterance):
            return work()
    except RecordingError as error:
        return to_keep(error)


def to_keep(error: Raised) -> Raised:
    """An error that is kept as a value, without what it was raised over: its traceback holds open files and pictures.

    Where it was raised can still be told.
    """
    over: BaseException | None = error
    while over is not None:
        traceback.clear_frames(over.__traceback__)
        over = over.__cause__ or over.__context__
    return error


def cause_of(error: BaseException) -> str:
    """What happened, in one line: the message of an error made for users, class and message of another.

    >>> cause_of(MertkError("no sound")), cause_of(KeyError("title")), cause_of(EOFError())
    ('no sound', "KeyError: 'title'", 'EOFError')
    """
    told = " ".join(str(error).split())
    if isinstance(error, MertkError):
        return told
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def cause_in(error: MertkError, file: Path) -> str:
    """What an error says of a recording, without its name in front.

    >>> cause_in(MertkError("utterance a: /media/a.wav cannot be read"), Path("/media/a.wav"))
    'cannot be read'
    """
    told = str(error)
    for prefix in (f"utterance {file.stem}: ", f"video {file} ", f"{file}: ", f"{file} "):
        told = told.removeprefix(prefix)
    return told


def is_of_machine(error: BaseException) -> bool:
    """Whether another recording would have met the same: a full disk, too many open files, a GPU's failure.

    Memory that the system refuses is none: what asks for more than there is at all is nearly always one recording.
    """
    if getattr(error, "errno", None) in _MACHINE_NUMBERS:
        return True
    if any(base.__name__ in _MACHINE_CLASSES for base in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _MACHINE_WORDS)
