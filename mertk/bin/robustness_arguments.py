"""The part of `mertk evaluate` that scores models with modalities absent, partly missing or noisy: its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import positive_int
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.parser import Parser
    from mertk.run.conditions import Wanted

#: options that mean nothing without another
_NEEDS = {
    "seeds": ("missing", "noise_snr"),
    "missing_units": ("missing",),
    "block_frames": ("missing",),
    "noise_folder": ("noise_snr",),
}


def add_robustness_arguments(parser: Parser) -> None:
    add = parser.add_argument
    several = {"action": "extend", "default": []}
    add(
        "--drop",
        type=_drops,
        metavar="MODALITY[,...]",
        help="score with video absent, say; audio+video: both",
        **several,
    )
    add(
        "--missing",
        type=_missing,
        metavar="MODALITY=RATES",
        help="with a share of it missing: audio=0:1:0.1 (START:STOP:STEP), audio=0.2,0.5",
        **several,
    )
    told = "what is missing at once: a modality of an utterance (default), or frames of it"
    add("--missing_units", choices=("utterances", "frames", "blocks"), help=told)
    add("--block_frames", type=positive_int, metavar="N", help="frames of a block (default: 10; of sound 20 ms each)")
    add("--noise_snr", type=_levels, metavar="DB[,...]", help="with noise over the sound: 20,10,0; below 0: =-5")
    add("--noise_folder", type=Path, metavar="DIR", help="recordings of noise, in place of white noise")
    add("--seeds", type=positive_int, metavar="N", help="draws of what is missing and of noise (default: 1)")


def find_wanted(parser: Parser, arguments: argparse.Namespace) -> Wanted | None:
    """What is to be scored besides the models as they are; None for nothing."""
    for option, needed in _NEEDS.items():
        if getattr(arguments, option) is not None and not any(getattr(arguments, name) for name in needed):
            parser.error(f"--{option} means nothing without {' or '.join(f'--{name}' for name in needed)}")
    if arguments.block_frames is not None and arguments.missing_units != "blocks":
        parser.error("--block_frames means nothing without --missing_units blocks")
    if not (arguments.drop or arguments.missing or arguments.noise_snr):
        return None
    if arguments.part != "test":
        parser.error(f"--part {arguments.part}: what a model copes with is found on the test part; leave --part out")
    from mertk.run.conditions import Wanted

    given = {
        "units": arguments.missing_units,
        "block_frames": arguments.block_frames,
        "num_seeds": arguments.seeds,
        "snrs": arguments.noise_snr,
    }
    given = {name: value for name, value in given.items() if value is not None}
    return Wanted(arguments.drop, arguments.missing, noise_folder=arguments.noise_folder, **given)


def _drops(text: str) -> list[tuple[str, ...]]:
    from mertk.run.conditions import read_modalities

    return [_parsed(read_modalities, word) for word in text.split(",")]


def _missing(text: str) -> list[tuple[tuple[str, ...], list[float]]]:
    from mertk.run.conditions import read_modalities

    names, is_given, rates = text.partition("=")
    if not is_given:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected MODALITY=RATES, such as audio=0:1:0.1")
    return [(_parsed(read_modalities, names), _levels(rates))]


def _levels(text: str) -> list[float]:
    from mertk.run.conditions import read_levels

    return _parsed(read_levels, text)


def _parsed(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except MertkError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
