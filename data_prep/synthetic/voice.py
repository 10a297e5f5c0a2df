"""Speech-like sound from a source-filter model, its prosody and timbre moved by emotion.

A glottal pulse train and noise excite a vocal tract of four formants (Fant, Acoustic Theory of Speech Production,
1960): excitation and filter are multiplied in short-time spectra, so a whole utterance costs a few array operations.

Arousal raises pitch, its range, loudness, rate and high-frequency energy; valence is only faintly audible (spread lips
raise the formants), as listeners report (Scherer, 2003).

Legend: `S` samples at 16 kHz, `T` spectral frames, `F` frequency bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16000
FFT_LENGTH = 512
HOP = 128

# First three formants in Hz of the vowels of "heed hid head had hod hood who'd hud" for a man; the fourth is fixed.
VOWELS_HZ = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
    ],
    dtype=np.float64,
)
FOURTH_FORMANT_HZ = 3500.0
BANDWIDTHS_HZ = np.array([80.0, 100.0, 140.0, 220.0])


@dataclass(frozen=True)
class VoiceTraits:
    """What stays with a speaker, whatever the emotion."""

    pitch_hz: float
    formant_scale: float
    tilt_db: float  # of the spectrum, per octave above 300 Hz
    breath_db: float  # noise under the voice, relative to it
    rate_hz: float  # syllables a second
    loudness_db: float
    arousal_gain: float  # how far arousal moves this voice


def draw_voice(rng: np.random.Generator, sex: str) -> VoiceTraits:
    """A speaker of the given sex, "F" or "M"."""
    pitch_hz, formant_scale = (205.0, 1.16) if sex == "F" else (115.0, 1.0)
    return VoiceTraits(
        pitch_hz=pitch_hz * 2 ** rng.normal(0, 0.10),
        formant_scale=formant_scale * (1 + rng.normal(0, 0.025)),
        tilt_db=-9.0 + rng.normal(0, 0.7),
        breath_db=-24.0 + rng.normal(0, 1.5),
        rate_hz=4.6 + rng.normal(0, 0.3),
        loudness_db=rng.normal(0, 2.0),
        arousal_gain=rng.uniform(0.85, 1.15),
    )


def synthesise(
    rng: np.random.Generator,
    voice: VoiceTraits,
    arousal: float,
    valence: float,
    num_samples: int,
    snr_db: float = 25.0,
) -> np.ndarray:
    """One utterance: float32 (S,), within -1 and 1.

    Args:
        rng: source of every random choice.
        voice: the speaker.
        arousal: about -1 (calm) to 1 (aroused).
        valence: about -1 (unpleasant) to 1 (pleasant).
        num_samples: S, at 16 kHz.
        snr_db: mean level of the speech over the room's noise.
    """
    arousal = arousal * voice.arousal_gain
    num_frames = num_samples // HOP + 5
    voicing, friction, formants_hz = _articulation(rng, voice, arousal, valence, num_frames)
    pitch_hz = _pitch_contour(rng, voice, arousal, num_frames)

    tilt_db = voice.tilt_db + 6.0 * arousal + rng.normal(0, 0.5)
    breath_db = voice.breath_db - 4.0 * arousal + rng.normal(0, 1.0)
    length = (num_frames - 1) * HOP + FFT_LENGTH
    pulses = _short_time_spectra(_pulse_train(rng, pitch_hz, length))
    noise = _short_time_spectra(rng.standard_normal(length) * 0.1)

    tract = _tract_gain(formants_hz, tilt_db)
    hiss = _friction_gain()
    spectra = (pulses * voicing[:, None] + noise * (voicing * 10 ** (breath_db / 20) * 3)[:, None]) * tract
    spectra += noise * friction[:, None] * hiss * 10 ** (0.15 * arousal)
    speech = _overlap_add(spectra)[FFT_LENGTH // 2 : FFT_LENGTH // 2 + num_samples]

    level_db = -27.0 + voice.loudness_db + 6.0 * arousal + rng.normal(0, 2.0)
    speech *= 10 ** (level_db / 20) / (np.sqrt(np.mean(speech**2)) + 1e-9)
    room = _room_noise(rng, num_samples) * 10 ** ((level_db - snr_db) / 20)
    return (0.98 * np.tanh((speech + room) / 0.98)).astype(np.float32)


def loudness(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    """Loudness (T,) between 0 and 1, `rate_hz` values a second: what opens the mouth of the face that speaks."""
    num_frames = max(1, int(np.ceil(len(samples) / SAMPLE_RATE * rate_hz)))
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    edges = np.minimum((np.arange(num_frames + 1) * SAMPLE_RATE / rate_hz).astype(int), len(samples))
    root = np.sqrt(np.diff(energy[edges]) / np.maximum(np.diff(edges), 1))
    return np.clip(root / (np.quantile(root, 0.95) + 1e-9), 0, 1)


def _articulation(
    rng: np.random.Generator, voice: VoiceTraits, arousal: float, valence: float, num_frames: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Syllables in time: voicing (T,), friction (T,) and formants (T, 4) in Hz."""
    frame_rate = SAMPLE_RATE / HOP
    rate_hz = voice.rate_hz * (1 + 0.13 * arousal) * (1 + rng.normal(0, 0.06))
    seconds = num_frames / frame_rate
    voicing, friction = np.zeros(num_frames), np.zeros(num_frames)
    knots, targets = [0.0], [VOWELS_HZ[rng.integers(len(VOWELS_HZ))]]
    clock, since_pause = rng.uniform(0.03, 0.10), 0
    while clock < seconds - 0.08:
        length = rng.uniform(0.75, 1.3) / rate_hz
        onset = length * rng.uniform(0.2, 0.4)
        start, vowel, stop = (int(x * frame_rate) for x in (clock, clock + onset, clock + length * 0.95))
        if rng.random() < 0.55:
            friction[start:vowel] = rng.uniform(0.3, 1.0)
        else:
            voicing[start:vowel] = rng.uniform(0.15, 0.4)
        voicing[vowel:stop] = rng.uniform(0.7, 1.0)
        knots.append(clock + (onset + length) / 2)
        targets.append(VOWELS_HZ[rng.integers(len(VOWELS_HZ))] * (1 + rng.normal(0, 0.03, 3)))
        clock, since_pause = clock + length, since_pause + 1
        if since_pause >= 4 and rng.random() < 0.2 - 0.08 * arousal:
            clock, since_pause = clock + rng.uniform(0.10, 0.25), 0
    times = np.arange(num_frames) / frame_rate
    formants_hz = np.stack([np.interp(times, knots, column) for column in np.array(targets).T], axis=1)
    # Lips spread by a smile shorten the tract a little; an open, tense jaw raises the first formant.
    formants_hz *= voice.formant_scale * (1 + 0.012 * valence)
    formants_hz[:, 0] *= 1 + 0.05 * arousal
    fourth = np.full((num_frames, 1), FOURTH_FORMANT_HZ * voice.formant_scale)
    return _smooth(voicing, 3), _smooth(friction, 3), np.concatenate([formants_hz, fourth], axis=1)


