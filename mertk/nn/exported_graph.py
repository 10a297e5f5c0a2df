"""A model as a graph of operators: features as they are read in, answers out.

Legend: `B` utterances, `S` samples of a waveform, `T` frames or tokens, `D` features, `C` classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from mertk.batch import length_mask

if TYPE_CHECKING:
    from mertk.models.base import Model
    from mertk.run.intakes import Intake
    from mertk.tasks import Task

#: seconds of sound where other inputs have one step, in what a graph is tried with
_TRIED_SECONDS = 0.05


class GraphInput(nn.Module):
    """One modality, from what a graph is given to what the model takes.

    What `mertk predict` does to the arrays of one utterance is done to a batch: cut off, standardised; whatever stands
    behind the lengths becomes 0.

    Args:
        intake: what the model takes of the modality.
        encoder: of the model, on this modality; None where it has none.
        is_encoded: whether the graph takes what the encoder gives: its frames, which the model takes as they are.

    Attributes:
        kind: waveform, features, tokens or frames.
        width: D; None of waveforms.
    """

    def __init__(self, intake: Intake, encoder: nn.Module | None, is_encoded: bool) -> None:
        super().__init__()
        self.modality = intake.modality
        self.intake = intake
        self.kind = "frames" if is_encoded else intake.given.kind
        widths = {"waveform": None, "tokens": 2, "frames": getattr(encoder, "output_dim", None)}
        self.width: int | None = widths.get(self.kind, intake.width)
        self.num_tokens: int = getattr(encoder, "num_tokens", 2)
        self.num_positions: int | None = getattr(encoder, "num_positions", None) if self.kind == "tokens" else None
        self.longest = None if is_encoded else _longest(intake)
        statistics = None if is_encoded else intake.statistics
        if statistics is not None:
            mean, std = (torch.tensor(statistics[name], dtype=torch.float32) for name in ("mean", "std"))
            self.register_buffer("mean", mean)
            self.register_buffer("scale", torch.where(std > 0, std, torch.ones(())))
        self.is_standardised = statistics is not None

    @property
    def dtype(self) -> str:
        return "int64" if self.kind == "tokens" else "float32"

    def forward(self, values: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (B, S) or (B, T, D), padded with anything, and lengths (B,), at least 1, to what a batch holds."""
        if self.longest is not None:
            lengths = lengths.clamp(max=self.longest)
        if self.is_standardised:
            values = (values - self.mean) / self.scale
        mask = length_mask(lengths, values.shape[1])
        return values.masked_fill(~(mask if values.dim() == 2 else mask[..., None]), 0), lengths

    def invent(self, steps: int, random: np.random.Generator) -> np.ndarray:
        """An array (S,) or (T, D) such as an utterance may have; so many steps, of sound a twentieth of a second."""
        if self.kind == "waveform":
            samples = max(1, round(steps * _TRIED_SECONDS * self.intake.given.sample_rate_hz) + steps)
            return random.normal(0, 0.1, samples).astype(np.float32)
        if self.kind == "tokens":
            steps = min(steps, self.num_positions or steps)
            words = random.integers(0, self.num_tokens, steps)
            return np.stack([words, np.zeros_like(words)], axis=1)
        if self.kind == "features" and self.intake.is_of_pictures:
            return random.integers(0, 256, (steps, self.width)).astype(np.float32)
        frames = random.normal(0, 1, (steps, self.width)).astype(np.float32)
        return frames * self.scale.numpy() + self.mean.numpy() if self.is_standardised else frames

    def prepared(self, array: np.ndarray) -> np.ndarray:
        """The array of one utterance as the model takes it, by the way that `mertk predict` goes."""
        if self.kind == "frames":
            return array
        cut = array[: self.longest] if self.kind == "waveform" else self.intake.cut(array)
        return self.intake.standardized(cut)


