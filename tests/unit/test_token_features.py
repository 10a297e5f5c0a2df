"""Feature directories of tokens: whole numbers in, the same whole numbers out."""

from __future__ import annotations

import numpy as np
import pytest

from mertk.data.feature_store import FeatureRecord, FeatureStore, FeatureWriter, merge_parts
from mertk.errors import MertkError


def test_tokens_are_whole_numbers(tmp_path):
    record = FeatureRecord("text", "tokenizer", "bert", "abc", "tokens", None, dimension=2, dtype="int32")
    with FeatureWriter(tmp_path, record) as writer:
        writer.write("a", np.array([[101, 0], [2**31 - 1, 1]]))
        writer.write("b", np.array([[7.0, 0.0]], dtype=np.float32))
        for wrong in ([[0.5, 0.0]], [[2.0**31, 0.0]], [[np.nan, 0.0]], [[-np.inf, 0.0]]):
            with pytest.raises(MertkError, match="utterance c .* are no whole numbers that fit int32"):
                writer.write("c", np.array(wrong))
        with pytest.raises(MertkError, match="are no whole numbers"):
            writer.write("c", np.array([[2**40, 0]]))
    assert merge_parts(tmp_path, ["a", "b"]).dtype == "int32"
    store = FeatureStore(tmp_path)
    assert store.read("a").dtype == np.int32
    assert store.read("a").tolist() == [[101, 0], [2**31 - 1, 1]]
    assert store.read("b", check_finite=True).tolist() == [[7, 0]]


def test_other_types_are_refused(tmp_path):
    with pytest.raises(MertkError, match="stored as float32, float16, int32, uint8, not 'int64'"):
        FeatureWriter(tmp_path, FeatureRecord("text", "a", "b", "c", "d", None, 2, "int64"))