def _pitch_contour(rng: np.random.Generator, voice: VoiceTraits, arousal: float, num_frames: int) -> np.ndarray:
    """Fundamental frequency (T,) in Hz: level, fall, accents and vibrato, in semitones around the speaker's own."""
    times = np.arange(num_frames) * HOP / SAMPLE_RATE
    level = 3.2 * arousal + rng.normal(0, 0.7)
    spread = 1.8 * 2 ** (0.8 * arousal + rng.normal(0, 0.15))
    num_accents = max(2, int(times[-1] * 2.2) + 1)
    accents = np.interp(times, np.linspace(0, times[-1], num_accents), rng.normal(0, 1, num_accents))
    vibrato = 0.15 * np.sin(2 * np.pi * (5.2 * times + rng.random()))
    semitones = level + spread * accents - 0.9 * (times - times[-1] / 2) + vibrato
    return voice.pitch_hz * 2 ** (semitones / 12)


def _pulse_train(rng: np.random.Generator, pitch_hz: np.ndarray, length: int) -> np.ndarray:
    """Glottal pulses (S,) of equal energy a second, one a period with 1 % jitter and 5 % shimmer."""
    per_sample = np.interp(np.arange(length), np.arange(len(pitch_hz)) * HOP + FFT_LENGTH // 2, pitch_hz)
    phase = np.cumsum(per_sample) / SAMPLE_RATE
    cycles = np.arange(1, int(phase[-1]))
    places = np.interp(cycles + rng.normal(0, 0.01, len(cycles)), phase, np.arange(length))
    heights = (1 + rng.normal(0, 0.05, len(cycles))) / np.sqrt(np.interp(places, np.arange(length), per_sample))
    whole = np.clip(places.astype(int), 0, length - 2)
    pulses = np.zeros(length)
    np.add.at(pulses, whole, heights * (1 - (places - whole)))
    np.add.at(pulses, whole + 1, heights * (places - whole))
    return pulses * np.sqrt(SAMPLE_RATE) * 0.1


def _tract_gain(formants_hz: np.ndarray, tilt_db: float) -> np.ndarray:
    """Magnitude (T, F) of four resonances in cascade and of the source's slope of `tilt_db` per octave."""
    frequencies = np.fft.rfftfreq(FFT_LENGTH, 1 / SAMPLE_RATE)
    power = np.ones((len(formants_hz), len(frequencies)))
    for k, bandwidth in enumerate(BANDWIDTHS_HZ):
        ratio = (frequencies[None, :] / formants_hz[:, k, None]) ** 2
        power *= (1 - ratio) ** 2 + ratio * (bandwidth / formants_hz[:, k, None]) ** 2
        power /= 1 + ratio**2  # only the peak is wanted: the fall above a resonance is part of the slope
    slope_db = tilt_db * np.log2(np.maximum(frequencies, 300.0) / 300.0)
    return 10 ** (slope_db / 20) / np.sqrt(power)


def _friction_gain() -> np.ndarray:
    """Magnitude (F,) of the noise of consonants: mostly above 3 kHz."""
    frequencies = np.fft.rfftfreq(FFT_LENGTH, 1 / SAMPLE_RATE)
    return 0.35 / (1 + np.exp(-(frequencies - 3500.0) / 500.0))


def _room_noise(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Steady noise (S,) of unit level, falling by 3 dB per octave."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE), 60.0))
    noise = np.fft.irfft(spectrum, num_samples)
    return noise / (noise.std() + 1e-9)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    return np.convolve(values, np.ones(width) / width, mode="same")


def _short_time_spectra(signal: np.ndarray) -> np.ndarray:
    """Windowed spectra (T, F) of a signal (S,)."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, FFT_LENGTH)[::HOP]
    return np.fft.rfft(frames * np.hanning(FFT_LENGTH + 1)[:-1], axis=1)


def _overlap_add(spectra: np.ndarray) -> np.ndarray:
    """The signal (S,) whose windowed spectra these are; four Hann windows overlap and add up to two."""
    frames = np.fft.irfft(spectra, FFT_LENGTH, axis=1) / 2
    signal = np.zeros((len(frames) - 1) * HOP + FFT_LENGTH)
    num_hops = FFT_LENGTH // HOP
    blocks = frames.reshape(len(frames), num_hops, HOP)
    for k in range(num_hops):
        signal[k * HOP : k * HOP + len(frames) * HOP] += blocks[:, k].ravel()
    return signal
