"""The command `mertk NAME`, also `python -m mertk NAME`: the program of each name; none is imported before it runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

MODULES = {
    "new": "mertk.bin.new",
    "train": "mertk.bin.train",
    "cross-validate": "mertk.bin.cross_validate",
    "evaluate": "mertk.bin.evaluate",
    "predict": "mertk.bin.predict",
    "summarize": "mertk.bin.summarize",
    "plot": "mertk.bin.plot",
    "validate": "mertk.bin.validate_data",
    "doctor": "mertk.bin.doctor",
    "launch": "mertk.bin.launch",
    "stage": "mertk.bin.stage",
    "submit": "mertk.bin.submit",
    "recipe-facts": "mertk.bin.facts",
}


def main(argv: list[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("\n".join(["mertk NAME ..., with NAME one of:", *MODULES, "prepare CORPUS", "extract audio|video|text"]))
        return 0
    module, rest = find_module(words)
    return importlib.import_module(module).main(rest)


def find_module(words: Sequence[str]) -> tuple[str, list[str]]:
    """The module that the first words of a command line name, `train` or `extract video`, and the words behind them.

    Raises:
        MertkError: neither a command nor a module, of one's own too.
    """
    from importlib.util import find_spec

    from mertk.errors import MertkError

    name, *rest = words
    if name in MODULES:
        return MODULES[name], rest
    if name in ("prepare", "extract") and rest:
        return f"mertk.data_prep.{'extract_' * (name == 'extract')}{rest[0]}", rest[1:]
    if find_spec(name) is None:
        raise MertkError(f"{name}: no program, expected a command of mertk or a module.")
    return name, rest
