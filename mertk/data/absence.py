"""What is missing of an utterance: zeros where a modality, or some frames of it, would be.

Zeros are what modality dropout puts there in training (docs/components.md): lengths stay, so that nothing else changes;
features are 0 as the model gets them, their mean over the training part where they are standardised; sound is silent;
tokens are the token 0, pictures black. No method here has an input of its own for what is absent.

Legend: `S` samples, `T` frames, `D` features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mertk.data.utterance_random import generator_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Absence:
    """Takes away a share of what one modality has of an utterance.

    What is missing follows from seed, modality and utterance; with a larger share, all of it is missing still.

    Attributes:
        rate: probability that a unit is missing, from 0 to 1.
        seed: of what is missing.
        modality: whose, for modalities are missing independently of each other.
        unit: frames, or samples, that are missing together; None for all that there is of an utterance.
    """

    rate: float
    seed: int
    modality: str
    unit: int | None = None

    def of(self, array: np.ndarray, utterance: str) -> np.ndarray:
        """The array (S,), (T, D) or (T, 2) with zeros where something is missing; the one given stays as it is."""
        import numpy as np

        num_units = 1 if self.unit is None else math.ceil(len(array) / self.unit)
        random = generator_of(utterance, f"absence of {self.modality}", self.seed)
        is_missing = random.random(num_units) < self.rate
        if not is_missing.any():
            return array
        if self.unit is None:
            return np.zeros_like(array)
        changed = array.copy()
        changed[np.repeat(is_missing, self.unit)[: len(array)]] = 0
        return changed
