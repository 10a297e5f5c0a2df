"""Utterances of one part (training, validation, test) as a model receives them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.batch import Batch, pad_sequences
from mertk.data.recording_error import border
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.inputs import Input


class UtteranceDataset:
    """Map-style dataset; rows are utterances in the order of `ids`.

    Args:
        ids: utterance ids of the part.
        inputs: by modality.
        labels: (N, ...) as the task has them (`mertk.tasks`); None when predicting.
        cache_megabytes: decoded inputs kept in memory by each worker, oldest out first.
    """

    def __init__(
        self, ids: list[str], inputs: dict[str, Input], labels: np.ndarray | None, cache_megabytes: int = 0
    ) -> None:
        self.ids = ids
        self.inputs = inputs
        self.labels = labels
        self.cache_bytes = cache_megabytes * 2**20
        self._cache: OrderedDict[int, dict[str, np.ndarray]] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.ids)

    def lengths(self) -> np.ndarray:
        """(N,) length of each utterance in its first modality: what padding costs follows it."""
        first = next(iter(self.inputs.values()))
        return np.array([first.length(utterance) for utterance in self.ids])

    def __getitem__(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = {"utterance_id": self.ids[index], "index": index, **self._read(index)}
        if self.labels is not None:
            row["label"] = self.labels[index]
        return row

    def _read(self, index: int) -> dict[str, np.ndarray]:
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        utterance = self.ids[index]
        arrays = {}
        for modality, source in self.inputs.items():
            with border(f"its {modality}", utterance):
                arrays[modality] = source.read(utterance)
            # A NaN survives min and max, an infinity is one of them.
            if not (np.isfinite(arrays[modality].min()) and np.isfinite(arrays[modality].max())):
                raise MertkError(
                    f"utterance {utterance}: its {modality} holds NaN or infinite values, from "
                    f"{source.origin(utterance)}, or leave the utterance out."
                )
        size = sum(array.nbytes for array in arrays.values())
        if size <= self.cache_bytes:
            self._cache[index] = arrays
            self._cached_bytes += size
            while self._cached_bytes > self.cache_bytes:
                _, oldest = self._cache.popitem(last=False)
                self._cached_bytes -= sum(array.nbytes for array in oldest.values())
        return arrays

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cache": OrderedDict(), "_cached_bytes": 0}


def collate(rows: list[dict[str, Any]]) -> Batch:
    """Rows of `UtteranceDataset` as one batch, padded to its own longest utterance (see `mertk.batch`)."""
    import torch

    batch: Batch = {
        "utterance_ids": [row["utterance_id"] for row in rows],
        "indices": torch.tensor([row["index"] for row in rows]),
    }
    for modality in rows[0].keys() - {"utterance_id", "index", "label"}:
        sequences = [torch.from_numpy(np.array(row[modality])) for row in rows]
        batch[modality], batch[f"{modality}_lengths"] = pad_sequences(sequences)
    if "label" in rows[0]:
        batch["labels"] = torch.from_numpy(np.stack([row["label"] for row in rows]))
    return batch
