"""The corpora that there are: modules of this folder that have `prepare` and a program, `main`, by name.

A module may say how it is called, where that is not how its file is:

    COMMAND = "csv"

So that a corpus is looked into before a run begins, it may have

    # what is looked for, in words
    EXPECTED = "IEMOCAP_full_release, unpacked"
    # whether it looks like that
    def recognises(corpus: Path, **options) -> bool
    # whether all of it is there
    def check(corpus: Path, inputs: Mapping[str, str] | None = None, **options) -> Finding
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from mertk.checkup.finding import Finding
from mertk.errors import MertkError


@dataclass(frozen=True)
class Described:
    """What a corpus is in one line, and the module that prepares it, by its dotted name."""

    line: str
    module: str


@cache
def describe_corpora(folder: Path = Path(__file__).parent) -> dict[str, Described]:
    """The corpora by name, sorted; none of the modules is imported."""
    found = {}
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "def prepare(" in text:
            module = ast.parse(text)
            if {"prepare", "main"} <= {node.name for node in module.body if isinstance(node, ast.FunctionDef)}:
                line = (ast.get_docstring(module) or file.stem).partition("\n")[0].rstrip(".")
                found[_command_of(module) or file.stem] = Described(line, f"{__package__}.{file.stem}")
    return dict(sorted(found.items()))


def _command_of(module: ast.Module) -> str | None:
    """The constant COMMAND of a module."""
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "COMMAND":
            return ast.literal_eval(node.value)
    return None


def find_corpus(name: str) -> ModuleType:
    """The module of a corpus.

    Raises:
        MertkError: there is none of this name.
    """
    if name not in describe_corpora():
        raise MertkError(f"corpus {name!r} is not known; expected one of {', '.join(describe_corpora())}.")
    return importlib.import_module(describe_corpora()[name].module)


def check_corpus(
    corpus: Path, inputs: Mapping[str, str] | None = None, name: str | None = None, **options: object
) -> Finding:
    """Whether there is what a run needs of a corpus.

    Args:
        corpus: folder or file.
        inputs: what is used of it, by modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
        name: which corpus it must be; None for the first that recognises it.
        options: what single corpora ask for besides; others pass over it.

    Raises:
        MertkError: there is no corpus of this name.
    """
    modules = {one: find_corpus(one) for one in ([name] if name else describe_corpora())}
    needed = ("check",) if name else ("check", "recognises", "EXPECTED")
    known = {one: module for one, module in modules.items() if all(hasattr(module, part) for part in needed)}
    if not corpus.exists():
        return Finding("FAIL", "corpus", f"{corpus}: no such file or directory; mend the path")
    if name and not known:
        return Finding("ok", "corpus", f"{corpus}: {name} has no check of its own")
    for module in known.values():
        if name or module.recognises(corpus, **options):
            return module.check(corpus, inputs, **options)
    expected = "; ".join(f"{one} ({module.EXPECTED})" for one, module in known.items())
    return Finding("FAIL", "corpus", f"{corpus}: none of the corpora that are known: {expected}")
