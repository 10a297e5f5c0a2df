"""Fingerprints of sounds: what is the same recording, and what only sounds alike."""

import numpy as np
import pytest

from mertk.data.sound_prints import SAMPLE_RATE_HZ, find_same, print_sound


def voice(seed, seconds=3.0, pitch_hz=140.0):
    """(S,) syllables of a voice: harmonics of a moving pitch under moving formants, with pauses."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    knots = np.linspace(0, seconds, int(8 * seconds) + 1)

    def moving(low, high):
        return np.interp(time, knots, generator.uniform(low, high, len(knots)))

    phase = 2 * np.pi * np.cumsum(pitch_hz * moving(0.8, 1.25)) / SAMPLE_RATE_HZ
    formants = [(moving(300, 800), 90.0), (moving(900, 1900), 140.0)]
    sound = np.zeros_like(time)
    for harmonic in range(1, 22):
        height = sum(np.exp(-(((harmonic * pitch_hz - place) / width) ** 2)) for place, width in formants)
        sound += height * np.sin(harmonic * phase)
    return (sound * np.clip(moving(-0.2, 1.0), 0, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def voices():
    return [voice(seed) for seed in range(12)]


def alone(sounds):
    return find_same(list(map(print_sound, sounds))).tolist()


def test_other_recordings_are_others(voices):
    assert alone(voices) == list(range(12))


def noisy(samples):
    noise = np.random.default_rng(99).normal(size=len(samples)) * np.sqrt(np.mean(samples**2)) * 0.02
    return samples + noise.astype(np.float32)


@pytest.mark.parametrize(
    "alter",
    [
        lambda samples: samples.copy(),
        lambda samples: 0.05 * samples,
        lambda samples: samples[2501:],
        lambda samples: samples[4000:20000],
        lambda samples: np.concatenate([voice(77, 1.0), samples]),
        lambda samples: (np.round(samples * 127) / 127).astype(np.float32),
        noisy,
    ],
    ids=["copy", "fainter", "cut", "piece", "within another", "eight bits", "noise"],
)
def test_a_recording_is_known_again(voices, alter):
    assert alone([*voices, *map(alter, voices)]) == [*range(12), *range(12)]


def test_many_copies_of_one_are_one(voices):
    assert alone([voices[0]] * 120 + [voices[1]]) == [0] * 120 + [120]


def test_silence_and_what_is_short_are_like_nothing():
    silence, short = np.zeros(24000, dtype=np.float32), voice(1, 0.2)
    hum = np.full(24000, 1e-6, dtype=np.float32)
    assert alone([silence, silence, short, short, hum, np.zeros(0, dtype=np.float32)]) == [0, 1, 2, 3, 4, 5]
    assert alone([]) == []
