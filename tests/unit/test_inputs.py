"""Features and tokens as a model receives them."""

import numpy as np
import pytest

from mertk.config import InputConfig, load_config
from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
from mertk.data.inputs import FeatureInput, TokenInput, measure_statistics, standardize
from mertk.errors import MertkError


def write_features(directory, arrays, dtype="float32", **options):
    width = next(iter(arrays.values())).shape[1]
    record = FeatureRecord("audio", "test", "", "", "", 10.0, width, dtype, options=options)
    with FeatureWriter(directory, record) as writer:
        for utterance, array in arrays.items():
            writer.write(utterance, array)
    merge_parts(directory, arrays)
    return directory


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    arrays = {f"u{i}": random.normal([1000.0, -2.0, 5.0], [3.0, 0.1, 0.0], (4 + i, 3)) for i in range(5)}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def test_steps_are_what_the_record_declares_or_the_longest_there_is(tmp_path, arrays):
    assert FeatureInput(write_features(tmp_path / "a", arrays), InputConfig()).steps == 8
    declared = write_features(tmp_path / "b", arrays, sequence_length=50)
    assert FeatureInput(declared, InputConfig()).steps == 50
    assert FeatureInput(declared, InputConfig(max_seconds=0.6)).steps == 6


def test_statistics_in_one_pass_equal_those_of_all_frames_together(tmp_path, arrays):
    source = FeatureInput(write_features(tmp_path / "a", arrays), InputConfig())
    found = measure_statistics(source, arrays)
    frames = np.concatenate(list(arrays.values())).astype(np.float64)
    np.testing.assert_allclose(found["mean"], frames.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found["std"][:2], frames.std(axis=0)[:2], rtol=1e-9)
    assert found["std"][2] == 0
    source.statistics = found
    joined = np.concatenate([source.read(name) for name in arrays])
    np.testing.assert_allclose(joined.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(joined.std(axis=0), [1, 1, 0], atol=1e-4)
    assert joined.dtype == np.float32


def test_a_constant_feature_is_not_divided_by_nothing():
    assert standardize(np.full((2, 1), 3.0), {"mean": [3.0], "std": [0.0]}).tolist() == [[0.0], [0.0]]


def test_tokens_are_integers_and_have_no_width(tmp_path):
    tokens = {"u": np.array([[101, 0], [7, 0], [102, 1]], dtype=np.int32)}
    source = TokenInput(write_features(tmp_path / "t", tokens, "int32"), InputConfig(kind="tokens"))
    assert source.width is None and source.steps == 3
    assert source.read("u").dtype == np.int64 and source.read("u").tolist() == [[101, 0], [7, 0], [102, 1]]


def test_features_are_no_tokens(tmp_path, arrays):
    with pytest.raises(MertkError, match=r"float32 features of width 3, expected tokens"):
        TokenInput(write_features(tmp_path / "a", arrays), InputConfig(kind="tokens"))


def test_only_features_can_be_normalised():
    with pytest.raises(MertkError, match=r"data\.inputs\.text\.normalize: only features"):
        load_config([], ["data.inputs.text.kind=tokens", "data.inputs.text.normalize=true"])
