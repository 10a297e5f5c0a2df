"""The error a user can act on, and what is told of others."""

from __future__ import annotations


class MertkError(ValueError):
    """Something the user can mend: bad input, a wrong option, a damaged file.

    The message says what was got, what was expected, where (file, line, utterance, key) and what to do.
    Programs print it without a stack trace and exit with `exit_code`.

    Attributes:
        trace: stack trace of an error that nobody foresaw, which this one tells of; printed before the message.
    """

    exit_code = 1
    trace = ""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
