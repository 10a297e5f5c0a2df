"""MulT: each modality attends to every other, however their steps lie in time.

Tsai, Bai, Liang, Kolter, Morency, Salakhutdinov: "Multimodal Transformer for Unaligned Multimodal Language Sequences",
ACL 2019.

Legend: `B` utterances, `T` steps of a sequence, `D` the common width, `M` modalities in use, `C` classes, or labels
that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import MODALITIES, Batch, Output
from mertk.models.baseline import Baseline
from mertk.models.hscl_flattened import ResidualHead
from mertk.nn.pooling import zero_padding
from mertk.nn.transformer import Transformer

#: The order in which the released code joins the modalities' vectors, and those that each attends to.
_JOINED = ("text", "audio", "video")
_CONTEXTS = {"audio": ("text", "video"), "video": ("text", "audio"), "text": ("audio", "video")}
#: A memory has this many layers at least.
_LEAST_LAYERS = 3


class MulT(Baseline):
    """Convolutions bring modalities to one width; transformers take each to the others; last steps predict.

        x_m = convolution over time of modality m                       equation 2
        z_m = [E(x_m; x_n) for n other than m]                          crossmodal transformers, equations 3 to 6
        s_m = last step of E(z_m; z_m)                                  the memory of m
        f = [s_text; s_audio; s_video],  output = W (f + W2 dropout(relu(W1 f)))

    E are the encoders of `mertk.nn.transformer.Transformer`. With one modality its memory is over x_m.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        audio_steps, video_steps, text_steps: steps of the longest sequences; for `fixed` padding.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        padding: `masked`: nothing behind an utterance's last step has an effect, and that step is the one read.
            `fixed`, as released: all are filled up with zeros, which are attended to, and the last of which is read.
        positions: whether encoders add sinusoidal positions; as the paper says, and not released.
        width: D.
        num_heads: of every attention; divides D.
        num_layers: of the crossmodal transformers; memories have 3 at least.
        audio_kernel_size, video_kernel_size, text_kernel_size: steps under the convolutions.
        text_dropout: on the features of the text.
        audio_attention_dropout, video_attention_dropout, text_attention_dropout: of attention weights, by the modality
            attended to; all memories have that of the text.
        embedding_dropout, residual_dropout, relu_dropout: in the transformers.
        output_dropout: in the head.

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
        positions: bool = True,
        width: int = 50,
        num_heads: int = 10,
        num_layers: int = 4,
        audio_kernel_size: int = 5,
        video_kernel_size: int = 5,
        text_kernel_size: int = 5,
        text_dropout: float = 0.5,
        audio_attention_dropout: float = 0.2,
        video_attention_dropout: float = 0.0,
        text_attention_dropout: float = 0.3,
        embedding_dropout: float = 0.2,
        residual_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        output_dropout: float = 0.5,
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, padding)
        kernels = {"audio": audio_kernel_size, "video": video_kernel_size, "text": text_kernel_size}
        dropouts = {
            "audio": audio_attention_dropout,
            "video": video_attention_dropout,
            "text": text_attention_dropout,
        }
        others = relu_dropout, residual_dropout, embedding_dropout, positions
        contexts = {one: [other for other in _CONTEXTS[one] if other in self.modalities] for one in self.modalities}
        joined_dim = max(len(self.modalities) - 1, 1) * width
        self.text_dropout = nn.Dropout(text_dropout)
        self.projections = nn.ModuleDict(
            {one: nn.Conv1d(self.dims[one], width, kernels[one], bias=False) for one in self.modalities}
        )
        self.cross_attention = nn.ModuleDict()
        self.memories = nn.ModuleDict()
        for one in self.modalities:
            self.cross_attention[one] = nn.ModuleDict(
                {
                    other: Transformer(width, num_heads, num_layers, padding, dropouts[other], *others)
                    for other in contexts[one]
                }
            )
            layers = max(num_layers, _LEAST_LAYERS)
            self.memories[one] = Transformer(joined_dim, num_heads, layers, padding, dropouts["text"], *others)
        self.head = ResidualHead(len(self.modalities) * joined_dim, None, output_dropout, self.num_outputs)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        features = {one: self._project(one, *steps) for one, steps in self.sequences(batch).items()}
        memories = [self._remember(one, features) for one in _JOINED if one in self.modalities]
        return {"logits": self.head(torch.cat(memories, dim=1))}

    def _project(self, one: str, steps: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps (B, F, I) of a modality as features (B, T, D), and how many count (B,)."""
        projection = self.projections[one]
        (kernel_size,) = projection.kernel_size
        steps = self.text_dropout(steps) if one == "text" else steps
        steps = functional.pad(steps, (0, 0, 0, torch.sym_max(kernel_size - steps.shape[1], 0)))
        features = projection(steps.transpose(1, 2)).transpose(1, 2)
        lengths = (lengths - kernel_size + 1).clamp(min=1)
        return zero_padding(features, lengths), lengths

    def _remember(self, one: str, features: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        """The last step of a modality that attended to the others, and then to itself."""
        steps, lengths = features[one]
        crossed = [attend(steps, lengths, *features[other]) for other, attend in self.cross_attention[one].items()]
        return self.memories[one](torch.cat(crossed, dim=2) if crossed else steps, lengths, last_only=True)
