"""The corpora that there are: modules of this folder that have `prepare`, by name.

`check_corpus` asks each of them whether it knows what lies at a path. A corpus answers by

    def check(corpus: Path, inputs: Mapping[str, str] | None = None, **options) -> Finding | None

with None where it does not know it; the words for what it looks for are its `EXPECTED`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from mertk.checkup.finding import Finding


@cache
def corpus_names() -> tuple[str, ...]:
    """Names of the modules in which `prepare` stands, sorted; none of them is imported."""
    return tuple(file.stem for file in sorted(Path(__file__).parent.glob("*.py")) if _has_prepare(file))


def _has_prepare(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return "def prepare(" in text and any(
        isinstance(node, ast.FunctionDef) and node.name == "prepare" for node in ast.parse(text).body
    )


def corpora() -> Iterator[ModuleType]:
    """The modules, in the order of `corpus_names`."""
    for name in corpus_names():
        yield importlib.import_module(f"{__package__}.{name}")


def check_corpus(corpus: Path, inputs: Mapping[str, str] | None = None, **options: object) -> Finding:
    """Whether there is what a run needs of a corpus.

    Args:
        corpus: folder or file.
        inputs: what is used of it, by modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
        options: what single corpora ask for besides; others pass over it.
    """
    if not corpus.exists():
        return Finding("FAIL", "corpus", f"{corpus}: no such file or directory; mend the path")
    expected = []
    for module in corpora():
        look = getattr(module, "check", None)
        finding = look(corpus, inputs, **options) if look is not None else None
        if finding is not None:
            return finding
        if hasattr(module, "EXPECTED"):
            expected.append(f"{module.__name__.rpartition('.')[2]} ({module.EXPECTED})")
    return Finding("FAIL", "corpus", f"{corpus}: none of the corpora that are known: {'; '.join(expected)}")
