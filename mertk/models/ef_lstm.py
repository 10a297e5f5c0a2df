"""EF-LSTM: one recurrent network over the features of all modalities side by side.

The early fusion of Williams, Kleinegesse, Comanescu, Radu, "Recognizing Emotions in Video Using Multimodal DNN Feature
Fusion", Challenge-HML 2018, in the form that is compared with in Yu et al., "CH-SIMS", ACL 2020. LSTM: Hochreiter,
Schmidhuber, "Long Short-Term Memory", Neural Computation 1997.

Legend: `B` utterances, `T` steps shared by the modalities, `D` features of all modalities, `H` width of the states,
`C` classes, or labels that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import MODALITIES, Batch, Output, length_mask
from mertk.models.baseline import Baseline
from mertk.nn.normalization import MaskedBatchNorm
from mertk.nn.pooling import pool_to_steps, zero_padding
from mertk.nn.recurrence import LastState


class EfLstm(Baseline):
    """Features are brought to the steps of the text and read by stacked LSTMs; the last state predicts.

        x_t = norm([audio_t; video_t; text_t])                          pooled to the steps of the text
        h = LSTM_L(... LSTM_1(x)), the last state
        output = W2 dropout(relu(W1 dropout(h)))                        biases left out here

    Without text, the steps are those of the video. Sequences that have those steps already, such as word-aligned
    features, stay as they are.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        audio_steps, video_steps, text_steps: steps of the longest sequences; for `fixed` padding.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        padding: `masked`: each utterance has steps of its own, and `norm` is batch normalisation of each feature over
            the real ones. `fixed`, as released: all are filled up with zeros, pooling and the LSTM run over the zeros,
            and `norm` is batch normalisation of each step, over utterances and features.
        hidden_dim: width of the states, H.
        num_layers: LSTMs on each other, L.
        dropout: between the LSTMs and on what they give.

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
        hidden_dim: int = 128,
        num_layers: int = 4,
        dropout: float = 0.5,
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        width = sum(self.dims.values())
        channels = self.longest[self.modalities[-1]] if padding == "fixed" else width
        self.norm = MaskedBatchNorm(channels, unbiased=True)
        self.lstm = LastState(width, hidden_dim, num_layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_dim, hidden_dim)
        self.output = nn.Linear(hidden_dim, self.num_outputs)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        sequences = self.sequences(batch)
        reference, lengths = sequences[self.modalities[-1]]
        pooled = (pool_to_steps(*steps, lengths, reference.shape[1]) for steps in sequences.values())
        steps = self._normalise(torch.cat(list(pooled), dim=2), lengths)
        hidden = self.dropout(self.lstm(steps, lengths))
        return {"logits": self.output(self.dropout(functional.relu(self.linear(hidden))))}

    def _normalise(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if self.padding == "fixed":
            return self.norm(steps.transpose(1, 2)).transpose(1, 2)
        steps = zero_padding(steps, lengths)
        return zero_padding(self.norm(steps, length_mask(lengths, steps.shape[1])), lengths)
