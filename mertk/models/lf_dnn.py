"""LF-DNN: late fusion of the hidden vectors of three networks.

The late fusion of Williams, Comanescu, Radu, Tian, "DNN Multimodal Fusion Techniques for Predicting Video Sentiment",
Challenge-HML 2018, in the form that is compared with in Yu et al., "CH-SIMS", ACL 2020.

Legend: `B` utterances, `T` steps of a sequence, `C` classes, or labels that an utterance may have at once; 1 for
intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import MODALITIES, Batch, Output
from mertk.models.baseline import Baseline
from mertk.models.tfn_subnets import make_subnets


class LfDnn(Baseline):
    """Each modality is made a vector; three linear layers predict from all of them side by side.

        a, v = subnet(mean of the frames)   t = linear(LSTM(text))      (`mertk.models.tfn_subnets`)
        f = dropout([a; v; t])
        output = W3 relu(W2 relu(W1 f))                                 biases left out here

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
        post_fusion_dropout: on f.
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
        text_output_dim: int = 256,
        post_fusion_dim: int = 128,
        audio_dropout: float = 0.2,
        video_dropout: float = 0.2,
        post_fusion_dropout: float = 0.2,
        pooling: str = "mean",
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        hidden = {"audio": audio_hidden_dim, "video": video_hidden_dim, "text": text_hidden_dim}
        dropouts = {"audio": audio_dropout, "video": video_dropout}
        self.subnets, widths = make_subnets(self, hidden, dropouts, text_output_dim, pooling)
        self.dropout = nn.Dropout(post_fusion_dropout)
        self.layer_1 = nn.Linear(sum(widths.values()), post_fusion_dim)
        self.layer_2 = nn.Linear(post_fusion_dim, post_fusion_dim)
        self.layer_3 = nn.Linear(post_fusion_dim, self.num_outputs)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        vectors = [self.subnets[one](*steps) for one, steps in self.sequences(batch).items()]
        hidden = functional.relu(self.layer_1(self.dropout(torch.cat(vectors, dim=1))))
        return {"logits": self.layer_3(functional.relu(self.layer_2(hidden)))}
