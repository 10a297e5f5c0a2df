"""TFN: a tensor of all products of what the modalities say, alone, in pairs and all together.

Zadeh, Chen, Poria, Cambria, Morency: "Tensor Fusion Network for Multimodal Sentiment Analysis", EMNLP 2017.

Legend: `B` utterances, `T` steps of a sequence, `H` width of a modality's vector, `C` classes, or labels that an
utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.models.baseline import Baseline
from mertk.models.tfn_subnets import make_subnets


class TFN(Baseline):
    """The outer product of the modalities' vectors, each with a 1 in front, and three linear layers.

        a, v = subnet(mean of the frames)   t = linear(LSTM(text))      (`mertk.models.tfn_subnets`)
        F = [1; a] x [1; v] x [1; t]                                    section 4.2; the outer product, flattened
        z = W3 relu(W2 relu(W1 dropout(F)))                             biases left out here
        output = limit (2 sigmoid(z) - 1)                               of intensities; of classes z, a logit each

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
        post_fusion_dim: width of the layers behind the fusion.
        audio_dropout, video_dropout: in the subnets, behind the normalisation.
        post_fusion_dropout: on F.
        label_limit: largest absolute value of an intensity.
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
        audio_hidden_dim: int = 32,
        video_hidden_dim: int = 128,
        text_hidden_dim: int = 128,
        text_output_dim: int = 32,
        post_fusion_dim: int = 64,
        audio_dropout: float = 0.3,
        video_dropout: float = 0.3,
        post_fusion_dropout: float = 0.5,
        label_limit: float = 3.0,
        pooling: str = "mean",
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        if not label_limit > 0:
            raise MertkError(f"label_limit: got {label_limit}, expected more than 0.")
        self.label_limit = label_limit
        hidden = {"audio": audio_hidden_dim, "video": video_hidden_dim, "text": text_hidden_dim}
        dropouts = {"audio": audio_dropout, "video": video_dropout}
        self.subnets, widths = make_subnets(self, hidden, dropouts, text_output_dim, pooling)
        num_products = 1
        for width in widths.values():
            num_products *= width + 1
        self.dropout = nn.Dropout(post_fusion_dropout)
        self.layer_1 = nn.Linear(num_products, post_fusion_dim)
        self.layer_2 = nn.Linear(post_fusion_dim, post_fusion_dim)
        self.layer_3 = nn.Linear(post_fusion_dim, self.num_outputs)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        vectors = [self.subnets[one](*steps) for one, steps in self.sequences(batch).items()]
        hidden = functional.relu(self.layer_1(self.dropout(all_products(vectors))))
        logits = self.layer_3(functional.relu(self.layer_2(hidden)))
        if self.task == "regression":
            logits = self.label_limit * (2 * logits.sigmoid() - 1)
        return {"logits": logits}


def with_one(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (B, H) with a 1 in front of each, (B, 1 + H)."""
    return functional.pad(vectors, (1, 0), value=1.0)


def all_products(vectors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Every product of an element, or 1, of each (B, H) vector, flattened; the last vector's change fastest.

    >>> all_products([torch.tensor([[2.0]]), torch.tensor([[3.0, 5.0]])])
    tensor([[ 1.,  3.,  5.,  2.,  6., 10.]])
    """
    products = with_one(vectors[0])
    for other in vectors[1:]:
        products = (products[:, :, None] * with_one(other)[:, None, :]).flatten(1)
    return products