def _longest(intake: Intake) -> int | None:
    """Samples or frames that the model sees of an utterance; None where that is all."""
    if intake.given.kind == "waveform":
        longest = intake.given.max_seconds
        return round(longest * intake.given.sample_rate_hz) if longest else None
    seconds = intake.given.max_seconds if intake.record is not None else None
    return round(seconds * intake.record["rate_hz"]) if seconds and intake.record["rate_hz"] else None


class Graph(nn.Module):
    """The model between arrays and answers, called with values and lengths of each input in turn."""

    def __init__(self, model: Model, task: Task, inputs: Sequence[GraphInput]) -> None:
        super().__init__()
        self.model, self.task = model, task
        self.inputs = nn.ModuleList(inputs)
        self.eval()

    @property
    def input_names(self) -> list[str]:
        return [name for one in self.inputs for name in (one.modality, f"{one.modality}_lengths")]

    @property
    def output_names(self) -> list[str]:
        """What `mertk predict` tells; of classes what the model says of each before that, too."""
        return ["intensity"] if self.task.has_numbers else ["probabilities", "logits"]

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Answers (B, C), or (B, 1), and of classes the logits."""
        batch: dict[str, torch.Tensor] = {}
        for place, one in enumerate(self.inputs):
            batch[one.modality], batch[f"{one.modality}_lengths"] = one(*given[2 * place : 2 * place + 2])
        return self.answer(batch)

    def answer(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The same of a batch as the model takes it."""
        logits = self.model(batch)["logits"].float()
        return (self.task.answer(logits), logits)[: len(self.output_names)]

    def dynamic_shapes(self) -> list[dict[int, str]]:
        """Names of the axes that any batch may have in its own way, by input."""
        return [
            shape
            for one in self.inputs
            for shape in ({0: "batch", 1: f"{one.modality}_{_unit(one.kind)}"}, {0: "batch"})
        ]

    def invent(self, lengths: Sequence[int], seed: int) -> list[dict[str, np.ndarray]]:
        """Utterances of about these lengths, each by modality; no two modalities of one are equally long."""
        random = np.random.default_rng(seed)
        return [
            {one.modality: one.invent(steps + 2 * place * (steps > 1), random) for place, one in enumerate(self.inputs)}
            for steps in lengths
        ]

    def pad(self, rows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Utterances as the graph's inputs by name, with rubbish behind their lengths."""
        arrays: dict[str, np.ndarray] = {}
        for one in self.inputs:
            lengths = [len(row[one.modality]) for row in rows]
            width = max(lengths) + (len(rows) > 1)
            width = min(width, one.num_positions or width)
            values = np.full((len(rows), width, *rows[0][one.modality].shape[1:]), 1, one.dtype)
            for row, length, place in zip(rows, lengths, values, strict=True):
                place[:length] = row[one.modality]
            arrays[one.modality], arrays[f"{one.modality}_lengths"] = values, np.array(lengths, np.int64)
        return arrays


def _unit(kind: str) -> str:
    return {"waveform": "samples", "tokens": "tokens"}.get(kind, "frames")


class _PassOn(nn.Module):
    """In the place of an encoder whose frames are given."""

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return frames, lengths


def encoders_of(model: Model, modalities: Sequence[str]) -> dict[str, nn.Module]:
    """The encoders inside a model, by modality."""
    found = {modality: getattr(model, f"{modality}_encoder", None) for modality in modalities}
    return {modality: encoder for modality, encoder in found.items() if isinstance(encoder, nn.Module)}


@contextmanager
def without_encoders(model: Model, modalities: Sequence[str]) -> Iterator[None]:
    """Within, the model takes of these modalities what its encoders give."""
    encoders = encoders_of(model, modalities)
    try:
        for modality in encoders:
            setattr(model, f"{modality}_encoder", _PassOn())
        yield
    finally:
        for modality, encoder in encoders.items():
            setattr(model, f"{modality}_encoder", encoder)
