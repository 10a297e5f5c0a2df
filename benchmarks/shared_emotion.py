"""Utterances in which an emotion is all that two modalities share, and how well their pairs could be told at best.

Each emotion has a direction in either modality, at right angles to the others'. A frame is the direction of its
utterance's emotion, what is the utterance's own (nuisance, which the other modality knows nothing of), and noise of its
own; then a constant, which stands for what all pictures of a corpus have in common.

Legend: `B` utterances, `T` frames, `D` features of a modality, `C` emotions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mertk.batch import Batch

NUM_EMOTIONS = 4
WIDTHS = {"audio": 32, "video": 24}
NUM_FRAMES = 6
#: length of an emotion's direction
STRENGTH = 3.0


@dataclass
class SharedEmotion:
    """Where utterances are drawn from.

    Attributes:
        directions: by modality, (C, D).
        constants: by modality, (D,).
        nuisance: standard deviation, in every feature, of what is an utterance's own; noise of frames has the same.
    """

    directions: dict[str, torch.Tensor]
    constants: dict[str, torch.Tensor]
    nuisance: float

    def draw(self, count: int, random: torch.Generator) -> Batch:
        """A batch of `count` utterances, as many of each emotion as can be."""
        labels = torch.randperm(count, generator=random) % NUM_EMOTIONS
        batch: Batch = {"labels": labels}
        for modality, width in WIDTHS.items():
            own = self.nuisance * torch.randn(count, 1, width, generator=random)
            noise = self.nuisance * torch.randn(count, NUM_FRAMES, width, generator=random)
            emotions = self.directions[modality][labels][:, None]
            batch[modality] = emotions + own + noise + self.constants[modality]
            batch[f"{modality}_lengths"] = torch.full((count,), NUM_FRAMES)
        return batch

    def best_accuracy(self, batch: Batch, audios: torch.Tensor, videos: torch.Tensor) -> float:
        """How many of the pairs that a model is asked about can be told by whoever knows how they were made.

        Asked is, as in training, about each utterance's own pair, once against its audio with the video of row
        `videos` (B,), once against its video with the audio of row `audios` (B,). Told is by the ratio of likelihoods
        that the emotions are equal and that they are not, with the threshold that suits the drawn pairs best.
        """
        own = torch.arange(len(batch["labels"]))
        true = self._ratio(batch, own, own)
        return sum(_separated(true, self._ratio(batch, *pair)) for pair in ((own, videos), (audios, own))) / 2

    def _ratio(self, batch: Batch, audios: torch.Tensor, videos: torch.Tensor) -> torch.Tensor:
        """Logarithm of the ratio (B,), for audios and videos of these rows."""
        heard, seen = (self._likelihoods(batch, modality) for modality in WIDTHS)
        joint = heard[audios][:, :, None] + seen[videos][:, None, :]
        is_equal = torch.eye(NUM_EMOTIONS, dtype=torch.bool)
        equal, different = (joint[:, chosen].logsumexp(dim=1) for chosen in (is_equal, ~is_equal))
        return equal - different + math.log(NUM_EMOTIONS - 1)

    def _likelihoods(self, batch: Batch, modality: str) -> torch.Tensor:
        """Logarithms (B, C), up to a constant, of the mean frame under each emotion."""
        means = batch[modality].mean(dim=1) - self.constants[modality]
        variance = self.nuisance**2 * (1 + 1 / NUM_FRAMES)
        return -(means[:, None] - self.directions[modality]).square().sum(dim=2) / (2 * variance)


def make_world(nuisance: float, constant: float = 0.0, seed: int = 0) -> SharedEmotion:
    """Directions drawn by `seed`; `constant` is the size of what all frames have in common, in every feature."""
    random = torch.Generator().manual_seed(seed)
    directions, constants = {}, {}
    for modality, width in WIDTHS.items():
        orthogonal, _ = torch.linalg.qr(torch.randn(width, NUM_EMOTIONS, generator=random))
        directions[modality] = STRENGTH * orthogonal.t()
        constants[modality] = constant * torch.randn(width, generator=random)
    return SharedEmotion(directions, constants, nuisance)


def _separated(true: torch.Tensor, mismatched: torch.Tensor) -> float:
    """Share of values on the right side of the best threshold."""
    thresholds = torch.cat([true, mismatched])
    told = (true > thresholds[:, None]).double().mean(dim=1) + (mismatched <= thresholds[:, None]).double().mean(dim=1)
    return told.max().item() / 2
