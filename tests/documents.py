"""What documents show: blocks of code, the command lines in them, and of which kind each is."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: first words of command lines
PROGRAMS = (
    *(
        "mertk",
        "python",
        "python3",
        "bash",
        "pip",
        "git",
        "accelerate",
        "tensorboard",
        "sbatch",
        "pytest",
        "pre-commit",
    ),
    *("run.sh", "cd", ".", "mkdocs", "docker", "uv"),
)
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:    .*\n(?:\n(?=    ))?)+", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Code of a document.

    Attributes:
        kind: `python`, `commands`, `yaml`, another language of a fence, or `text`, which is only shown.
        line: where it begins, from 1.
    """

    document: str
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    def commands(self) -> list[str]:
        """Its command lines, those that are continued as one, comments left out."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def read_blocks(path: Path) -> list[Block]:
    """The blocks of a document, in order: fences, and what is indented."""
    text = path.read_text(encoding="utf-8")
    found = [(match.start(), match[2], _dedent(match[3], len(match[1]))) for match in _FENCE.finditer(text)]
    outside = _FENCE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
    found += [(match.start(), "", textwrap.dedent(match[0])) for match in _INDENTED.finditer(outside)]
    return [
        Block(path.name, text.count("\n", 0, start) + 1, kind_of(language, code), code)
        for start, language, code in sorted(found)
    ]


def kind_of(language: str, code: str) -> str:
    """Of which kind a block is, by the language of its fence, or by how it begins."""
    if language:
        return {"bash": "commands"}.get(language, language)
    first = code.lstrip("\n").split("\n", 1)[0]
    if re.match(r"(import|from) \w|mertk\.\w+\(|\w+ = mertk\.", first):
        return "python"
    if first.split(" ", 1)[0] in PROGRAMS or re.match(r"\w+=\S+$", first):
        return "commands"
    return "yaml" if re.match(r"\w+:$", first) else "text"


def _dedent(text: str, by: int) -> str:
    return "".join(line[by:] if line.strip() else line for line in text.splitlines(keepends=True))


#: what stands in blocks of commands and is none: what they print
PRINTED = {"predict.md": r"file  |lecture\.wav  "}
BLOCKS = {path.name: read_blocks(path) for path in DOCUMENTS}
#: pages with classes and functions of one's own, and the tests that run these
ELSEWHERE = {
    "adding.md": "test_architecture_document.py",
    "components.md": "test_components_document.py",
    "data.md": "test_data_directory.py",
    "features.md": "test_own_extractors.py",
    "onnx.md": "test_onnx.py",
    "python.md": "test_api.py",
    "tasks.md": "test_tasks.py",
}
