"""What the parsers of all extractions have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mertk.cli import positive_int, share

if TYPE_CHECKING:
    from mertk.features.extractor import Extractor

Kind = TypeVar("Kind", bound="Extractor")


def add_extraction_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that every extraction has."""
    add = parser.add_argument
    add("--num_processes", type=positive_int, help="stop when the launcher started another number of processes")
    largest = "largest share of utterances without features (default: %(default)s)"
    add("--max_lost", type=share, default=0.01, help=largest)
    add("--overwrite", action="store_true", help="throw features away that are there and were made differently")


def add_extractor_argument(
    parser: argparse.ArgumentParser, base: str, short_name: str | None = None, several: bool = False
) -> None:
    """`--extractor`: `short_name`, or the dotted path of a class of one's own, which inherits from `base`.

    Args:
        several: whether more of them may follow (`split_extractors`).
    """
    parser.add_argument(
        "--extractor",
        nargs="+",
        metavar=("PATH", "key=value"),
        help=f"{short_name + ', or ' if short_name else ''}a class of your own, which inherits from "
        f"mertk.features.{base}, by its dotted path, and its arguments{'; others may follow' if several else ''}",
    )


def split_extractors(words: Sequence[str]) -> list[list[str]]:
    """Each extractor of `--extractor` with its arguments: the next one begins with the name of a class.

    >>> split_extractors(["my.Loudness", "window_samples=160", "my.Pitch"])
    [['my.Loudness', 'window_samples=160'], ['my.Pitch']]
    """
    found: list[list[str]] = []
    for word in words:
        if not found or ("=" not in word and ("." in word or word[:1].isupper())):
            found.append([word])
        else:
            found[-1].append(word)
    return found


def add_layers_argument(parser: argparse.ArgumentParser) -> None:
    """`--layers`: of which layers of an encoder the features are."""

    def layers(text: str) -> str:
        from mertk.features.layers import read_layers

        try:
            return read_layers(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    told = (
        "several layers, side by side: all, or some of 0 (what goes into the first), 1, 2, ... and last, as in "
        "6,9,last; a model weighs them as it learns (default: features of one)"
    )
    parser.add_argument("--layers", type=layers, help=told)


def add_out_argument(parser: argparse.ArgumentParser) -> None:
    """`--out`, a directory for each extractor."""
    told = "feature directory to write; of several encoders or extractors one for each, in their order"
    parser.add_argument("--out", type=Path, nargs="+", required=True, metavar="DIR", help=told)


def add_pool_argument(parser: argparse.ArgumentParser) -> None:
    """`--pool`: one vector of each utterance in place of its frames."""
    told = (
        "keep one vector of each utterance: the mean of its frames, or statistics, mean and standard deviation side by "
        "side (default: all frames)"
    )
    parser.add_argument("--pool", choices=("mean", "statistics"), help=told)


def add_precision_argument(parser: argparse.ArgumentParser, others: Sequence[str] = ()) -> None:
    """`--precision` of a pretrained encoder, which has short names; `others` besides float32 and bfloat16."""
    names = ("float32", "bfloat16", *others)

    def precision(text: str) -> str:
        name = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}.get(text, text)
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"got {text!r}, expected {' or '.join(names)} (bf16 is short for bfloat16)"
            )
        return name

    told = "of what the encoder computes; bf16 is twice as fast on most GPUs (default: float32)"
    parser.add_argument("--precision", type=precision, metavar=f"{{{','.join(names)}}}", help=told)


def check_places(parser: argparse.ArgumentParser, num_extractors: int, places: Sequence[Path]) -> None:
    """End with wrong usage where extractors and directories are not equally many."""
    if num_extractors != len(places):
        parser.error(
            f"--out: got {len(places)} for {num_extractors} encoders or extractors; give each a directory of its own"
        )


def refuse_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace, names: Sequence[str]) -> None:
    """End with wrong usage where options that describe an extractor are given beside `--extractor`."""
    given = [f"--{name}" for name in names if getattr(arguments, name) is not None]
    if given:
        parser.error(f"{', '.join(given)}: the arguments of an --extractor follow it, as key=value")


def named_extractor(words: Sequence[str], base: type[Kind], device: str) -> Callable[[], Kind]:
    """What builds the extractor that `--extractor` names, for one of mertk's the name of its class will do.

    Its arguments are checked by their names and types.

    Raises:
        MertkError: no such class, one of something else, or arguments that it does not take.
    """
    from mertk.components import build
    from mertk.config.merging import CLASS_KEY, read_setting
    from mertk.features.registry import find_extractor
    from mertk.veiling import unveil

    path, *settings = words
    kind = find_extractor(path, "--extractor", kind=base)
    description = {CLASS_KEY: f"{kind.__module__}.{kind.__qualname__}"}
    for setting in settings:
        description |= unveil(read_setting(setting))
    return lambda: build(description, "--extractor", {"device": device}, kind=base)
