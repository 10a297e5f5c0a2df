"""Features of what is said: tokens for a text encoder that is trained with the model, or its states, made once.

Tokens are the input of `data.inputs.text.kind=tokens`, states that of `kind=features`. Several processes share the
transcripts; run again after an interruption, only what is missing is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import make_parser, program
from mertk.data_prep.extraction import Extraction, add_extraction_arguments, compute_exactly, positive_int
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.recording_error import RecordingError
    from mertk.data_prep.extraction_plan import Utterance
    from mertk.encoders.text_features import TextStates
    from mertk.encoders.tokenizer import Tokenizer

EXAMPLE = """
python -m data_prep.extract_text --data data/mosi_raw --weights bert-base-uncased --out data/mosi_raw/features/tokens
accelerate launch -m data_prep.extract_text --data data/sims_raw --weights bert-base-chinese --max_tokens 39 \\
    --out data/sims_raw/features/tokens --embeddings data/sims_raw/features/text
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with text")
    add(
        "--weights",
        required=True,
        help="BERT of transformers: local folder or hub id; for tokens its tokenizer will do",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write the tokens to")
    add("--embeddings", type=Path, metavar="DIR", help="feature directory to write the encoder's last states to")
    add("--max_tokens", type=positive_int, default=50, help="most tokens of a text, both ends included (%(default)s)")
    add_extraction_arguments(parser)
    return parser.parse_args(argv)


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.data.processes import start_processes

    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("text",))
    tokens = TokenExtraction(arguments, processes, manifest, arguments.out)
    tokens.run()
    if arguments.embeddings is not None:
        StateExtraction(arguments, processes, manifest, arguments.embeddings).run()
    if processes.is_main:
        print(tokens.told_of_lengths)
    processes.end()
    return 0


class TextExtraction(Extraction):
    """What tokens and states have in common."""

    stage = "extract_text"
    kind = "transcripts"
    #: how many transcripts are cut off; known to the main process, when it has run
    told_of_lengths = ""

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Utterance]:
        from mertk.data_prep.extraction_plan import digest, read_utterances

        texts = dict(zip(self.manifest.ids, self.manifest.column("text"), strict=True))
        costs = {name: 1.0 + len(text) for name, text in texts.items()}
        return read_utterances(texts, digest, costs, skip)

    def attempt(
        self, extractor: Callable[[str], np.ndarray], item: Utterance
    ) -> tuple[str, np.ndarray | RecordingError]:
        """An utterance and what is made of its words, or why nothing is."""
        from mertk.data.recording_error import attempt

        return item.path, attempt(lambda: extractor(item.value), self.arguments.data / "text", item.path)

    def make_record(self, tokenizer: Tokenizer, **fields: Any) -> FeatureRecord:
        from mertk.data.feature_store import FeatureRecord

        options = {
            "vocabulary": tokenizer.fingerprint,
            "max_tokens": tokenizer.max_tokens,
            "sequence_length": tokenizer.max_tokens,
        }
        lengths = count_tokens(self.manifest, tokenizer)
        cut = sum(length > tokenizer.max_tokens for length in lengths)
        self.told_of_lengths = (
            f"{cut} of {len(lengths)} transcripts cut off at {tokenizer.max_tokens} tokens; the longest has "
            f"{max(lengths, default=0)}"
        )
        return FeatureRecord(
            modality="text",
            weights=str(self.arguments.weights),
            rate_hz=None,
            options=options,
            warnings=[self.told_of_lengths] if cut else [],
            **fields,
        )


class TokenExtraction(TextExtraction):
    def load_extractor(self) -> Tokenizer:
        from mertk.encoders.tokenizer import Tokenizer

        tokenizer = Tokenizer(self.arguments.weights, self.arguments.max_tokens)
        check_length(self.manifest, tokenizer, tokenizer.most_tokens)
        return tokenizer

    def describe(self, extractor: Tokenizer) -> FeatureRecord:
        return self.make_record(
            extractor,
            extractor="Tokenizer",
            weights_fingerprint=extractor.fingerprint,
            layer="tokens",
            dimension=2,
            dtype="int32",
            miniature=bool(self.manifest.corpus.get("miniature")),
        )

    def extract(
        self, items: Sequence[Utterance], extractor: Tokenizer, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        return (self.attempt(extractor, item) for item in items)


class StateExtraction(TextExtraction):
    def load_extractor(self) -> TextStates:
        from mertk.encoders.text_features import TextStates

        compute_exactly()
        extractor = TextStates(self.arguments.weights, self.arguments.max_tokens, self.processes.device)
        check_length(self.manifest, extractor.tokenizer, extractor.encoder.num_positions)
        return extractor

    def describe(self, extractor: TextStates) -> FeatureRecord:
        return self.make_record(
            extractor.tokenizer,
            extractor="TextStates",
            weights_fingerprint=extractor.fingerprint,
            layer="output",
            dimension=extractor.dimension,
            miniature=bool(self.manifest.corpus.get("miniature")) or extractor.is_miniature,
        )

    def extract(
        self, items: Sequence[Utterance], extractor: TextStates, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        from mertk.data_prep.worker_threads import encode_in_threads

        return encode_in_threads(lambda item: self.attempt(extractor, item), items, self.processes)


def count_tokens(manifest: Manifest, tokenizer: Tokenizer) -> list[int]:
    """Tokens of every transcript that has any, nothing cut off."""
    from mertk.data.recording_error import RecordingError, attempt

    found = [attempt(lambda text=text: tokenizer.whole(text), "text") for text in manifest.column("text")]
    return [len(tokens) for tokens in found if not isinstance(tokens, RecordingError)]


def check_length(manifest: Manifest, tokenizer: Tokenizer, most_tokens: float) -> None:
    """Raise MertkError when a transcript, cut off as asked for, has more tokens than its encoder takes."""
    if tokenizer.max_tokens <= most_tokens:
        return
    longest = max(count_tokens(manifest, tokenizer), default=0)
    if longest > most_tokens:
        raise MertkError(
            f"--max_tokens {tokenizer.max_tokens}: the longest transcript has {longest} tokens, but "
            f"{tokenizer.source} takes {most_tokens}; give no more."
        )


if __name__ == "__main__":
    raise SystemExit(main())
