"""Sounds that are nearly the same recording: fingerprints of what is heard, and which of them meet.

A fingerprint is a row of 32 bits for each moment: whether the difference between the energies of two neighbouring bands
grew. Loudness, sample rate, coding and a little noise leave most bits as they are, and a piece of a recording has those
of the whole there. Another reading of the same words, by the same voice even, has other bits.
Source: Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002.

Legend: `S` samples, `M` moments, `F` moments of all sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 8000
#: a window is a quarter of a second, and one begins every 32 ms, so that cutting between two changes few bits
_WINDOW, _HOP = 2048, 256
_LOWEST_HZ, _HIGHEST_HZ, _NUM_BITS = 300.0, 2000.0, 32
#: moments fainter than the loudest one by more than this say nothing
_FAINT_DECIBEL = 50.0
#: digits beyond this many are rounding of what is silent
_SILENT_ENERGY = 1e-7

#: least stretch that two sounds must share, and the largest share of bits that may differ there
_LEAST_MOMENTS, MOST_DIFFERING = 31, 0.2
#: bits of a moment that are so near their border that they are looked up both ways
_NUM_DOUBTFUL = 5
#: a row of bits that more moments than this have in common links each only to the next
_MOST_OF_A_KIND = 50
#: moments of two sounds that must be alike at one distance before the whole is compared
_LEAST_VOTES = 2


@dataclass(frozen=True)
class SoundPrint:
    """What is heard at each moment.

    Attributes:
        bits: (M,) uint32.
        doubtful: (M, 5) uint32, each the bits with one of those nearest to their border turned over.
        heard: (M,) whether there is sound; the others are not compared.
    """

    bits: np.ndarray
    doubtful: np.ndarray
    heard: np.ndarray


def print_sound(samples: np.ndarray) -> SoundPrint:
    """The fingerprint of samples (S,) at 8000 Hz; of less than a quarter of a second it is empty."""
    energies = _band_energies(samples)
    if len(energies) < 2:
        empty = np.zeros(0, np.uint32)
        return SoundPrint(empty, np.zeros((0, _NUM_DOUBTFUL), np.uint32), np.zeros(0, bool))
    # Roots, so that loud bands do not decide alone which bits are doubtful.
    slopes = np.diff(np.sqrt(energies), axis=1)
    growth = slopes[1:] - slopes[:-1]
    powers = (np.uint32(1) << np.arange(_NUM_BITS, dtype=np.uint32)).astype(np.uint32)
    bits = np.where(growth > 0, powers, 0).sum(axis=1, dtype=np.uint32)
    nearest = np.argpartition(np.abs(growth), _NUM_DOUBTFUL, axis=1)[:, :_NUM_DOUBTFUL]
    loudness = energies.sum(axis=1)[1:]
    heard = loudness > max(loudness.max() * 10 ** (-_FAINT_DECIBEL / 10), _SILENT_ENERGY)
    return SoundPrint(bits, bits[:, None] ^ powers[nearest], heard)


def _band_energies(samples: np.ndarray) -> np.ndarray:
    """(M + 1, 33) energy of each band in each window."""
    count = (len(samples) - _WINDOW) // _HOP + 1
    if count < 1:
        return np.zeros((0, _NUM_BITS + 1))
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _WINDOW)[::_HOP]
    powers = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
    borders_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _NUM_BITS + 2)
    borders = np.round(borders_hz * _WINDOW / SAMPLE_RATE_HZ).astype(int)
    return np.add.reduceat(powers, borders, axis=1)[:, :-1]


def find_same(prints: Sequence[SoundPrint]) -> np.ndarray:
    """(N,) for each sound the number of the first one that is nearly the same, by way of others perhaps."""
    first = list(range(len(prints)))

    def root(number: int) -> int:
        while first[number] != number:
            first[number] = first[first[number]]
            number = first[number]
        return number

    for one, other, distance in _candidates(prints):
        low, high = sorted((root(one), root(other)))
        if low != high and _differing(prints[one], prints[other], distance) <= MOST_DIFFERING:
            first[high] = low
    return np.array([root(number) for number in range(len(prints))], dtype=np.int64)


def _candidates(prints: Sequence[SoundPrint]) -> list[tuple[int, int, int]]:
    """Pairs of sounds, and by how many moments the second is later in what they may share."""
    heard = [np.flatnonzero(one.heard) for one in prints]
    sound = np.repeat(np.arange(len(prints)), [len(moments) for moments in heard])
    if not len(sound):
        return []
    moment = np.concatenate(heard)
    bits = np.concatenate([one.bits[moments] for one, moments in zip(prints, heard, strict=True)])
    doubtful = np.concatenate([one.doubtful[moments] for one, moments in zip(prints, heard, strict=True)])
    order = np.argsort(bits, kind="stable")
    pairs = [_links(bits[order], order)]
    for column in doubtful.T:
        pairs.append(_meetings(column, bits[order], order))
    left, right = np.concatenate(pairs, axis=1)
    apart = sound[left] != sound[right]
    left, right = left[apart], right[apart]
    swap = sound[left] > sound[right]
    left, right = np.where(swap, right, left), np.where(swap, left, right)
    found = np.stack([sound[left], sound[right], moment[right] - moment[left]])
    kinds, votes = np.unique(found, axis=1, return_counts=True)
    best = np.argsort(-votes, kind="stable")
    return [tuple(kinds[:, place].tolist()) for place in best if votes[place] >= _LEAST_VOTES]


def _links(bits: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(2, P) moments of equal bits, as they are sorted: of a few all pairs, of many each with the next."""
    starts = np.flatnonzero(np.r_[True, bits[1:] != bits[:-1]])
    sizes = np.diff(np.r_[starts, len(bits)])
    last = np.repeat(starts + sizes, sizes) - 1  # of each moment's kind
    reach = np.where(np.repeat(sizes, sizes) <= _MOST_OF_A_KIND, last - np.arange(len(bits)), 1)
    reach = np.minimum(reach, last - np.arange(len(bits)))
    left = np.repeat(np.arange(len(bits)), reach)
    steps = np.arange(len(left)) - np.repeat(np.cumsum(reach) - reach, reach) + 1
    return np.stack([order[left], order[left + steps]])


def _meetings(wanted: np.ndarray, bits: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(2, P) moments whose bits, one turned over, are those of another, where these are not too many."""
    begin, end = np.searchsorted(bits, wanted), np.searchsorted(bits, wanted, side="right")
    sizes = np.where(end - begin <= _MOST_OF_A_KIND, end - begin, 0)
    left = np.repeat(np.arange(len(wanted)), sizes)
    steps = np.arange(len(left)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.stack([left, order[np.repeat(begin, sizes) + steps]])


def _differing(one: SoundPrint, other: SoundPrint, distance: int) -> float:
    """Share of bits that differ in the stretch that two sounds share; 1 where it is too short to tell."""
    begin, end = max(0, -distance), min(len(one.bits), len(other.bits) - distance)
    if end <= begin:
        return 1.0
    mine, theirs = slice(begin, end), slice(begin + distance, end + distance)
    both = one.heard[mine] & other.heard[theirs]
    if both.sum() < _LEAST_MOMENTS:
        return 1.0
    unlike = (one.bits[mine] ^ other.bits[theirs])[both]
    return float(np.unpackbits(unlike.view(np.uint8)).mean())
