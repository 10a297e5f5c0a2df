"""LMF: the tensor fusion of TFN through factors of low rank, without the tensor.

Liu, Shen, Lakshminarasimhan, Liang, Zadeh, Morency: "Efficient Low-rank Multimodal Fusion with Modality-Specific
Factors", ACL 2018.

Legend: `B` utterances, `T` steps of a sequence, `H` width of a modality's vector, `R` the rank, `C` classes, or labels
that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.models.baseline import Baseline
from mertk.models.tfn import with_one
from mertk.models.tfn_subnets import make_subnets

FUSION_WEIGHTS = ("trained", "fixed")


class LMF(Baseline):
    """Each modality's vector, with a 1 in front, is mapped R times to the outputs; the maps are multiplied and summed.

        a, v = subnet(mean of the frames)   t = linear(LSTM(text))      (`mertk.models.tfn_subnets`)
        z_r = ([1; a] A_r) * ([1; v] V_r) * ([1; t] T_r)                equation 6; element by element
        output = sum_r w_r z_r + b                                      the paper writes the sum without w

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        audio_steps, video_steps, text_steps: steps of the longest sequences; for `fixed` padding.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        padding: `masked`: padding never changes a result. `fixed`, as released: all sequences are filled up with zeros
            to the longest, and the zeros are read like any step.
        audio_hidden_dim, video_hidden_dim, text_hidden_dim: of the subnets.
        text_output_dim: of the vector of the text.
        rank: of the factors, R.
        fusion_weights: of w and b: `trained`, or `fixed` as they were drawn, as released.
        audio_dropout, video_dropout: in the subnets, behind the normalisation.
        pooling: from the frames of sound and picture to a vector: `mean`, as published, `attention` or `statistics`
            (`mertk.nn.pooling`).

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
        audio_hidden_dim: int = 16,
        video_hidden_dim: int = 128,
        text_hidden_dim: int = 128,
        text_output_dim: int = 64,
        rank: int = 3,
        fusion_weights: str = "trained",
        audio_dropout: float = 0.3,
        video_dropout: float = 0.3,
        pooling: str = "mean",
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        if fusion_weights not in FUSION_WEIGHTS:
            raise MertkError(f"fusion_weights: got {fusion_weights!r}, expected one of {', '.join(FUSION_WEIGHTS)}.")
        if rank < 1:
            raise MertkError(f"rank: got {rank}, expected at least 1.")
        hidden = {"audio": audio_hidden_dim, "video": video_hidden_dim, "text": text_hidden_dim}
        dropouts = {"audio": audio_dropout, "video": video_dropout}
        self.subnets, widths = make_subnets(self, hidden, dropouts, text_output_dim, pooling)
        self.factors = nn.ParameterDict(
            {one: nn.Parameter(torch.empty(rank, width + 1, self.num_outputs)) for one, width in widths.items()}
        )
        self.rank_weights = nn.Parameter(torch.empty(1, rank))
        self.bias = nn.Parameter(torch.zeros(1, self.num_outputs))
        for drawn in (*self.factors.values(), self.rank_weights):
            nn.init.xavier_normal_(drawn)
        for fixed in (self.rank_weights, self.bias):
            fixed.requires_grad_(fusion_weights == "trained")

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        product: torch.Tensor | float = 1.0
        for one, steps in self.sequences(batch).items():
            vector = with_one(self.subnets[one](*steps))
            product = product * torch.einsum("bh,rhc->brc", vector, self.factors[one])
        return {"logits": torch.einsum("r,brc->bc", self.rank_weights[0], product) + self.bias}
