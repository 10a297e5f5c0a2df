"""Small feature directories for tests."""

from __future__ import annotations

import numpy as np

from mertk.data.feature_store import FeatureRecord, FeatureWriter

RECORD = FeatureRecord("video", "clip", "weights", "abc", "projected", 30.0, dimension=6, options={"max_seconds": 6.0})


def matrix(name: str, num_frames: int = 5, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(sum(map(ord, name))).standard_normal((num_frames, 6)).astype(dtype)


def fill(directory, names, part=0, num_parts=1, record=RECORD):
    with FeatureWriter(directory, record, part, num_parts) as writer:
        for name in names:
            writer.write(name, matrix(name, 1 + len(name), record.dtype))
