"""Options of programs that open finished runs: where their encoders are, when not where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mertk.parser import Parser


def add_encoder_arguments(parser: Parser, also: str = "") -> None:
    """Where encoders are that adapters of a run stand beside; `also` says what else `--speech` is for."""
    told = "the {} encoder of models whose adapters were trained{}, when it is not where it was"
    parser.add_argument("--speech", metavar="WEIGHTS", help=told.format("speech", also))
    parser.add_argument("--clip", metavar="WEIGHTS", help=told.format("picture", ""))
    parser.add_argument("--bert", metavar="WEIGHTS", help=told.format("text", ""))
