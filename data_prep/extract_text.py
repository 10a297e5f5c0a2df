"""Features of what is said: tokens for a text encoder that is trained with the model, its states, or your own features.

Tokens are the input of `data.inputs.text.kind=tokens`, all others that of `kind=features`. Several processes share the
transcripts; run again after an interruption, only what is missing is made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mertk.cli import make_parser, program
from mertk.data_prep.extraction_arguments import (
    add_extraction_arguments,
    add_extractor_argument,
    named_extractor,
    positive_int,
    refuse_options,
)

EXAMPLE = """
mertk extract text --data data/mosi_raw --weights bert-base-uncased --out data/mosi_raw/features/tokens
accelerate launch -m mertk.data_prep.extract_text --data data/sims_raw --weights bert-base-chinese --max_tokens 39 \\
    --out data/sims_raw/features/tokens --embeddings data/sims_raw/features/text
"""

#: options that say how mertk's own extractors work
OPTIONS = ("weights", "embeddings", "max_tokens")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with text")
    add("--weights", help="BERT of transformers: local folder or hub id; for tokens its tokenizer will do")
    add_extractor_argument(parser, "TextExtractor")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write the tokens to")
    add("--embeddings", type=Path, metavar="DIR", help="feature directory to write the encoder's last states to")
    add("--max_tokens", type=positive_int, help="most tokens of a text, both ends included (default: 50)")
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    if arguments.extractor:
        refuse_options(parser, arguments, OPTIONS)
    elif not arguments.weights:
        parser.error("expected --weights or --extractor")
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.data.processes import start_processes
    from mertk.features.modalities import TextExtractor
    from mertk.features.text_extraction import TextExtraction
    from mertk.features.text_states import TextStates
    from mertk.features.tokenizer import Tokenizer

    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("text",))
    given = {"max_lost": arguments.max_lost, "overwrite": arguments.overwrite}
    weights, max_tokens = arguments.weights, arguments.max_tokens or 50
    if arguments.extractor:
        make = named_extractor(arguments.extractor, TextExtractor, processes.device)
        TextExtraction(make, manifest, arguments.out, processes, **given).run()
    else:
        tokens = TextExtraction(lambda: Tokenizer(weights, max_tokens), manifest, arguments.out, processes, **given)
        tokens.run()
        if arguments.embeddings is not None:
            make = lambda: TextStates(weights, max_tokens, processes.device)  # noqa: E731
            TextExtraction(make, manifest, arguments.embeddings, processes, **given).run()
        if processes.is_main:
            print(tokens.told_of_lengths)
    processes.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
