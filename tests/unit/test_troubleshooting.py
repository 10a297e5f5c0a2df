"""docs/troubleshooting.md quotes messages that the code has."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.findall(r"^> `(.*)`$", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
#: told by msgspec or OmegaConf in mertk's words
OTHERS = {"Key '…' not in '…'": "omegaconf"}


@cache
def messages() -> str:
    """All texts of the code, with … for what is filled in."""
    found = []
    for path in [*(ROOT / "mertk").glob("**/*.py"), *(ROOT / "data_prep").glob("**/*.py")]:
        found += [_text(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    for path in (ROOT / "recipes/common").glob("**/*.sh"):
        found.append(re.sub(r"\$\{[^}]*\}|\$\w+", "…", path.read_text(encoding="utf-8")))
    return re.sub(r"…+", "…", "\n".join(filter(None, found)))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_messages_are_quoted():
    assert len(QUOTED) >= 30


@pytest.mark.parametrize("quote", QUOTED)
def test_a_quoted_message_is_one_of_the_code(quote):
    if quote not in OTHERS:
        assert re.sub(r"…+", "…", quote) in messages()


def test_texts_that_nobody_says_are_found_out():
    assert "there is no such message in the whole of it" not in messages()
