"""Messages for those who call from Python: what the programs call options are arguments there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mertk.errors import MertkError

_FLAGS = "resume|overwrite|force|again|private|with_encoders"
_FLAG = re.compile(rf"(?:mertk[. ](?:bin\.)?\w+ )?--({_FLAGS})\b")
_NAMED = re.compile(r"--(trust|run|format|to|revision) ([\w.:/-]*\w)")
_OTHER = re.compile(r"--(trust|clip|speech|bert|folds|engine|cv|protocol|text|run|to|revision|exp|trials)\b")


def in_python(message: str) -> str:
    """The message with arguments for options.

    >>> in_python("exp holds an earlier run; mertk train --resume goes on with it.")
    'exp holds an earlier run; resume=True goes on with it.'
    >>> in_python("add --trust my.models."), in_python("give the right one with --clip.")
    ("add trust='my.models'.", 'give the right one with clip=.')
    """
    message = _FLAG.sub(r"\1=True", message)
    return _OTHER.sub(r"\1=", _NAMED.sub(r"\1='\2'", message))


@contextmanager
def options_as_arguments() -> Iterator[None]:
    """Within, errors tell what to do in Python."""
    try:
        yield
    except MertkError as error:
        error.args = (in_python(str(error)), *error.args[1:])
        raise
