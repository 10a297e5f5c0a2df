"""The corpora that there are: modules of this folder that have `prepare` and a program, `main`, by name.

So that a corpus is looked into before a run begins, a module may have

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
from functools import cache
from pathlib import Path
from types import ModuleType

from mertk.checkup.finding import Finding
from mertk.errors import MertkError


@cache
def describe_corpora(folder: Path = Path(__file__).parent) -> dict[str, str]:
    """By name, sorted, what a corpus is in one line; none of the modules is imported."""
    found = {}
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "def prepare(" in text:
            module = ast.parse(text)
            if {"prepare", "main"} <= {node.name for node in module.body if isinstance(node, ast.FunctionDef)}:
                found[file.stem] = (ast.get_docstring(module) or file.stem).partition("\n")[0].rstrip(".")
    return found


def find_corpus(name: str) -> ModuleType:
    """The module of a corpus.

    Raises:
        MertkError: there is none of this name.
    """
    if name not in describe_corpora():
        raise MertkError(f"corpus {name!r} is not known; expected one of {', '.join(describe_corpora())}.")
    return importlib.import_module(f"{__package__}.{name}")


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
    known = [module for module in map(find_corpus, [name] if name else describe_corpora()) if hasattr(module, "check")]
    if name is None:
        known = [module for module in known if hasattr(module, "recognises") and hasattr(module, "EXPECTED")]
    if not corpus.exists():
        return Finding("FAIL", "corpus", f"{corpus}: no such file or directory; mend the path")
    if name and not known:
        return Finding("ok", "corpus", f"{corpus}: {name} has no check of its own")
    for module in known:
        if name or module.recognises(corpus, **options):
            return module.check(corpus, inputs, **options)
    expected = "; ".join(f"{module.__name__.rpartition('.')[2]} ({module.EXPECTED})" for module in known)
    return Finding("FAIL", "corpus", f"{corpus}: none of the corpora that are known: {expected}")
