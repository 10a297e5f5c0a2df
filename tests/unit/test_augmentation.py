"""Noise, gain and speed."""

import numpy as np
import pytest
import soundfile

from mertk.data.augmentation import Gain, Noise, Speed, read_piece
from mertk.errors import MertkError

RATE = 16000


def tone(seconds=1.0, hertz=400.0):
    return (0.1 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def drawn(seed=0):
    return np.random.default_rng(seed)


def ratio_db(speech, noisy):
    return 10 * np.log10(np.mean(speech.astype(float) ** 2) / np.mean((noisy - speech).astype(float) ** 2))


@pytest.fixture
def noises(tmp_path):
    """A folder with two recordings of noise, one of them short, of another rate and stereo."""
    random = np.random.default_rng(3)
    soundfile.write(tmp_path / "long.wav", 0.2 * random.standard_normal(3 * RATE), RATE)
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "short.flac", 0.01 * random.standard_normal((2000, 2)), 44100)
    (tmp_path / "notes.txt").write_text("no noise")
    return tmp_path


@pytest.mark.parametrize("from_files", [False, True])
def test_noise_has_the_ratio_that_was_asked_for(noises, from_files):
    noise = Noise(snr_db=[12, 12], folder=str(noises) if from_files else None)
    for seed in range(4):
        noisy = noise.augment(tone(), RATE, drawn(seed))
        assert noisy.dtype == np.float32 and len(noisy) == RATE
        assert ratio_db(tone(), noisy) == pytest.approx(12, abs=0.01)


def test_the_ratio_is_drawn_from_its_range():
    ratios = [ratio_db(tone(), Noise(snr_db=[5, 20]).augment(tone(), RATE, drawn(seed))) for seed in range(30)]
    assert 5 <= min(ratios) < 9 and 16 < max(ratios) <= 20


def test_all_recordings_of_noise_are_used_from_many_places(noises):
    noise = Noise(folder=str(noises))
    assert [file.name for file in noise.files] == ["long.wav", "short.flac"]
    pieces = {float(read_piece(noise.files[0], 100, RATE, place)[0]) for place in (0.0, 0.3, 0.999)}
    assert len(pieces) == 3


def test_a_piece_of_a_short_recording_is_repeated(noises):
    piece = read_piece(noises / "rooms" / "short.flac", RATE, RATE, 0.5)
    period = round(2000 * RATE / 44100)
    assert len(piece) == RATE and np.array_equal(piece[:100], piece[period : period + 100])


def test_silence_stays_silent(noises):
    soundfile.write(noises / "long.wav", np.zeros(100), RATE)
    silence = np.zeros(RATE, dtype=np.float32)
    for noise in (Noise(), Noise(folder=str(noises))):
        assert not noise.augment(silence, RATE, drawn()).any()
    # Nothing to add: a noise without any power has no ratio.
    (noises / "rooms" / "short.flac").unlink()
    assert np.array_equal(Noise(folder=str(noises)).augment(tone(), RATE, drawn()), tone())


def test_gain_is_a_factor_of_its_range():
    for seed in range(10):
        changed = Gain(gain_db=[-6, 3]).augment(tone(), RATE, drawn(seed))
        assert -6.01 < 20 * np.log10(np.abs(changed).max() / np.abs(tone()).max()) < 3.01
        assert changed.dtype == np.float32


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.25])
def test_speed_changes_length_and_pitch(factor):
    changed = Speed(factors=[factor]).augment(tone(hertz=400), RATE, drawn())
    assert len(changed) == pytest.approx(RATE / factor, abs=2)
    loudest = np.abs(np.fft.rfft(changed)).argmax() * RATE / len(changed)
    assert loudest == pytest.approx(400 * factor, abs=2)
    assert changed.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noise(snr_db=[20, 5]), r"snr_db: got \[20, 5\], expected two numbers"),
        (lambda: Noise(snr_db=10), "snr_db: got 10, expected two numbers"),
        (lambda: Gain(gain_db=[0, float("inf")]), "gain_db: got .*inf"),
        (lambda: Speed(factors=[0.9, 5]), r"factors: got \[0.9, 5\], expected numbers from 0.5 to 2"),
        (lambda: Speed(factors=[]), "factors: got"),
        (lambda: Noise(folder="/nowhere"), "folder: /nowhere has no recordings"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(MertkError, match=message):
        make()


def test_a_damaged_noise_is_named(noises):
    (noises / "long.wav").write_bytes(b"RIFF junk")
    with pytest.raises(MertkError, match=r"long\.wav: this noise cannot be read"):
        read_piece(noises / "long.wav", 10, RATE, 0.0)
