"""An input whose arrays are changed between the file and the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.inputs import Input

#: from an array as it was read, and the name of its utterance, to another of the same length
Change = Callable[["np.ndarray", str], "np.ndarray"]


class ChangedInput:
    """The input of one modality (`mertk.data.inputs.Input`), changed as it is read; utterances and lengths stay."""

    def __init__(self, source: Input, change: Change) -> None:
        self.source, self.change = source, change
        self.width, self.steps, self.record = source.width, source.steps, source.record

    def has(self, utterance: str) -> bool:
        return self.source.has(utterance)

    def length(self, utterance: str) -> float:
        return self.source.length(utterance)

    def origin(self, utterance: str) -> str:
        return self.source.origin(utterance)

    def read(self, utterance: str) -> np.ndarray:
        return self.change(self.source.read(utterance), utterance)
