"""Say what a recipe must know before it begins, one `name=value` a line: of a data directory, or of a configuration.

Of --data what corpus.json says: `corpus`, `source`, `miniature` (yes or no), `label_map` and `labels` where it says,
and `alignment` of features that came in a file. Nothing is said of a directory that is not there yet or holds no
manifest; one that holds a manifest and no corpus.json is no miniature. With --content also what it holds:
`modalities`; the `task`, and `classes` or the `least` and `largest` intensity and how far from 0 they `reach`; the
kinds of folds (`cvs`), how many and under which protocols (`folds.KIND`, `protocols.KIND`). Of --config the inputs
that are used, by modality: `waveform`, `features`, `tokens`, or `given` for those in a directory of their own; and the
pretrained weights, by the key that names them. An --engine that is none is refused here, before the recipe makes
features that nothing could be trained on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mertk.cli import make_parser, program
from mertk.errors import MertkError

EXAMPLE = """\
mertk recipe-facts --data data/iemocap --content
mertk recipe-facts --config recipes/common/conf/foal.yaml data.inputs.video=null"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--data", type=Path, metavar="DIR", help="data directory")
    parser.add_argument("--content", action="store_true", help="say of --data also what it holds")
    parser.add_argument("--config", nargs="+", metavar="YAML", help="configuration, files merged in order")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of --config")
    parser.add_argument("--engine", metavar="NAME|YAML", help="refuse what is no engine")
    parser.add_argument("--offload", action="store_true", help="refuse an engine that cannot do that")
    arguments = parser.parse_args(argv)
    if (arguments.data is None) == (arguments.config is None):
        parser.error("expected either --data or --config")
    if arguments.content and arguments.data is None:
        parser.error("--content needs --data")

    from mertk.checkup.recipe_facts import facts_of_config, facts_of_content, facts_of_data
    from mertk.run.engine_file import check_engine

    try:
        check_engine(arguments.engine, arguments.offload)
    except MertkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.data is not None:
        facts = facts_of_data(arguments.data)
        if arguments.content:
            facts |= facts_of_content(arguments.data)
    else:
        facts = facts_of_config(arguments.config, arguments.settings)
    for name, value in facts.items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
