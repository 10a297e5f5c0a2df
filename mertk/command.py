"""The command `mertk NAME`, also `python -m mertk NAME`: the program of each name; none is imported before it runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mertk
from mertk.cli import program
from mertk.errors import MertkError
from mertk.parser import Parser, called_as
from mertk.spelling import nearest, refused

PREPARATION = "mertk.data_prep"
#: programs that start another, which is the one that a command is about
STARTERS = ("launch", "submit")
#: options behind which stands what a program writes
PLACES = ("--out", "--exp")


@dataclass(frozen=True)
class Command:
    """A name that a user may type.

    Attributes:
        line: what it does, in one line.
        module: where its `main(argv)` is; None where another name is to follow.
        is_hidden: whether it is left out of the help: what recipes call.
    """

    line: str
    module: str | None
    is_hidden: bool = False


class NoProgramError(MertkError):
    """There is no program of a name that was given on a command line."""

    exit_code = 2


COMMANDS = {
    "new": Command("copy a recipe into a folder of your own, ready to edit", "mertk.bin.new"),
    "prepare": Command("make a data directory of a corpus", None),
    "extract": Command("make features of audio, video or text", None),
    "table": Command("write a data directory as one table, CSV", "mertk.bin.table"),
    "validate": Command("check a data directory", "mertk.bin.validate_data"),
    "audit": Command("say what the parts of a split share", "mertk.bin.audit"),
    "train": Command("train one model", "mertk.bin.train"),
    "cross-validate": Command("train every fold and seed of an experiment", "mertk.bin.cross_validate"),
    "tune": Command("search settings of a method by the validation part alone", "mertk.bin.tune"),
    "evaluate": Command("score trained models", "mertk.bin.evaluate"),
    "predict": Command("tell the emotion, or the intensity of sentiment, in recordings", "mertk.bin.predict"),
    "demo": Command("show in a browser what models say of clips, live", "mertk.bin.demo"),
    "summarize": Command("write the tables and pictures of scored models", "mertk.bin.summarize"),
    "compare": Command("tell whether experiments differ by more than chance", "mertk.bin.compare"),
    "report": Command("write one page of scored models, HTML, to show", "mertk.bin.report"),
    "export": Command("hand a trained model on, to a directory or the hub", "mertk.bin.export"),
    "plot": Command("draw what a trained model makes of its utterances", "mertk.bin.plot"),
    "doctor": Command("tell whether this machine is fit for a run", "mertk.bin.doctor"),
    "launch": Command("run one of these on several processes", "mertk.bin.launch"),
    "config": Command("show a configuration with the meaning of every key, or check it", "mertk.bin.config"),
    "completion": Command("write what a shell needs to complete these commands", "mertk.bin.completion"),
    "stage": Command("run one stage of a recipe unless it is done", "mertk.bin.stage", is_hidden=True),
    "submit": Command("run one program as a Slurm job", "mertk.bin.submit", is_hidden=True),
    "recipe-facts": Command("say what a recipe must know before it begins", "mertk.bin.recipe_facts", is_hidden=True),
}

EXTRACTIONS = {
    "audio": Command("of the sound: librosa's, or states of a speech encoder", f"{PREPARATION}.extract_audio"),
    "video": Command("of the speakers' faces: CLIP's, or small grey pictures", f"{PREPARATION}.extract_video"),
    "text": Command("of what is said: tokens, or states of a text encoder", f"{PREPARATION}.extract_text"),
}


@program
def main(argv: list[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    # As the shell was told: the script of the package, or the package itself.
    is_package = Path(sys.argv[0]).parts[-2:] == ("mertk", "__main__.py")
    return _run("python -m mertk" if is_package else "mertk", COMMANDS, words)


def commands_below(name: str) -> dict[str, Command]:
    """What may follow a name that is no program by itself."""
    return {"prepare": find_corpora, "extract": lambda: EXTRACTIONS}[name]()


def find_corpora() -> dict[str, Command]:
    """By name, the programs that prepare a corpus."""
    from mertk.data_prep.corpora import describe_corpora

    return {name: Command(one.line, one.module) for name, one in describe_corpora().items()}


def find_module(words: Sequence[str]) -> tuple[str, list[str]]:
    """The module that the first words of a command line name, `train` or `extract video`, and the words behind them.

    The module of a program, one's own too, may stand there by its dotted name.

    Raises:
        NoProgramError: there is no program of this name.
    """
    from importlib.util import find_spec

    name, *rest = words
    if name in COMMANDS and COMMANDS[name].module:
        return COMMANDS[name].module, rest
    if name in COMMANDS:
        below = commands_below(name)
        if rest and rest[0] in below:
            return below[rest[0]].module, rest[1:]
        told = refused(rest[0], below) if rest and below else f"expected one of {', '.join(below) or 'none'} behind it"
        raise NoProgramError(f"{name}: {told}")
    try:
        is_module = find_spec(name) is not None
    except (ImportError, ValueError):
        is_module = False
    if not is_module:
        raise NoProgramError(
            f"{name}: no program, expected a command of mertk or a module{nearest(name, COMMANDS) or '.'}"
        )
    return name, rest


def is_program(word: str) -> bool:
    """Whether a word in a command line is a command of mertk, or one of its modules."""
    return word in COMMANDS or word.startswith(("mertk.", "data_prep."))


def in_short(name: str, command: Sequence[str]) -> str:
    """Program and place of a command, for those who need not see all of it.

    Args:
        name: of the work; a program that is called the same is not told again.

    >>> in_short("2 features", "python -m mertk launch --num_processes 2 extract video --data d --out f".split())
    'extract video, f'
    >>> in_short("4 evaluate", "python -m mertk launch --num_processes auto evaluate exp/mine".split())
    'exp/mine'
    >>> in_short("0 environment", "python -m mertk doctor --writable d exp".split())
    'doctor'
    """
    program = _program_words(command)
    told = [] if name.split()[-1:] == [program] else [program]
    for option, value in zip(command, command[1:], strict=False):
        if option in PLACES:
            return ", ".join([*told, value])
    last = command[-1]
    is_argument = len(command) > 1 and "/" in last and "=" not in last and not command[-2].startswith("-")
    return ", ".join([*told, last] if is_argument else told)


def _program_words(command: Sequence[str]) -> str:
    """The words by which the program is called that a command is about."""
    for number, word in enumerate(command):
        if not is_program(word) or word in STARTERS:
            continue
        with suppress(NoProgramError):  # a word of somebody else's command
            rest = find_module(command[number:])[1]
            words = " ".join(command[number : len(command) - len(rest)])
            return words.replace(f"{PREPARATION}.synthetic.", "miniature of ")
    return Path(command[0]).name


def _run(called: str, commands: Mapping[str, Command], words: list[str]) -> int:
    """Run the command that the first word names."""
    parser = _head_parser(called, commands)
    if not words:
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(words)
    name, rest = arguments.command, arguments.arguments
    if name == "help" and commands is COMMANDS:
        return _run(called, commands, [*rest, "--help"])
    if name not in commands:
        shown = [known for known, command in commands.items() if not command.is_hidden]
        if commands is COMMANDS:
            parser.error(f"no command {name!r}{nearest(name, shown) or f'; {called} --help lists those there are'}")
        parser.error(refused(name, shown) if shown else "there is none")
    command = commands[name]
    if command.module is None:
        return _run(f"{called} {name}", commands_below(name), rest)
    with called_as(f"{called} {name}"):
        return importlib.import_module(command.module).main(rest)


def _head_parser(called: str, commands: Mapping[str, Command]) -> Parser:
    """The parser of the words in front of a command's own."""
    listed = {name: command.line for name, command in commands.items() if not command.is_hidden}
    width = max(map(len, listed), default=0) + 2
    lines = "\n".join(f"  {name:{width}}{line}" for name, line in listed.items()) or "  none"
    if commands is COMMANDS:
        about, what, example = (mertk.__doc__ or "").partition("\n")[0], "commands", f"{called} help train"
    else:
        name = called.split()[-1]
        line = COMMANDS[name].line
        about, what = f"{line[0].upper()}{line[1:]}.", "corpora" if name == "prepare" else "kinds"
        example = f"{called} {next(iter(listed), 'NAME')} --help"
    parser = Parser(
        prog=called,
        usage=f"{called} [-h] {'[--version] ' if commands is COMMANDS else ''}NAME ...",
        description=f"{about}\n\n{what}:\n{lines}",
        epilog=f"example:\n  {example}",
    )
    if commands is COMMANDS:
        parser.add_argument(
            "--version", action="version", version=f"mertk {mertk.__version__}", help="show the version and exit"
        )
    parser.add_argument("command", metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
