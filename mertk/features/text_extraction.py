"""Features of what is said in a corpus: tokens, or what an encoder makes of them, on a GPU of many texts at once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.recording_error import RecordingError, attempt
from mertk.errors import MertkError
from mertk.features.batches import BatchLimit, encode_each
from mertk.features.corpus_extraction import CorpusExtraction
from mertk.features.extraction_plan import digest, read_utterances

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.features.extraction import Maker, Result
    from mertk.features.extraction_plan import Utterance
    from mertk.features.modalities import TextExtractor
    from mertk.features.tokenizer import Tokenizer
    from mertk.processes import Processes

    Named = list[tuple[str, np.ndarray | RecordingError]]

#: tokens in a batch on a GPU, unless another number is asked for
BATCH_TOKENS = 8192


@dataclass(frozen=True)
class Transcript:
    """What is said in an utterance."""

    words: str


class TextExtraction(CorpusExtraction["TextExtractor"]):
    """Makes features of the transcripts in `text`; the other arguments are those of `CorpusExtraction`.

    Args:
        batch_tokens: most tokens, padding included, that an encoder is given at once; 0: one text at a time. None:
            `BATCH_TOKENS` on a GPU, one text elsewhere, so that features are equal to the last bit.

    Attributes:
        told_of_lengths: how many transcripts are cut off; known to the main process, once it has run.
    """

    stage = "extract_text"
    kind = "transcripts"
    told_of_lengths = ""

    def __init__(
        self,
        make: Callable[[], TextExtractor],
        manifest: Manifest,
        out: Path,
        processes: Processes,
        dtype: str | None = None,
        max_lost: float = 0.01,
        overwrite: bool = False,
        pool: str | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        super().__init__(make, manifest, out, processes, dtype, max_lost, overwrite, pool)
        if batch_tokens is None:
            batch_tokens = 0 if processes.computes_on_cpu else BATCH_TOKENS
        self.batch_tokens = batch_tokens

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

    def extract(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> Iterator[Result]:
        for number, maker in enumerate(makers):
            wanted = [item for item in items if item.path in maker.missing]
            in_batches = self.batch_tokens and maker.extractor.has_batches
            extract = self._extract_batches if in_batches else self._extract_singly
            with closing(extract(wanted, maker.extractor)) as found:
                for results in found:
                    yield from ((number, name, features) for name, features in results)

    def _extract_singly(self, items: Sequence[Utterance], extractor: TextExtractor) -> Iterator[Named]:
        from mertk.features.worker_threads import encode_in_threads

        def encode_or_say_why(item: Utterance) -> Named:
            return [(item.path, attempt(lambda: extractor(Transcript(item.value)), self._file, item.path))]

        return encode_in_threads(encode_or_say_why, items, self.processes)

    def _extract_batches(self, items: Sequence[Utterance], extractor: TextExtractor) -> Iterator[Named]:
        """Transcripts of like lengths together, the longest first."""
        from mertk.features.worker_threads import encode_in_threads

        limit = BatchLimit(self.batch_tokens, "tokens", "--batch_tokens")
        lengths = {item.path: self._num_tokens(item, extractor.tokenizer) for item in items}
        ordered = sorted(items, key=lambda item: (-lengths[item.path], item.path))

        def encode(given: Sequence[str]) -> list[np.ndarray]:
            return [extractor.finish(features) for features in extractor.encode_together(given)]

        def encode_or_say_why(batch: list[Utterance]) -> Named:
            places = [(str(self._file), item.path) for item in batch]
            found = encode_each(encode, [item.value for item in batch], places, limit, lengths[batch[0].path])
            return [(item.path, features) for item, features in zip(batch, found, strict=True)]

        batches = limit.batches(ordered, lambda item: lengths[item.path])
        return encode_in_threads(encode_or_say_why, batches, self.processes, 3)

    @property
    def _file(self) -> Path:
        return self.manifest.source / "text"

    def _num_tokens(self, item: Utterance, tokenizer: Tokenizer | None) -> int:
        """Tokens of a transcript as it is encoded; letters where nothing cuts it up, or it cannot be."""
        found = None if tokenizer is None else attempt(lambda: tokenizer.encode(item.value), self._file, item.path)
        return 1 + len(item.value) if found is None or isinstance(found, RecordingError) else len(found)


def count_tokens(manifest: Manifest, tokenizer: Tokenizer) -> list[int]:
    """Tokens of every transcript that has any, nothing cut off."""
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
