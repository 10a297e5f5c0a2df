"""Options of every program that makes a data directory of a table of one's own."""

from __future__ import annotations

import argparse
from typing import Any

from mertk import cli
from mertk.batch import MODALITIES

#: what parts may be kept apart by
KINDS = ("speaker", "session", "recording", "utterance")
TASKS = ("classification", "regression", "multilabel")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `prepare_rows` takes (`read_arguments`)."""
    add = parser.add_argument
    add("--task", choices=TASKS, help="what the labels are (default: chosen from them, and told)")
    add("--classes", type=_names, metavar="A,B,...", help="the classes in their order; other labels are left out")
    add("--modalities", type=_modalities, metavar="A,B", help="of audio, video and text (default: those of most rows)")
    add(
        "--folds", type=_folds, default=5, metavar="K", help="folds where the table has no parts (default: %(default)s)"
    )
    add("--keep_together", choices=KINDS, help="what no two parts share (default: speakers, sessions and recordings)")
    add("--max_lost", type=cli.share, default=0.05, help="share of the rows that may be lost (default: %(default)s)")
    add("--threads", type=cli.positive_int, help="files looked into at once (default: as many as there are cores)")


def read_arguments(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `prepare_rows` from the options of `add_arguments`."""
    return {
        "task": arguments.task,
        "k": arguments.folds,
        "max_lost": arguments.max_lost,
        "keep_together": arguments.keep_together,
        "class_order": arguments.classes,
        "modalities": arguments.modalities,
        "threads": arguments.threads,
    }


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected names with commas between them, each once, got {text!r}")
    return names


def _modalities(text: str) -> list[str]:
    names = text.replace(",", " ").split()
    if not names or not set(names) <= set(MODALITIES):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(MODALITIES)}, got {text!r}")
    return [name for name in MODALITIES if name in names]


def _folds(text: str) -> int:
    if not text.isdigit() or int(text) < 3:
        raise argparse.ArgumentTypeError(f"expected a number from 3, got {text!r}")
    return int(text)
