"""Options of programs that let trained models answer, and the models that they name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import add_trust_argument

if TYPE_CHECKING:
    from mertk.parser import Parser
    from mertk.run.prediction import Predictor


def add_model_arguments(parser: Parser) -> None:
    """Which models, where their encoders are, and where to compute."""
    add = parser.add_argument
    models = "model directories (RUN/best), exported ones, or owner/name[@revision] of the hub"
    add("--model", type=Path, nargs="+", action="extend", required=True, help=models)
    told = "refuse models that do not look at faces alone; those that do need no option"
    add("--crop", choices=("face",), help=told)
    elsewhere = "that the features were made with, when it is not where it was"
    add("--clip", former="--weights", metavar="WEIGHTS", help=f"the CLIP model {elsewhere}")
    add("--speech", former="--audio_weights", metavar="WEIGHTS", help=f"the speech encoder {elsewhere}")
    add("--bert", former="--tokenizer", metavar="WEIGHTS", help=f"the text encoder, or its tokenizer, {elsewhere}")
    add("--device", help="cpu, cuda, cuda:1, ...; by default the first GPU, or the CPU")
    add_trust_argument(parser)


def open_predictor(arguments: argparse.Namespace, models: Sequence[Path]) -> Predictor:
    """The models with all that recordings need, loaded; tells what is to be known of their answers.

    Raises:
        MertkError: no such model, models that do not go together, encoders that are not there.
    """
    from mertk.features import Places
    from mertk.run.prediction import Predictor
    from mertk.screen import tell

    places = Places(arguments.speech, arguments.clip, arguments.bert)
    predictor = Predictor(models, arguments.device, places, arguments.trust)
    if arguments.crop == "face":
        predictor.check_faces()
    for warning in [*predictor.notes, *predictor.warnings]:
        tell(f"note: {warning}")
    predictor.prepare()
    return predictor
