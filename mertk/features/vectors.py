"""One vector an utterance of what an extractor makes of its frames (`--pool`).

A feature directory of vectors holds matrices of one row. Its record is that of the frames but for the width and the
rate, and has among its options what the vectors were made of, so that a recording is treated alike.

Legend: `T` frames, `L` layers, `D` features of a layer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from mertk.content import convert
from mertk.data.feature_record import FeatureRecord

#: among the options of a record, what its vectors were made of
POOL = "pool"
POOLS = ("mean", "statistics")


@dataclass(frozen=True)
class Pooling:
    """How vectors were made, and what is no longer said of the frames.

    Attributes:
        kind: `mean`, or `statistics`: mean and standard deviation, of each layer side by side.
        rate_hz: of the frames.
    """

    kind: Literal["mean", "statistics"]
    rate_hz: float | None


def pool_frames(features: np.ndarray, kind: str, num_layers: int = 1) -> np.ndarray:
    """The vector (1, L D), or (1, L 2 D) with `statistics`, of frames (T, L D); the deviation of one frame is 0.

    >>> pool_frames(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32), "statistics").tolist()
    [[2.0, 5.0, 1.0, 0.0]]
    """
    layers = features.reshape(len(features), num_layers, -1).astype(np.float64)
    vectors = layers.mean(axis=0)
    if kind == "statistics":
        vectors = np.concatenate([vectors, layers.std(axis=0)], axis=1)
    return vectors.reshape(1, -1).astype(features.dtype)


def record_of_vectors(record: FeatureRecord, kind: str) -> FeatureRecord:
    """The record of vectors that are made of frames of `record`."""
    told = asdict(Pooling(kind, record.rate_hz))
    width = record.dimension * _widening(kind)
    return replace(record, dimension=width, rate_hz=None, options=record.options | {POOL: told})


def record_of_frames(record: FeatureRecord) -> tuple[FeatureRecord, str | None]:
    """The record of the frames that vectors were made of, and how; the record itself and None where these are frames.

    Raises:
        MertkError: what it says of them makes no sense.
    """
    if POOL not in record.options:
        return record, None
    options = dict(record.options)
    told = convert(options.pop(POOL), Pooling, f"options.{POOL}", "restore the model, or train again")
    width = record.dimension // _widening(told.kind)
    return replace(record, dimension=width, rate_hz=told.rate_hz, options=options), told.kind


def _widening(kind: str) -> int:
    return 2 if kind == "statistics" else 1
