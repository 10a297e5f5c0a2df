"""What the baselines share: one head, one loss, any of the modalities, and what they do about padding.

Legend: `B` utterances, `T` steps of a sequence, `D` features, `C` classes, or labels that an utterance may have at
once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.criterion import choose_criterion, output_width, prediction_losses
from mertk.models.base import Model, choose, feature_widths
from mertk.nn.pooling import zero_padding

PADDINGS = ("fixed", "masked")


class Baseline(Model):
    """A method that makes one prediction from sequences of features, and learns by it alone (loss `task`).

    Args:
        num_classes: C; not for intensities.
        task: `regression`, `classification` or `multilabel`.
        criterion: None for the usual one of the task (`mertk.losses.criterion`).
        dims: width of the features, by modality.
        longest: steps of the longest sequence, by modality; needed with `fixed` padding alone.
        text_encoder: turns `batch["text"]`, tokens (B, T, 2), with its lengths into states (B, T, D) and their lengths,
            and has `output_dim`; None when `batch["text"]` holds features.
        modalities: those in use; what belongs to others is not built.
        padding: `masked`: padding never changes a result. `fixed`: all sequences are filled up with zeros to the
            longest, what is longer is cut, and the zeros are read like any step.

    Attributes:
        dims: width of the features of each modality in use, of an encoder's where there is one.

    Raises:
        MertkError: arguments that do not fit together.
    """

    task = "regression"

    def __init__(
        self,
        num_classes: int | None,
        task: str,
        criterion: nn.Module | None,
        dims: dict[str, int | None],
        longest: dict[str, int | None],
        text_encoder: nn.Module | None,
        modalities: Sequence[str],
        padding: str,
    ) -> None:
        super().__init__()
        self.task = task
        self.criterion = choose_criterion(task, criterion)
        self.num_outputs = output_width(task, num_classes)
        self.modalities = choose("modalities", modalities, MODALITIES)
        if padding not in PADDINGS:
            raise MertkError(f"padding: got {padding!r}, expected one of {', '.join(PADDINGS)}.")
        self.padding = padding
        self.text_encoder = text_encoder if "text" in self.modalities else None
        self.dims = feature_widths(self.modalities, dims, {"text": text_encoder})
        self.longest = {one: longest.get(one) for one in self.modalities}
        for one, steps in self.longest.items():
            if padding == "fixed" and steps is None:
                raise MertkError(f"{one} is used, but has no {one}_steps, which padding=fixed fills up to.")

    def sequences(self, batch: Batch) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """By modality in use (B, T, D) and how many steps count (B,): those that are real, zeros behind; or all."""
        found = {}
        for one in self.modalities:
            steps, lengths = batch[one], batch[f"{one}_lengths"]
            if one == "text" and self.text_encoder is not None:
                steps, lengths = self.text_encoder(steps, lengths)
            found[one] = self.fill(one, steps, lengths)
        return found

    def fill(self, one: str, steps: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps (B, T, D) of a modality with zeros behind their lengths (B,), and how many count; as `padding` says."""
        steps = zero_padding(steps, lengths)
        if self.padding == "masked":
            return steps, lengths
        longest = self.longest[one]
        steps = functional.pad(steps[:, :longest], (0, 0, 0, max(longest - steps.shape[1], 0)))
        return steps, torch.full_like(lengths, longest)

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """What the prediction costs, as `task`; the mean over the utterances of all processes."""
        values = prediction_losses(self.criterion, output["logits"], batch["labels"], self.num_outputs)
        if self.training:
            return {"task": distributed.global_mean(values)}
        with distributed.local_only():
            return {"task": distributed.global_mean(values)}
