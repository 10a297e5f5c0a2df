"""What is missing of an utterance."""

import numpy as np
import pytest

from mertk.data.absence import Absence
from mertk.data.changed_input import ChangedInput
from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import EvaluationLoader
from tests.toy import Frames

FRAMES = np.ones((200, 3), dtype=np.float32)
NAMES = [f"u{number}" for number in range(300)]


def missing_rows(absence, utterance="u", array=FRAMES):
    changed = absence.of(array, utterance)
    assert changed.shape == array.shape and changed.dtype == array.dtype
    return {row for row in range(len(array)) if not changed[row].any()}


@pytest.mark.parametrize("unit", [None, 1, 10])
def test_at_nought_the_array_is_the_very_same_and_at_one_it_is_zero(unit):
    assert Absence(0.0, 1, "audio", unit).of(FRAMES, "u") is FRAMES
    assert not Absence(1.0, 1, "audio", unit).of(FRAMES, "u").any()
    assert FRAMES.all()


@pytest.mark.parametrize("unit", [1, 7])
def test_what_is_missing_is_missing_at_every_larger_share(unit):
    found = [missing_rows(Absence(rate / 20, 3, "video", unit)) for rate in range(21)]
    assert all(less <= more for less, more in zip(found, found[1:], strict=False))
    assert len({len(rows) for rows in found}) > 15


def test_utterances_are_missing_as_a_whole_and_nested_and_about_as_often_as_asked_for():
    def missing(rate):
        return {name for name in NAMES if missing_rows(Absence(rate, 1, "audio"), name)}

    few, many = missing(0.3), missing(0.6)
    assert few < many and 60 < len(few) < 120 and 150 < len(many) < 210
    assert all(len(missing_rows(Absence(0.3, 1, "audio"), name)) == 200 for name in few)


def test_blocks_are_missing_from_end_to_end():
    rows = missing_rows(Absence(0.4, 2, "audio", 10), array=FRAMES[:195])
    blocks = [set(range(begin, min(begin + 10, 195))) for begin in range(0, 195, 10)]
    assert rows == set().union(*(block for block in blocks if block & rows)) and 0 < len(rows) < 195


def test_seed_utterance_and_modality_decide_and_nothing_else():
    base = missing_rows(Absence(0.5, 1, "audio", 1))
    others = [Absence(0.5, 2, "audio", 1), Absence(0.5, 1, "video", 1)]
    assert all(missing_rows(other) != base for other in others)
    assert missing_rows(Absence(0.5, 1, "audio", 1), "v") != base
    # What comes later does not change what came before.
    shorter = missing_rows(Absence(0.5, 1, "audio", 1), array=FRAMES[:50])
    assert shorter == {row for row in base if row < 50}


def test_samples_and_tokens_become_nought_of_their_kind():
    tokens = np.full((6, 2), 9)
    assert Absence(1.0, 1, "text").of(tokens, "u").tolist() == [[0, 0]] * 6
    sound = np.ones(1000, dtype=np.float32)
    assert set(Absence(0.5, 1, "audio", 320).of(sound, "u").tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"rank": 1, "world_size": 2}, {"batch_size": 3}])
def test_a_model_sees_the_same_whoever_reads_it_and_in_whatever_batch(options):
    frames = Frames(30)
    frames.steps = None
    changed = ChangedInput(frames, Absence(0.5, 4, "video", 2).of)
    dataset = UtteranceDataset(list(frames.frames), {"video": changed}, np.zeros(30))
    expected = {name: changed.read(name) for name in frames.frames}
    assert sum(np.array_equal(expected[name], frames.read(name)) for name in expected) < 15
    loader = EvaluationLoader(dataset, **({"batch_size": 8} | options))
    count = 0
    for batch in loader:
        for name, row, length in zip(batch["utterance_ids"], batch["video"], batch["video_lengths"], strict=True):
            assert np.array_equal(row[:length], expected[name]) and length == frames.length(name)
            count += 1
    assert count == (14 if "rank" in options else 30)
    loader.close()
