"""How stages called programs before there was one command, so that a mark of then still stands for what it did."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MODULE = re.compile(r"(?:mertk\.)?(?P<folder>bin|data_prep)\.(?P<name>\w+)")
#: programs that are not called as their module is
_RENAMED = {"facts": "recipe-facts", "validate_data": "validate"}
#: what each extraction calls the weights of its encoder, once `--weights`
_WEIGHTS = {"audio": "--speech", "video": "--clip", "text": "--bert"}


def as_spelt_now(command: Sequence[str]) -> list[str]:
    """The words of a stage's command as a recipe has them today.

    >>> as_spelt_now(["python", "-m", "mertk.bin.launch", "data_prep.extract_video", "--weights", "clip"])
    ['python', '-m', 'mertk', 'launch', 'extract', 'video', '--clip', 'clip']
    """
    words: list[str] = []
    for word in command:
        if found := _MODULE.fullmatch(word):
            words += ["mertk"] * (words[-1:] == ["-m"])
            words += _command(found["folder"], found["name"])
        elif re.fullmatch(r"data_prep\.synthetic\.\w+", word):
            words.append(f"mertk.{word}")
        else:
            words.append(re.sub(r"(?<!/mertk)/conf/slurm\.yaml$", "/mertk/conf/slurm.yaml", word))
    kind = words[words.index("extract") + 1] if "extract" in words[:-1] else ""
    return [_WEIGHTS.get(kind, word) if word == "--weights" else word for word in words]


def _command(folder: str, name: str) -> list[str]:
    if folder == "bin":
        return [_RENAMED.get(name, name.replace("_", "-"))]
    if name.startswith("extract_"):
        return ["extract", name.removeprefix("extract_")]
    return ["prepare", name]
