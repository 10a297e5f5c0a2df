"""The parser that every program has: it names the nearest valid word, shows defaults, and takes files anywhere.

`mertk train --confg a.yaml` ends with `unknown option --confg; did you mean --config?`, and
`mertk predict --model M x.wav --device cpu y.wav` takes both files.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mertk.spelling import nearest, refused

#: how the program that runs was called, where a command of another name called it: `mertk train`
_called: ContextVar[str | None] = ContextVar("called", default=None)
#: whether a program is only to show its parser
_showing: ContextVar[bool] = ContextVar("showing", default=False)


@contextmanager
def called_as(name: str) -> Iterator[None]:
    """Let the parsers made inside say this name in their help and messages."""
    token = _called.set(name)
    try:
        yield
    finally:
        _called.reset(token)


def called() -> str | None:
    """The name that `called_as` set; None where a program was started by its module."""
    return _called.get()


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a description, but for paragraphs that are wider than the terminal."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_fitted(block, width) for block in super()._fill_text(text, 0, indent).split("\n\n"))


def _fitted(block: str, width: int) -> str:
    """A block of lines, filled anew where one is too long; lists and examples, which are indented, stay."""
    lines = block.splitlines()
    if any(line.startswith(" ") for line in lines) or all(len(line) <= width for line in lines):
        return block
    return textwrap.fill(block, width, break_long_words=False, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` for people who mistype.

    Descriptions keep their lines where they fit. Words without a dash may stand before, between and behind options;
    those that no other positional argument takes belong to the one that takes any number.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        #: what was added, in order, and all spellings of options
        self.added: list[argparse.Action] = []
        self.spellings: list[str] = []
        super().__init__(*arguments, formatter_class=_Formatter, **options)

    def add_argument(self, *names: str, former: str = "", **options: Any) -> argparse.Action:
        """As that of argparse; the help ends with the default, where there is one.

        Args:
            former: an earlier spelling of the option, which is understood and does not show.
        """
        action = super().add_argument(*names, **options)
        action.help = _with_default(action)
        self.added.append(action)
        self.spellings += [name for name in (*names, former) if name.startswith("-")]
        if former:
            super().add_argument(former, dest=action.dest, **options | {"help": argparse.SUPPRESS})
        return action

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """The arguments; wrong ones end the program with exit code 2 and a message that names the nearest valid one."""
        if _showing.get():
            raise _Shown(self)
        words = list(sys.argv[1:] if args is None else args)
        # Before argparse speaks of what is missing: a mistyped option is often the reason.
        self._refuse_unknown(words)
        found, rest = self.parse_known_args(words, namespace)
        front, behind = (rest[: rest.index("--")], rest[rest.index("--") + 1 :]) if "--" in rest else (rest, [])
        # What has a blank in it is no option to argparse either.
        unknown = [word for word in front if word.startswith("-") and word != "-" and " " not in word]
        if unknown:
            self.error(self._unknown(unknown[0]))
        if left := front + behind:
            self._take(found, left)
        return found

    def options(self) -> list[str]:
        """The options there are, without those that do not show."""
        return [name for action in self.added for name in action.option_strings if action.help != argparse.SUPPRESS]

    def _refuse_unknown(self, words: list[str]) -> None:
        """End the program when there is an option of which none begins so."""
        others = any(action.nargs == argparse.REMAINDER for action in self.added)
        for word in words:
            name = word.partition("=")[0]
            # Behind `--` are no options, behind the name of another program its own.
            if word == "--" or (others and not word.startswith("-")):
                return
            if word.startswith("--") and " " not in word and not any(one.startswith(name) for one in self.spellings):
                self.error(self._unknown(word))

    def _unknown(self, word: str) -> str:
        word = word.partition("=")[0]
        return f"unknown option {word}{nearest(word, self.options()) or '; --help shows those there are'}"

    def _take(self, found: argparse.Namespace, words: list[str]) -> None:
        """Give words that are left over to the positional argument that takes any number."""
        takers = [action for action in self.added if not action.option_strings and action.nargs in ("*", "+")]
        if not takers:
            self.error(f"unexpected argument {words[0]!r}")
        convert = takers[0].type or str
        setattr(found, takers[0].dest, [*(getattr(found, takers[0].dest) or []), *map(convert, words)])

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, refused(str(value), map(str, action.choices)))


def _with_default(action: argparse.Action) -> str | None:
    """The help of an argument, and its default where it has one that is not said already."""
    told, default = action.help, action.default
    if isinstance(default, bool) or default in (None, argparse.SUPPRESS, [], ()) or told == argparse.SUPPRESS:
        return told
    if "%(default)" in (told or ""):
        return told
    words = map(str, default if isinstance(default, (list, tuple)) else [default])
    return f"{told or ''} (default: {' '.join(words).replace('%', '%%')})".lstrip()


class _Shown(BaseException):
    """Carries the parser out of a program that is not to do more than make it."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(main: Callable[[list[str] | None], int]) -> Parser:
    """The parser of a program, which does no more than make it."""
    token = _showing.set(True)
    try:
        main([])
    except _Shown as shown:
        return shown.parser
    finally:
        _showing.reset(token)
    raise AssertionError(f"{main.__module__} parses no arguments with a Parser")
