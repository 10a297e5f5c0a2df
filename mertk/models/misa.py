"""MISA: what all modalities say and what one says alone, told apart by losses on whole batches.

Hazarika, Zimmermann, Poria: "MISA: Modality-Invariant and -Specific Representations for Multimodal Sentiment Analysis",
ACM Multimedia 2020.

Legend: `B` utterances, `T` steps of a sequence, `D` the common width, `M` modalities in use, `C` classes, or labels
that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.criterion import SquaredError
from mertk.losses.precision import at_least_float32
from mertk.losses.subspaces import difference_loss, similarity_loss
from mertk.models.baseline import Baseline
from mertk.nn.pooling import Pooling
from mertk.nn.recurrence import BidirectionalLSTM

#: The order in which the released code joins the modalities' vectors.
_JOINED = ("text", "video", "audio")
FRAMES = ("all", "text")


class Misa(Baseline):
    """Each modality's vector is seen by a private and by a shared map; attention over all of these predicts.

        u_text = mean of the states,  u_m = last states of two LSTMs    equation 1
        o_m = norm(relu(W_m u_m))                                       equation 2
        p_m = sigmoid(P_m o_m),  s_m = sigmoid(S o_m)                   private, shared; equations 3 to 5
        r_m = R_m (p_m + s_m)
        f = attention([p_text, p_video, p_audio, s_text, s_video, s_audio])
        output = W2 relu(dropout(W1 f))                                 biases left out here

    Losses beside `task`: `difference` and `similarity` (`mertk.losses.subspaces`), of which the latter needs two
    modalities, and `reconstruction`, the mean square of r_m - o_m. Both of the former are over the utterances of all
    processes.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the squared error of intensities, as published, and for the usual loss of other tasks
            (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        frames: `all`: of sound and picture all real frames are read. `text`, as released: as many as the text has
            tokens, whatever their rate; zeros where there are fewer.
        orthogonal_start: whether the weights between states begin orthogonal, as in its authors' own code.
        width: D.
        num_heads: of the attention; divides D.
        feed_forward_dim: width of the hidden layer of the attention.
        attention_dropout: of its weights, in its hidden layer and on what is added.
        fusion_dropout: behind W1.
        pooling: from the states of the text to a vector: `mean`, as published, `attention` or `statistics`
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
        text_encoder: nn.Module | None = None,
        modalities: Sequence[str] = MODALITIES,
        frames: str = "all",
        orthogonal_start: bool = True,
        width: int = 128,
        num_heads: int = 2,
        feed_forward_dim: int = 2048,
        attention_dropout: float = 0.1,
        fusion_dropout: float = 0.2,
        pooling: str = "mean",
    ) -> None:
        if criterion is None and task == "regression":
            criterion = SquaredError()
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        super().__init__(num_classes, task, criterion, dims, {}, text_encoder, modalities, "masked")
        if frames not in FRAMES:
            raise MertkError(f"frames: got {frames!r}, expected one of {', '.join(FRAMES)}.")
        if width % num_heads:
            raise MertkError(f"num_heads: got {num_heads}, which does not divide the width {width}.")
        self.frames = frames
        self.joined = [one for one in _JOINED if one in self.modalities]
        self.readers = nn.ModuleDict(
            {one: SequenceReader(self.dims[one], orthogonal_start) for one in self.modalities if one != "text"}
        )
        widths = {one: 4 * self.dims[one] for one in self.modalities}
        if "text" in self.modalities:
            self.pooling = Pooling(self.dims["text"], pooling)
            widths["text"] = self.pooling.output_dim
        self.projections = self._for_each(lambda one: nn.Linear(widths[one], width))
        self.norms = self._for_each(lambda one: nn.LayerNorm(width))
        self.private = self._for_each(lambda one: nn.Linear(width, width))
        self.shared = nn.Linear(width, width)
        self.reconstructions = self._for_each(lambda one: nn.Linear(width, width))
        self.attention = VectorAttention(width, num_heads, feed_forward_dim, attention_dropout)
        self.hidden = nn.Linear(2 * len(self.modalities) * width, len(self.modalities) * width)
        self.fusion_dropout = nn.Dropout(fusion_dropout)
        self.output = nn.Linear(len(self.modalities) * width, self.num_outputs)

    def _for_each(self, build: Callable[[str], nn.Module]) -> nn.ModuleDict:
        return nn.ModuleDict({modality: build(modality) for modality in self.modalities})

    @property
    def step_loss_names(self) -> list[str]:
        return ["difference", "similarity"] if len(self.modalities) > 1 else ["difference"]

    def forward(self, batch: Batch) -> Output:
        """Predict; in training also compute what the losses need.

        Returns:
            `logits` (B, C). In training `projected`, `reconstructed`, `private` and `shared`, (B, M, D) each.
        """
        projected = self._project(batch)
        private, shared = self._split(projected)
        fused = self.attention(torch.cat([private, shared], dim=1)).flatten(1)
        logits = self.output(functional.relu(self.fusion_dropout(self.hidden(fused))))
        if not self.training:
            return {"logits": logits}
        output = {"logits": logits, "projected": projected, "private": private, "shared": shared}
        sums = (private + shared).unbind(dim=1)
        reconstructed = [self.reconstructions[one](both) for one, both in zip(self.joined, sums, strict=True)]
        return output | {"reconstructed": torch.stack(reconstructed, dim=1)}

    def embed(self, batch: Batch) -> Output:
        """What `difference` and `similarity` compare: `private` and `shared` features."""
        output = self(batch)
        return {name: output[name] for name in ("private", "shared")}

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms; in evaluation what the prediction costs alone, as `task`."""
        if not self.training:
            return super().losses(output, batch)
        return self.row_losses(output, batch) | self.step_losses(output, batch)

    def row_losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        change = at_least_float32(output["reconstructed"]) - at_least_float32(output["projected"])
        reconstruction = distributed.global_mean(change.square().mean(dim=(1, 2)))
        return super().losses(output, batch) | {"reconstruction": reconstruction}

    def step_losses(self, embedded: Output, batch: Batch) -> dict[str, torch.Tensor]:
        terms = {"difference": difference_loss(embedded["private"], embedded["shared"])}
        if "similarity" in self.step_loss_names:
            terms["similarity"] = similarity_loss(embedded["shared"])
        return terms

    def representations(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Vectors (B, D): `before/NAME`, `after/NAME private` and `after/NAME shared`."""
        projected = self._project(batch)
        private, shared = self._split(projected)
        found = {}
        for place, one in enumerate(self.joined):
            found[f"before/{one}"] = projected[:, place]
            found |= {f"after/{one} private": private[:, place], f"after/{one} shared": shared[:, place]}
        return found

    def _project(self, batch: Batch) -> torch.Tensor:
        """A vector of each modality at the common width, (B, M, D)."""
        sequences = self.sequences(batch)
        vectors = []
        for one in self.joined:
            steps, lengths = sequences[one]
            if one == "text":
                vector = self.pooling(steps, lengths)
            elif self.frames == "text" and "text" in sequences:
                text, num_tokens = sequences["text"]
                missing = max(text.shape[1] - steps.shape[1], 0)
                vector = self.readers[one](functional.pad(steps, (0, 0, 0, missing)), num_tokens)
            else:
                vector = self.readers[one](steps, lengths)
            vectors.append(self.norms[one](functional.relu(self.projections[one](vector))))
        return torch.stack(vectors, dim=1)

    def _split(self, projected: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Private and shared features of (B, M, D), of the same shape."""
        vectors = zip(self.joined, projected.unbind(dim=1), strict=True)
        private = torch.stack([self.private[one](vector) for one, vector in vectors], dim=1)
        return private.sigmoid(), self.shared(projected).sigmoid()


class SequenceReader(nn.Module):
    """Two bidirectional LSTMs on each other, normalised between: the last states of both, (B, 4 D).

    The forward ones come first, that of the lower LSTM in front.

    >>> SequenceReader(5)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1])).shape
    torch.Size([3, 20])
    """

    def __init__(self, dim: int, orthogonal_start: bool = True) -> None:
        super().__init__()
        self.lower = BidirectionalLSTM(dim, dim)
        self.norm = nn.LayerNorm(2 * dim)
        self.upper = BidirectionalLSTM(2 * dim, dim)
        if orthogonal_start:
            for name, value in self.named_parameters():
                if ".weight_hh" in name:
                    nn.init.orthogonal_(value)

    def forward(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map (B, T, D), finite behind the lengths too, with lengths (B,), at least 1."""
        states, lower = self.lower(steps, lengths)
        upper = self.upper.last_states(self.norm(states), lengths)
        halves = [last.unflatten(1, (2, -1)) for last in (lower, upper)]
        return torch.stack(halves, dim=2).flatten(1)


class VectorAttention(nn.Module):
    """A layer of the transformer over vectors without order: attention, then two maps, both added and normalised.

    Vaswani et al., "Attention Is All You Need", NIPS 2017, sections 3.1 to 3.3.

    >>> VectorAttention(8, num_heads=2, hidden_dim=16)(torch.zeros(3, 6, 8)).shape
    torch.Size([3, 6, 8])
    """

    def __init__(self, width: int, num_heads: int, hidden_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_dropout = dropout
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width, 3 * width)  # rows of the queries, the keys, the values
        self.attended = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden_dim)
        self.contract = nn.Linear(hidden_dim, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        nn.init.xavier_uniform_(self.projection.weight)
        for linear in (self.projection, self.attended):
            nn.init.zeros_(linear.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (B, V, D) to the same shape."""
        heads = self.projection(vectors).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attention_dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(*heads, dropout_p=dropout).transpose(1, 2).flatten(2)
        vectors = self.attention_norm(vectors + self.dropout(self.attended(attended)))
        hidden = self.dropout(functional.relu(self.expand(vectors)))
        return self.feed_forward_norm(vectors + self.dropout(self.contract(hidden)))
