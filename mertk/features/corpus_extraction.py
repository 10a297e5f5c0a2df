"""The extraction of a corpus by an extractor, the object that makes features of a recording too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mertk.features.extraction import Extraction

if TYPE_CHECKING:
    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.features.extractor import Extractor
    from mertk.processes import Processes

Kind = TypeVar("Kind", bound="Extractor")


class CorpusExtraction(Extraction, Generic[Kind]):
    """An extraction whose features an extractor makes; the other arguments are those of `Extraction`.

    Args:
        make: builds the extractor, on the device of its process.
        dtype: of the features on disk; None for what the extractor says.
        pool: keep one vector of each utterance (`mertk.features.vectors`); None keeps the frames.
    """

    def __init__(
        self,
        make: Callable[[], Kind],
        manifest: Manifest,
        out: Path,
        processes: Processes,
        dtype: str | None = None,
        max_lost: float = 0.01,
        overwrite: bool = False,
        pool: str | None = None,
    ) -> None:
        super().__init__(manifest, out, processes, max_lost, overwrite)
        self.make = make
        self.dtype = dtype
        self.pool = pool

    def load_extractor(self) -> Kind:
        compute_exactly()
        extractor = self.make()
        extractor.pool = self.pool
        return extractor

    def describe(self, extractor: Kind) -> FeatureRecord:
        from mertk.features.vectors import record_of_vectors

        record = extractor.record() if self.pool is None else record_of_vectors(extractor.record(), self.pool)
        miniature = bool(self.manifest.corpus.get("miniature")) or record.miniature
        return replace(record, dtype=self.dtype or record.dtype, miniature=miniature)


def compute_exactly() -> None:
    """Have a GPU give equal features on every run, in full precision where nothing else is asked for."""
    import torch

    from mertk.numerics import attend_at_any_length, compute_in_full_float32

    compute_in_full_float32()
    attend_at_any_length()
    torch.backends.cudnn.deterministic = True
