"""What every extraction of features has in common: what is missing in its directory, and naming what was lost.

`mertk.features.extraction_pass` runs it, alone or with others. Run again after an interruption, on any number of
processes, only what is missing is made. Utterances that cannot be used are named in OUT/excluded.tsv.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError
from mertk.screen import duration, say, tell, tell_bytes

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.features.extraction_plan import Item
    from mertk.processes import Processes

    Result = tuple[int, str, "np.ndarray | RecordingError"]

#: in the feature directory: stack trace of the first error that nobody foresaw
TRACE_FILE = "traceback.txt"
#: less than this on disk is not told beforehand
WORTH_TELLING_BYTES = 10**9


@dataclass(frozen=True)
class Failure:
    """An utterance without features; `trace` is that of the first error in a process that nobody foresaw."""

    utterance: str
    reason: str
    detail: str
    trace: str


@dataclass(frozen=True)
class Maker:
    """What one process makes for one feature directory: of which utterances, and by which extractor."""

    extractor: Any
    record: FeatureRecord
    missing: set[str]


class Extraction(ABC):
    """One run of an extraction in one process; a subclass says what is extracted from what, and how.

    Args:
        manifest: the corpus.
        out: feature directory to write.
        max_lost: largest share of utterances that may be left without features.
        overwrite: throw features away that are there and were made differently.

    Attributes:
        stage: name of the program, for the ledger.
        kind: what the items are called in messages.
        knows_seconds: whether the items say how much of recordings becomes features.
    """

    stage: str
    kind: str
    knows_seconds: bool = False

    def __init__(
        self, manifest: Manifest, out: Path, processes: Processes, max_lost: float = 0.01, overwrite: bool = False
    ) -> None:
        self.manifest = manifest
        self.out = out
        self.processes = processes
        self.max_lost = max_lost
        self.overwrite = overwrite

    @abstractmethod
    def read_items(self, skip: Container[tuple[str, str]] = ()) -> Sequence[Item]:
        """What there is to extract from, without the (utterance, source) in `skip`."""

    @abstractmethod
    def load_extractor(self) -> Any:
        """What makes the features; loaded by the main process, and by others that have something to do."""

    @abstractmethod
    def describe(self, extractor: Any) -> FeatureRecord:
        """Record of the features; main process only."""

    @abstractmethod
    def extract(self, items: Sequence[Item], makers: Sequence[Maker]) -> Iterator[Result]:
        """Features (T, D) of every utterance of the items by every maker that misses it, or why there are none.

        The makers are those of several extractions of this class, of one corpus, whose recordings are read once; each
        result has its maker's number in front. They come in any order.
        """

    def check_company(self, extractors: Sequence[Any]) -> None:  # noqa: B027  (most go together)
        """Refuse extractors that cannot go through the recordings together.

        Raises:
            MertkError: says why.
        """

    def run(self) -> None:
        """Extract what is missing.

        Raises:
            MertkError: features of another kind are there already, or too many utterances are lost.
        """
        from mertk.features.extraction_pass import extract_together

        extract_together([self])

    def finished(self) -> set[tuple[str, str]]:
        """Utterances whose features are there, each with what they were made from."""
        from mertk.data.feature_store import finished_entries

        return set(finished_entries(self.out))

    def prepare(self, extractor: Any) -> FeatureRecord:
        """Make the directory ready; main process only."""
        from mertk.data.feature_store import prepare_directory

        record = self.describe(extractor)
        prepare_directory(self.out, record, self.overwrite)
        return record

    def announce(self, items: Sequence[Item], maker: Maker, name: str = "") -> None:
        """Say what will be done, before it is; main process only.

        Args:
            items: that lack features.
            name: of the directory, where there are several.
        """
        from mertk.data.feature_record import INDEX_FILE
        from mertk.features.extraction_plan import sources_of

        missing = [item for item in items if any(utterance in maker.missing for utterance in item.sources)]
        if missing:
            # The directory counts as whole only while its index is there.
            (self.out / INDEX_FILE).unlink(missing_ok=True)
        num_utterances = sum(utterance in maker.missing for utterance in sources_of(missing))
        count = self.processes.count
        say(
            f"{name and name + ': '}{num_utterances} of {len(self.manifest)} utterances to extract, {len(missing)} "
            f"{self.kind}, {count} process{'es' if count > 1 else ''} on {self.processes.device.partition(':')[0]}"
            f"{self._expected_size(missing, maker.record)}"
        )

    def _expected_size(self, items: Sequence[Item], record: FeatureRecord) -> str:
        """What the features will take on disk, where that is much and can be told."""
        import shutil

        import numpy as np

        if not self.knows_seconds or not record.rate_hz:
            return ""
        seconds = sum(item.seconds(record.options.get("max_seconds")) for item in items)
        size = seconds * record.rate_hz * record.dimension * np.dtype(record.dtype).itemsize
        if size < WORTH_TELLING_BYTES:
            return ""
        free = shutil.disk_usage(self.out).free
        return f"; about {tell_bytes(size)}" + (f", but only {tell_bytes(free)} are free" if size > free else "")

    def finish(self, num_frames: int, failures: list[Failure], seconds: float) -> None:
        """Write the ledger and, if not too much was lost, the index; main process only.

        Raises:
            MertkError: too many utterances are lost.
        """
        from mertk.data.feature_store import merge_parts
        from mertk.features.extraction_plan import sources_of

        lost = {failure.utterance: failure for failure in failures}
        self._write_ledger([lost[name] for name in self.manifest.ids if name in lost])
        kept = [name for name in self.manifest.ids if name not in lost]
        record = merge_parts(self.out, kept, sources_of(self.read_items()))
        layers, own = record.num_layers, record.dimension // record.num_layers
        size = sum(path.stat().st_size for path in self.out.glob("part-*.bin"))
        say(
            f"{self.out}: {record.count} utterances, {f'{layers} x {own}' if layers > 1 else own} values a frame, "
            f"{tell_bytes(size)}; now {num_frames} frames in "
            f"{duration(seconds)} ({num_frames / seconds:.0f} a second)"
        )

    def _write_ledger(self, failures: list[Failure]) -> None:
        """Name what was lost; MertkError when that is too much, or all."""
        from mertk.atomic import write_text
        from mertk.data.ledger import Ledger

        ledger = Ledger()
        for failure in failures:
            ledger.add(failure.utterance, self.stage, failure.reason, failure.detail)
        ledger.write(self.out / "excluded.tsv")
        if failures:
            tell(f"{len(failures)} utterances left out, see {self.out / 'excluded.tsv'}")
        (self.out / TRACE_FILE).unlink(missing_ok=True)
        first = next((failure for failure in failures if failure.trace), None)
        if first is not None:
            write_text(self.out / TRACE_FILE, f"{first.detail}\n\n{first.trace}")
            tell(f"the first error that nobody foresaw: {self.out / TRACE_FILE}")
        if first is not None and len(failures) == len(self.manifest):
            raise MertkError(
                f"{self.manifest.source}: not one of {len(failures)} utterances could be used, so that hardly the "
                f"recordings are to blame. First: {first.detail}. The stack trace is in {self.out / TRACE_FILE}."
            )
        ledger.check_share(len(self.manifest), self.max_lost, f"utterances of {self.manifest.source}")
        if failures and len(failures) == len(self.manifest):
            raise MertkError(f"{self.manifest.source}: no utterance is left. First: {failures[0].detail}")
