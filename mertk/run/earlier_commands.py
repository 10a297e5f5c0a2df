"""How stages called programs and their options before, so that a mark of then still stands for what it did."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MODULE = re.compile(r"(?:mertk\.)?(?P<folder>bin|data_prep)\.(?P<name>\w+)")
#: programs that are not called as their module is
_RENAMED = {"report": "plot", "facts": "recipe-facts", "validate_data": "validate"}
#: by program, options that are called otherwise now
_OPTIONS = {
    ("extract", "audio"): {"--weights": "--speech"},
    ("extract", "video"): {"--weights": "--clip"},
    ("extract", "text"): {"--weights": "--bert"},
    ("doctor",): {"--weights": "--speech", "--tokenizer": "--bert"},
}


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
    return _with_options(words)


def _with_options(words: list[str]) -> list[str]:
    """The words with the options of the first program among them that has others now."""
    for place in range(len(words)):
        for program, options in _OPTIONS.items():
            if tuple(words[place : place + len(program)]) == program:
                return [*words[:place], *(options.get(word, word) for word in words[place:])]
    return words


def _command(folder: str, name: str) -> list[str]:
    if folder == "bin":
        return [_RENAMED.get(name, name.replace("_", "-"))]
    if name.startswith("extract_"):
        return ["extract", name.removeprefix("extract_")]
    return ["prepare", name]
