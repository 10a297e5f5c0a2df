"""Hand a trained model on: weights, configuration, classes, what its features are made of, and a model card.

Of an experiment of several folds or seeds, all models go together, and their answers are averaged; --run takes one.
What is written says nothing of this machine's folders, and nothing of it is run by those who load it: with
mertk.load("DIR"), mertk.load("owner/name@revision") or mertk predict --model owner/name. Encoders that were frozen
are named, with the fingerprint of their weights, and copied on request alone.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import add_trust_argument, make_parser, program

EXAMPLE = """\
mertk export exp/iemocap/foal/paper/session-clean --to foal-iemocap
mertk export exp/own/clips/foal/small/speaker-clean --run best --to hub:OWNER/NAME --private
mertk export exp/mosi/hscl_raw/paper/official-clean --to hscl --bert google-bert/bert-base-uncased
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("model", type=Path, metavar="EXP_OR_RUN", help="an experiment of one protocol, a run, or a model (RUN/best)")
    add("--to", required=True, metavar="DIR|hub:OWNER/NAME", help="a new directory, or a model on the Hugging Face hub")
    add("--run", default="all", metavar="all|best|FOLD/SEED", help="which models of an experiment; best by validation")
    add("--format", default="mertk", choices=("mertk", "onnx"), help="for mertk, or a graph for ONNX Runtime")
    add(
        "--with_encoders",
        action="store_true",
        help="copy encoders that were frozen, too; into a graph, if they are of the model",
    )
    shall = "that others shall take, an id of the hub, when that is not where it was in training"
    add("--speech", metavar="WEIGHTS", help=f"the speech encoder {shall}")
    add("--clip", metavar="WEIGHTS", help=f"the CLIP model {shall}")
    add("--bert", metavar="WEIGHTS", help=f"the text encoder, or its tokenizer, {shall}")
    add("--licence", metavar="ID", help="of the weights, as the hub abbreviates it, such as cc-by-nc-4.0")
    add("--corpus_licence", metavar="TEXT", help="of a corpus of your own, in words")
    add("--private", action="store_true", help="hub: only you, and whom you let, can see a repository that is new")
    add("--revision", metavar="BRANCH", help="hub: a branch, which is made where there is none")
    add("--overwrite", action="store_true", help="replace a model card that was edited since it was written")
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)

    from mertk.features import Places
    from mertk.handover.handing_on import hand_on
    from mertk.handover.wishes import Wishes

    wishes = Wishes(
        run=arguments.run,
        kind=arguments.format,
        with_encoders=arguments.with_encoders,
        places=Places(arguments.speech, arguments.clip, arguments.bert),
        licence=arguments.licence,
        corpus_licence=arguments.corpus_licence,
        trusted=tuple(arguments.trust),
        overwrite=arguments.overwrite,
    )
    hand_on(arguments.model, arguments.to, wishes, arguments.private, arguments.revision)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
