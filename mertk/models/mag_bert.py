"""MAG-BERT: sound and picture shift the embeddings of the words, inside of BERT.

Rahman, Hasan, Lee, Zadeh, Mao, Morency, Hoque: "Integrating Multimodal Information in Large Pretrained Transformers",
ACL 2020. BERT: Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019.

Legend: `B` utterances, `T` tokens, `F` frames, `D` width of BERT, `C` classes, or labels that an utterance may have at
once; 1 for intensities.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.precision import at_least_float32
from mertk.models.baseline import Baseline
from mertk.nn.pooling import pool_to_steps

FRAMES = {"real": "masked", "padded": "fixed"}
#: added to the length of a shift before a length is divided by it
_EPSILON = 1e-6


class MagBert(Baseline):
    """A gate between BERT's embeddings and its first layer; the vector that BERT pools of the first token predicts.

        e = embeddings of the tokens,  a, v = frames, brought to the tokens
        e' = gate(e; v, a)                                              (`MultimodalGate`)
        output = W dropout(tanh(P BERT(e')_first))                      biases left out here

    Frames that are one a token already, such as word-aligned ones, stay as they are; others are pooled, equally many
    for each token. Attention hides padding, so that nothing behind the last token matters. Of text alone this is BERT.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim: widths of the features.
        text_dim: not used; the encoder has a width.
        audio_steps, video_steps, text_steps: steps of the longest sequences; for `padded` frames.
        text_encoder: of tokens, with `pool`: `mertk.encoders.text.PretrainedTextEncoder` with `pooler: true`.
        modalities: those in use, text among them; what belongs to others is not built.
        frames: `real`: those of an utterance are brought to its tokens. `padded`, as released: all are filled up with
            zeros to the longest, and brought to the tokens of the longest text.
        shift_limit: how long a shift may be, as a multiple of the embedding's length (beta).
        gate_dropout: on what the gate gives.
        output_dropout: on the pooled vector.

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
        frames: str = "real",
        shift_limit: float = 1.0,
        gate_dropout: float = 0.3,
        output_dropout: float = 0.1,
    ) -> None:
        if frames not in FRAMES:
            raise MertkError(f"frames: got {frames!r}, expected one of {', '.join(FRAMES)}.")
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = {"audio": audio_steps, "video": video_steps, "text": text_steps}
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, FRAMES[frames])
        if "text" not in self.modalities:
            raise MertkError(f"modalities: got {self.modalities}, which lack text: others shift its embeddings.")
        if not hasattr(text_encoder, "pool"):
            raise MertkError(
                f"text_encoder: got {type(text_encoder).__name__}, expected one whose embeddings can be shifted: "
                "{component: mertk.encoders.text.PretrainedTextEncoder, weights: ..., pooler: true}."
            )
        width = self.dims["text"]
        shifting = {one: self.dims[one] for one in self.modalities if one != "text"}
        self.gate = MultimodalGate(width, shifting, shift_limit, gate_dropout) if shifting else None
        self.dropout = nn.Dropout(output_dropout)
        self.output = nn.Linear(width, self.num_outputs)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Returns:
            `logits` (B, C).
        """
        tokens, lengths = batch["text"], batch["text_lengths"]
        if self.padding == "fixed":
            longest = self.longest["text"]
            tokens, lengths = tokens[:, :longest], lengths.clamp(max=longest)
        change = None
        if self.gate is not None:
            change = functools.partial(self.gate, frames=self._frames(batch, lengths, tokens.shape[1]))
        return {"logits": self.output(self.dropout(self.text_encoder.pool(tokens, lengths, change)))}

    def _frames(self, batch: Batch, num_tokens: torch.Tensor, longest: int) -> dict[str, torch.Tensor]:
        """Frames (B, `longest`, features) of each other modality, one a token."""
        if self.padding == "fixed":
            num_tokens = torch.full_like(num_tokens, self.longest["text"])
        filled = {one: self.fill(one, batch[one], batch[f"{one}_lengths"]) for one in self.gate.modalities}
        return {one: pool_to_steps(*frames, num_tokens, longest) for one, frames in filled.items()}


class MultimodalGate(nn.Module):
    """What other modalities say of a word shifts its embedding, as far as they and the word let it.

        g_m = relu(G_m [m; e])
        H = sum over m of g_m * W_m m
        e' = dropout(norm(e + min(limit |e| / |H|, 1) H))               equations 1 to 4

    Args:
        width: of the embeddings, D.
        dims: widths of the other modalities, by name.
        limit: longest shift, as a multiple of |e|.
        dropout: on e'.

    >>> gate = MultimodalGate(8, {"audio": 3})
    >>> gate(torch.zeros(2, 5, 8), {"audio": torch.zeros(2, 5, 3)}).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, dims: Mapping[str, int], limit: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        if not limit > 0:
            raise MertkError(f"shift_limit: got {limit}, expected more than 0.")
        self.modalities, self.limit = list(dims), limit
        self.gates = nn.ModuleDict({one: nn.Linear(dim + width, width) for one, dim in dims.items()})
        self.maps = nn.ModuleDict({one: nn.Linear(dim, width) for one, dim in dims.items()})
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedded: torch.Tensor, frames: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Map embeddings (B, T, D), with frames (B, T, features) of each modality, to embeddings."""
        shift = 0.0
        for one in self.modalities:
            openings = functional.relu(self.gates[one](torch.cat([frames[one], embedded], dim=2)))
            shift = shift + openings * self.maps[one](frames[one])
        lengths = (torch.linalg.vector_norm(at_least_float32(one), dim=2, keepdim=True) for one in (embedded, shift))
        length, shift_length = lengths
        shift_length = torch.where(shift_length == 0, 1.0, shift_length)
        share = (self.limit * length / (shift_length + _EPSILON)).clamp(max=1)
        return self.dropout(self.norm(embedded + share.to(shift.dtype) * shift))
