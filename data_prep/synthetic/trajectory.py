"""How voice and face move while an opinion is said: trajectories whose statistics follow its intensity.

Three things follow it, each along a direction of its own in the space of the features: where the trajectory lies on
the whole, how high a gesture rises somewhere in it, and whether it climbs or falls. Speakers lie elsewhere each, and
everything trembles. Legend: `T` frames, `D` features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPEAKER_SPREAD = 0.5
TREMBLE = 0.5
#: share of the trembling that a frame takes over from the one before
SMOOTHNESS = 0.6


@dataclass(frozen=True)
class Channel:
    """A kind of features.

    Attributes:
        directions: (3, D) level, gesture and slope, of length sqrt(D).
        center: (D,) where the features of the average speaker lie.
        scale: (D,) their units, which differ as those of pitch and energy do.
    """

    directions: np.ndarray
    center: np.ndarray
    scale: np.ndarray


def draw_channel(rng: np.random.Generator, width: int) -> Channel:
    """Directions and units of a kind of features of width D."""
    directions = rng.normal(size=(3, width))
    directions *= np.sqrt(width) / np.linalg.norm(directions, axis=1, keepdims=True)
    return Channel(directions, rng.normal(size=width), np.exp(rng.normal(0, 0.3, size=width)))


def draw_speaker(rng: np.random.Generator, channel: Channel) -> np.ndarray:
    """(D,) where the features of one speaker lie."""
    return channel.center + rng.normal(0, SPEAKER_SPREAD, size=len(channel.center))


def move(
    rng: np.random.Generator, channel: Channel, speaker: np.ndarray, intensity: float, num_frames: int
) -> np.ndarray:
    """Features (T, D) of an intensity of about -1 to 1."""
    time = np.linspace(-1, 1, num_frames)[:, None]
    level, gesture, slope = channel.directions[:, None, :]
    peak = np.exp(-0.5 * ((time - rng.uniform(-0.7, 0.7)) / 0.2) ** 2)
    follows = 0.6 * level + 0.8 * peak * gesture + 0.4 * time * slope
    tremble = rng.normal(size=(num_frames, len(speaker)))
    for frame in range(1, num_frames):
        tremble[frame] += SMOOTHNESS * tremble[frame - 1]
    return (speaker + intensity * follows + TREMBLE * tremble) * channel.scale
