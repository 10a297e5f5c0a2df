"""Pictures of what a trained model makes of a part: its representations in two dimensions.

Models that have representations (HSCL: before and after features are decoupled; Foal-Net: sound and picture before and
after they are aligned) give vectors for every utterance. Those of one stage are drawn together, by their principal
components or UMAP (the extra umap), coloured by what they stand for and by label: pca_STAGE.png, and
pca.json with the share of the variance that the picture shows and how far apart the groups are in all dimensions
(silhouette). `mertk report` shows the pictures of a run.
"""

from __future__ import annotations

from pathlib import Path

from mertk.bin.encoder_arguments import add_encoder_arguments
from mertk.cli import add_trust_argument, make_parser, program
from mertk.screen import say

EXAMPLE = """\
mertk plot exp/mosi/hscl/paper/official-clean/fold_1/seed_1111
mertk plot exp/iemocap/foal/paper/session-clean/fold_1/seed_1234 --projection umap"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="directory of a finished run")
    parser.add_argument("--part", default="test", choices=("train", "validation", "test"), help="part to look at")
    told = "principal components, or UMAP, which keeps neighbours near and says nothing of distances"
    parser.add_argument("--projection", default="pca", choices=("pca", "umap"), help=told)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the pictures go (default: RUN_DIR)")
    add_encoder_arguments(parser)
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)

    from mertk.atomic.directories import check_may_be_made
    from mertk.features import Places
    from mertk.report.representations import write_pictures
    from mertk.run.evaluation import open_run
    from mertk.run.representation import represent

    out = arguments.out or arguments.run
    check_may_be_made(out, "--out ")
    places = Places(arguments.speech, arguments.clip, arguments.bert)
    config, saved, part = open_run(arguments.run, arguments.part, arguments.trust, places)
    stages, labels = represent(config, saved.model, part)
    about = f"{config.run.recipe}, {config.run.variant}, seed {config.training.seed}, {arguments.part} part"
    given = (stages, labels, about, out, arguments.run, arguments.part, saved.info)
    for line in write_pictures(*given, arguments.projection):
        say(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
