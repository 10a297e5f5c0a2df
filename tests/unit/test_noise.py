"""Noise over utterances."""

import functools

import numpy as np
import pytest
import soundfile

from mertk.data.noise import UtteranceNoise, find_noises
from mertk.errors import MertkError
from tests.unit.test_augmentation import RATE, ratio_db, tone


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Recordings of noise: a long one, and a short one of another rate."""
    folder, random = tmp_path_factory.mktemp("noise"), np.random.default_rng(3)
    soundfile.write(folder / "long.wav", 0.2 * random.standard_normal(3 * RATE), RATE)
    soundfile.write(folder / "short.flac", 0.01 * random.standard_normal((2000, 2)), 44100)
    return tuple(find_noises(folder))


@pytest.mark.parametrize("snr_db", [20.0, 0.0, -5.0])
@pytest.mark.parametrize("of_rooms", [False, True])
def test_the_ratio_is_exact(rooms, snr_db, of_rooms):
    noise = UtteranceNoise(snr_db, 1, rooms if of_rooms else ())
    for name in ("a", "b", "c"):
        speech = tone() * np.float32(0.3 if name == "a" else 1.0)
        noisy = noise.over(speech, name, RATE)
        assert noisy.dtype == np.float32 and ratio_db(speech, noisy) == pytest.approx(snr_db, abs=1e-3)


@pytest.mark.parametrize("of_rooms", [False, True])
def test_an_utterance_has_the_same_noise_at_every_ratio_and_whenever_it_is_asked_for(rooms, of_rooms):
    make = functools.partial(UtteranceNoise, files=rooms if of_rooms else ())
    at_20, at_0 = (make(snr, 5).over(tone(), "a", RATE) - tone() for snr in (20.0, 0.0))
    np.testing.assert_allclose(at_0, 10 * at_20, atol=1e-4)
    again = make(20.0, 5)
    again.over(tone(), "another", RATE)
    assert np.array_equal(again.over(tone(), "a", RATE) - tone(), at_20)
    # A short recording begins at its beginning, whoever draws it.
    others = [make(20.0, 6).over(tone(), "a", RATE), *(make(20.0, 5).over(tone(), name, RATE) for name in "bcd")]
    assert any(abs(np.corrcoef(other - tone(), at_20)[0, 1]) < 0.1 for other in others)


def test_speech_is_left_as_it_was_and_silence_silent():
    speech = tone()
    UtteranceNoise(0.0, 1).over(speech, "a", RATE)
    assert np.array_equal(speech, tone())
    assert not UtteranceNoise(0.0, 1).over(np.zeros(100, dtype=np.float32), "a", RATE).any()


def test_a_silent_recording_of_noise_is_passed_over_and_refused_where_there_is_no_other(rooms, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    silent = tuple(find_noises(tmp_path))
    for name in "abcdef":
        noisy = UtteranceNoise(10.0, 1, silent + rooms).over(tone(), name, RATE)
        assert ratio_db(tone(), noisy) == pytest.approx(10, abs=1e-3)
    with pytest.raises(MertkError, match=r"silent\.wav: nothing but silence"):
        UtteranceNoise(10.0, 1, silent).over(tone(), "a", RATE)
