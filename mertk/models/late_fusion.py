"""Late fusion of frozen vectors by a logistic regression: the floor of every table.

Legend: `B` utterances, `T` steps of a sequence, `C` classes, or labels that an utterance may have at once; 1 for
intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mertk.batch import MODALITIES, Batch, Output
from mertk.models.baseline import Baseline
from mertk.nn.normalization import MaskedBatchNorm
from mertk.nn.pooling import Pooling


class LateFusion(Baseline):
    """Each modality votes by a linear map of the mean of its features (or of `pooling`), and the votes are added.

        output = sum_m W_m dropout((mean_t x_mt - mu_m) / sigma_m) + b_m        m audio, video, text

    This is a logistic regression of classes (or of each label of several), and a linear one of intensities, on all
    vectors side by side. It knows neither order nor interplay: what a method adds must show above it. mu and sigma are
    those of the utterances, as batch normalisation keeps them.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        audio_steps, video_steps, text_steps: steps of the longest sequences; for `fixed` padding.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        padding: `masked`: padding never changes a result. `fixed`: all sequences are filled up with zeros to
            the longest, and the zeros are read like any step.
        dropout: on the vectors.
        pooling: from steps to a vector: `mean`, `attention` or `statistics` (`mertk.nn.pooling`).

    Raises:
        MertkError: arguments that do not fit together.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        task: str = "regression",
        criterion: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
        text_dim: int | None = None,
        audio_steps: int | None = None,
        video_steps: int | None = None,
        text_steps: int | None = None,
        text_encoder: nn.Module | None = None,
        modalities: Sequence[str] = MODALITIES,
        padding: str = "masked",
        dropout: float = 0.0,
        pooling: str = "mean",
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        self.poolings = nn.ModuleDict({one: Pooling(width, pooling) for one, width in self.dims.items()})
        widths = {one: pooling.output_dim for one, pooling in self.poolings.items()}
        self.norms = nn.ModuleDict({one: MaskedBatchNorm(width) for one, width in widths.items()})
        self.dropout = nn.Dropout(dropout)
        self.votes = nn.ModuleDict({one: nn.Linear(width, self.num_outputs) for one, width in widths.items()})

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        logits: torch.Tensor | float = 0.0
        for one, steps in self.sequences(batch).items():
            logits = logits + self.votes[one](self.dropout(self.norms[one](self.poolings[one](*steps))))
        return {"logits": logits}
