"""Features of what is said in a corpus: tokens, or what an encoder makes of them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mertk.errors import MertkError
from mertk.features.corpus_extraction import CorpusExtraction
from mertk.features.extraction_plan import digest, read_utterances

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.recording_error import RecordingError
    from mertk.features.extraction_plan import Utterance
    from mertk.features.modalities import TextExtractor
    from mertk.features.tokenizer import Tokenizer


@dataclass(frozen=True)
class Transcript:
    """What is said in an utterance."""

    words: str


class TextExtraction(CorpusExtraction["TextExtractor"]):
    """Makes features of the transcripts in `text`; arguments as of `CorpusExtraction`.

    Attributes:
        told_of_lengths: how many transcripts are cut off; known to the main process, once it has run.
    """

    stage = "extract_text"
    kind = "transcripts"
    told_of_lengths = ""

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Utterance]:
        texts = dict(zip(self.manifest.ids, self.manifest.column("text"), strict=True))
        costs = {name: 1.0 + len(text) for name, text in texts.items()}
        return read_utterances(texts, digest, costs, skip)

    def load_extractor(self) -> TextExtractor:
        extractor = super().load_extractor()
        if extractor.tokenizer is not None:
            check_length(self.manifest, extractor.tokenizer, extractor.most_tokens)
        return extractor

    def describe(self, extractor: TextExtractor) -> FeatureRecord:
        record = super().describe(extractor)
        if extractor.tokenizer is None:
            return record
        lengths, most = count_tokens(self.manifest, extractor.tokenizer), extractor.tokenizer.max_tokens
        cut = sum(length > most for length in lengths)
        self.told_of_lengths = (
            f"{cut} of {len(lengths)} transcripts cut off at {most} tokens; the longest has {max(lengths, default=0)}"
        )
        return replace(record, warnings=[self.told_of_lengths] if cut else [])

    def extract(
        self, items: Sequence[Utterance], extractor: TextExtractor, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        from mertk.data.recording_error import attempt
        from mertk.features.worker_threads import encode_in_threads

        file = self.manifest.source / "text"

        def encode_or_say_why(item: Utterance) -> tuple[str, np.ndarray | RecordingError]:
            return item.path, attempt(lambda: extractor(Transcript(item.value)), file, item.path)

        return encode_in_threads(encode_or_say_why, items, self.processes)


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
            f"{tokenizer.weights} takes {most_tokens}; give no more."
        )
