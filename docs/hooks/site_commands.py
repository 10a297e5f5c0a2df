"""Every command, its options and an example, as a page: from the parsers alone."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import textwrap
from html import escape
from pathlib import Path

from mertk.command import COMMANDS, Command, commands_below
from mertk.parser import Parser, called_as, parser_of

ROOT = Path(__file__).resolve().parents[2]
#: the recipe whose options are shown
RECIPE = "recipes/iemocap/foal/run.sh"


def describe_commands() -> str:
    """A heading for each command, and below it what it does and what it takes; recipes at the end."""
    parts = []
    for name, command in COMMANDS.items():
        if command.is_hidden:
            continue
        if command.module:
            parts.append(_describe(f"mertk {name}", command, level=2))
        else:
            parts.append(f"## mertk {name}\n\n{_sentence(command.line)}\n")
            parts += [_describe(f"mertk {name} {below}", one, 3) for below, one in commands_below(name).items()]
    return "\n".join([*parts, _describe_recipe()])


def _describe(name: str, command: Command, level: int) -> str:
    with called_as(name):
        parser = parser_of(importlib.import_module(command.module).main)
    lines = [f"{'#' * level} {name}", "", _sentence(command.line), ""]
    example = textwrap.dedent((parser.epilog or "").partition("example:\n")[2])
    lines += ["```bash", example, "```", "", _in_full(parser.description or ""), ""]
    for action in parser.added:
        if action.dest != "help" and action.help != argparse.SUPPRESS:
            lines += [_spelling(action), f":   {_help_of(action, parser)}", ""]
    return "\n".join(lines)


def _in_full(description: str) -> str:
    """What a program says of itself, folded away."""
    head = "<details class='program' markdown='0'><summary>In its own words</summary>"
    return f"{head}<pre>{escape(description)}</pre></details>"


def _spelling(action: argparse.Action) -> str:
    """An argument as it is typed."""
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = " ".join(value) if isinstance(value, tuple) else str(value)
    if action.choices is not None and action.metavar is None:
        value = "|".join(map(str, action.choices))
    if action.nargs in ("*", "+"):
        value += " ..."
    if action.nargs == 0:
        value = ""
    return "`" + " ".join(filter(None, [", ".join(action.option_strings), value])) + "`"


def _help_of(action: argparse.Action, parser: Parser) -> str:
    told = (action.help or "") % {"default": action.default, "prog": parser.prog}
    return _sentence(escape(told, quote=False).replace("*", r"\*")) or "&nbsp;"


def _describe_recipe() -> str:
    told = subprocess.run(["bash", ROOT / RECIPE, "--help"], capture_output=True, text=True, check=True).stdout
    return (
        f"## run.sh of a recipe\n\nThat of `{RECIPE}`; others have the same but for the corpus.\n\n```text\n{told}```\n"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', ')')) or not text else '.'}"
