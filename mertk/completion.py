"""What a shell needs to complete command lines of mertk: a script by shtab, from the parsers of all commands."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mertk.command import COMMANDS, Command, commands_below
from mertk.errors import MertkError
from mertk.installing import installing
from mertk.parser import Parser, parser_of

#: names of values that may be files, though they are read as text
TAKE_FILES = ("YAML", "YAML|key=value", "NAME|YAML", "WEIGHTS")


def completion_script(shell: str) -> str:
    """The script for bash, zsh or tcsh.

    Raises:
        MertkError: shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise MertkError(f"shtab, which writes the script, is not installed; {installing('shtab')}") from error
    return shtab.complete(command_parser(), shell)


def command_parser() -> argparse.ArgumentParser:
    """One parser of all commands that show, with those below them; it is not used to parse."""
    parser = argparse.ArgumentParser(prog="mertk")
    parser.add_argument("--version", action="version", version="", help="show the version and exit")
    _add_commands(parser, COMMANDS)
    return parser


def _add_commands(parser: argparse.ArgumentParser, commands: Mapping[str, Command]) -> None:
    below = parser.add_subparsers()
    for name, command in commands.items():
        if command.is_hidden:
            continue
        if command.module is None:
            _add_commands(below.add_parser(name, help=command.line), commands_below(name))
        elif find_spec(command.module):
            below.add_parser(name, help=command.line, parents=[_program_parser(command.module)], add_help=False)


def _program_parser(module: str) -> Parser:
    """The parser of a program, whose arguments say where they take files, in the words of shtab."""
    import shtab

    parser = parser_of(importlib.import_module(module).main)
    for action in parser.added:
        if action.type is Path or action.metavar in TAKE_FILES:
            action.complete = shtab.FILE
    return parser
