"""Features of what is said: tokens for a text encoder that is trained with the model, its states, or your own features.

Tokens are the input of `data.inputs.text.kind=tokens`, all others that of `kind=features`. Several processes share the
transcripts; run again after an interruption, only what is missing is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from mertk.cli import count, make_parser, positive_int, program
from mertk.data_prep.extraction_arguments import (
    add_extraction_arguments,
    add_extractor_argument,
    add_layers_argument,
    add_pool_argument,
    add_precision_argument,
    named_extractor,
    refuse_options,
)
from mertk.screen import say

EXAMPLE = """
mertk extract text --data data/mosi_raw --bert bert-base-uncased \\
    --out data/mosi_raw/features/tokens
mertk launch extract text --data data/sims_raw --bert bert-base-chinese --max_tokens 39 \\
    --out data/sims_raw/features/tokens --embeddings data/sims_raw/features/text
mertk extract text --data data/mosi_raw --encoder Qwen/Qwen2.5-0.5B --last_token \\
    --out data/mosi_raw/features/tokens --embeddings data/mosi_raw/features/vectors
"""

#: options that say how mertk's own extractors work
OPTIONS = ("bert", "embeddings", "max_tokens", "layers", "last_token", "dtype", "precision")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with text")
    told = (
        "BERT and its like, or a language model of transformers: local folder or hub id; for tokens a tokenizer will do"
    )
    add("--bert", "--encoder", former="--weights", metavar="WEIGHTS", help=told)
    add_extractor_argument(parser, "TextExtractor")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write the tokens to")
    add("--embeddings", type=Path, metavar="DIR", help="feature directory to write the encoder's last states to")
    add("--max_tokens", type=positive_int, help="most tokens of a text, both ends included (default: 50)")
    add_layers_argument(parser)
    told = "of a language model: keep the state of the last token alone, which has read all others"
    add("--last_token", action="store_const", const=True, help=told)
    add_pool_argument(parser)
    add("--dtype", choices=("float32", "float16"), help="of the states on disk (default: float32)")
    add_precision_argument(parser)
    told = "most tokens in a batch, padding included; 0: one text at a time (default: 8192 on a GPU, 0 elsewhere)"
    add("--batch_tokens", type=count, metavar="N", help=told)
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    if arguments.extractor:
        refuse_options(parser, arguments, OPTIONS)
    elif not arguments.bert:
        parser.error("expected --bert or --extractor")
    if not arguments.embeddings and (arguments.layers or arguments.dtype):
        parser.error("--layers and --dtype go with --embeddings")
    if not arguments.embeddings and arguments.last_token:
        parser.error("--last_token goes with --embeddings")
    if not arguments.embeddings and arguments.precision:
        parser.error("--precision goes with --embeddings")
    if arguments.pool and not (arguments.embeddings or arguments.extractor):
        parser.error("--pool goes with --embeddings or --extractor: tokens have no mean")
    if arguments.pool and arguments.last_token:
        parser.error("--pool and --last_token: give one of them")
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.features.modalities import TextExtractor
    from mertk.features.text_extraction import TextExtraction
    from mertk.features.text_states import TextStates
    from mertk.features.tokenizer import Tokenizer
    from mertk.processes import leave_group, start_processes

    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("text",))
    weights, max_tokens = arguments.bert, arguments.max_tokens or 50

    def extract(
        make: Callable[[], TextExtractor], out: Path, dtype: str | None = None, pool: str | None = None
    ) -> TextExtraction:
        given = (dtype, arguments.max_lost, arguments.overwrite, pool, arguments.batch_tokens)
        extraction = TextExtraction(make, manifest, out, processes, *given)
        extraction.run()
        return extraction

    if arguments.extractor:
        make = named_extractor(arguments.extractor, TextExtractor, processes.device)
        done = extract(make, arguments.out, pool=arguments.pool)
    else:
        if arguments.embeddings is not None:  # first: an encoder that will not do leaves nothing behind
            places = (weights, max_tokens, processes.device)
            given = (*places, arguments.layers, arguments.last_token, arguments.precision)
            extract(lambda: TextStates(*given), arguments.embeddings, arguments.dtype, arguments.pool)
        done = extract(lambda: Tokenizer(weights, max_tokens), arguments.out)
    if done.told_of_lengths:
        say(done.told_of_lengths)
    leave_group()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
