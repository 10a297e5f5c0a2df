"""HSCL as its equations stand, for `benchmarks.hscl_step` to measure against.

Every sequence is as long as the corpus' longest, and every network computes every step, in evaluation too; attention
keeps all its scores, drops them with torch's dropout; the fusion block runs once for original and once for
reconstructed features; the margin loss is a loop over pairs. Parameters are those of `mertk.models.hscl.HSCL` by name
and shape.

Legend: `B` utterances, `T` steps, `Q` steps that ask, `K` steps that are looked at, `D` width, `H` heads.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from mertk.batch import Batch, Output, length_mask
from mertk.models.hscl import HSCL
from mertk.nn.pooling import zero_padding
from mertk.nn.transformer import Transformer, TransformerLayer, sinusoidal_positions

ORDER = ("text", "video", "audio")


class StraightforwardHSCL(HSCL):
    """All modalities, all terms, both paddings; batches as long as `steps`; the constructor is HSCL's."""

    #: Whether evaluation computes all that training does, as the published code; or the prediction alone.
    is_complete = True

    def forward(self, batch: Batch) -> Output:
        """All that the losses need, whether training or not, where `is_complete`."""
        features, lengths = {}, {}
        for one in ORDER:
            steps = self.text_dropout(batch[one]) if one == "text" else batch[one]
            projection = self.projections[one]
            features[one] = functional.conv1d(steps.transpose(1, 2), projection.weight).transpose(1, 2)
            lengths[one] = (batch[f"{one}_lengths"] - projection.kernel_size[0] + 1).clamp(min=1)
            if self.padding == "fixed":
                lengths[one] = torch.full_like(lengths[one], features[one].shape[1])
            features[one] = zero_padding(features[one], lengths[one])
        exclusive = {one: self.exclusive_encoders[one](features[one]) for one in ORDER}
        irrelevant = {one: self.irrelevant_encoder(features[one]) for one in ORDER}
        shared = [run(self.irrelevant_attention[one], irrelevant[one], lengths[one]) for one in ORDER]
        shared = torch.cat([last(steps, lengths[one]) for one, steps in zip(ORDER, shared, strict=True)], dim=1)
        own = {}
        for one in ORDER:
            crossed = [
                run(network, exclusive[one], lengths[one], exclusive[other], lengths[other])
                for other, network in self.cross_attention[one].items()
            ]
            attended = run(self.exclusive_attention[one], torch.cat(crossed, dim=2), lengths[one])
            own[one] = last(attended, lengths[one])
        gated = [self.exclusive_gates[one](own[one]).sigmoid() for one in ORDER]
        gated.append(self.irrelevant_gate(shared).sigmoid())
        logits = self.head(torch.cat(gated, dim=1))
        if not (self.training or self.is_complete):
            return {"logits": logits}
        rebuilt = {one: self.decoders[one](torch.cat([exclusive[one], irrelevant[one]], dim=2)) for one in ORDER}
        flat = {one: irrelevant[one].flatten(1) for one in ORDER}
        return {
            "logits": logits,
            "low_logits": torch.cat([self.low_heads[one](flat[one]) for one in self.modalities], dim=1),
            "high_logits": torch.cat([self.high_heads[one](own[one]) for one in self.modalities], dim=1),
            "irrelevant_logits": self.irrelevant_head(shared),
            **{f"exclusive_{one}": exclusive[one] for one in ORDER},
            **{f"irrelevant_{one}": irrelevant[one] for one in ORDER},
            "aligned": torch.stack([self.alignments[one](flat[one]) for one in self.modalities], dim=1),
            "original": self._fused(features),
            "reconstructed": self._fused(rebuilt),
        }

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """As HSCL's, but for the margin loss."""
        if not self.training:
            return super().losses(output, batch)
        terms, self.terms = self.terms, [name for name in self.terms if name != "margin_similarity"]
        found = super().losses(output, batch)
        self.terms = terms
        return found | {"margin_similarity": looped_margin_loss(output["aligned"], batch["labels"], self.margin)}

    def _fused(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([self.fusion[one](features[one].flatten(1)) for one in self.modalities], dim=1)


def last(steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Of steps (B, T, D) the last real ones, (B, D)."""
    return steps[torch.arange(len(steps), device=steps.device), lengths - 1]


def run(
    network: Transformer,
    steps: torch.Tensor,
    lengths: torch.Tensor,
    context: torch.Tensor | None = None,
    context_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """All steps (B, Q, D) of a transformer; context (B, K, D), or none for attention among the steps."""
    keys = values = None
    num_keys, longest = (lengths, steps.shape[1]) if context is None else (context_lengths, context.shape[1])
    places = torch.arange(max(longest, steps.shape[1]), device=steps.device)
    seen = places[: steps.shape[1]] + 1 + (lengths - num_keys).abs()[:, None]  # (B, Q)
    is_hidden = places[:longest] >= torch.minimum(seen, num_keys[:, None])[:, :, None]
    if network.padding == "fixed":
        is_hidden = is_hidden[:1]  # the same for all
    hidden = steps.new_zeros(is_hidden.shape).masked_fill(is_hidden, -math.inf)
    if context is not None:
        keys, values = embed(network, context, context_lengths), embed(network, context, context_lengths)
    steps = embed(network, steps, lengths)
    for layer in network.layers:
        asking = layer.attention_norm(steps)
        if context is None:
            attended = attend(layer, asking, asking, asking, hidden)
        else:
            attended = attend(layer, asking, layer.attention_norm(keys), layer.attention_norm(values), hidden)
        steps = steps + layer.residual_dropout(attended)
        expanded = layer.relu_dropout(functional.relu(layer.expand(layer.feed_forward_norm(steps))))
        steps = steps + layer.residual_dropout(layer.contract(expanded))
    return network.norm(steps)


def embed(network: Transformer, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Steps (B, T, D), scaled, with positions, dropped."""
    is_real = steps[:, :, 0] != 0 if network.padding == "fixed" else length_mask(lengths, steps.shape[1])
    if not network.positions:
        return network.embedding_dropout(math.sqrt(steps.shape[2]) * steps)
    positions = sinusoidal_positions(steps.shape[1], steps.shape[2]).to(steps) * is_real[:, :, None]
    return network.embedding_dropout(math.sqrt(steps.shape[2]) * steps + positions)


def attend(
    layer: TransformerLayer, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, hidden: torch.Tensor
) -> torch.Tensor:
    """Attention with all its scores in memory.

    Args:
        queries: (B, Q, D).
        keys, values: (B, K, D).
        hidden: (B or 1, Q, K), what is added to the scores.
    """
    num_rows, width = len(queries), queries.shape[2]
    weights, biases = layer.projection.weight.chunk(3), layer.projection.bias.chunk(3)
    queries, keys, values = (
        functional.linear(vectors, weight, bias)
        for vectors, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    queries = queries / math.sqrt(width // layer.num_heads)
    queries, keys, values = (split_heads(vectors, layer.num_heads) for vectors in (queries, keys, values))
    scores = torch.bmm(queries, keys.transpose(1, 2)).unflatten(0, (num_rows, layer.num_heads)) + hidden[:, None]
    dropped = functional.dropout(scores.softmax(dim=3), layer.attention_dropout, layer.training)
    attended = torch.bmm(dropped.flatten(0, 1), values).unflatten(0, (num_rows, layer.num_heads))
    return layer.output(attended.transpose(1, 2).flatten(2))


def split_heads(vectors: torch.Tensor, num_heads: int) -> torch.Tensor:
    """(B, T, D) to (B H, T, D / H)."""
    return vectors.unflatten(2, (num_heads, -1)).transpose(1, 2).flatten(0, 1)


def looped_margin_loss(vectors: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """The margin loss, pair by pair: vectors (B, M, D), labels (B,)."""
    labels = labels.repeat_interleave(vectors.shape[1])
    unit = functional.normalize(vectors.flatten(0, 1), dim=1)
    cosines = unit @ unit.t()
    numbers = labels.tolist()
    means = []
    for i, anchor in enumerate(numbers):
        positives = [j for j, label in enumerate(numbers) if label == anchor and j != i]
        negatives = [j for j, label in enumerate(numbers) if label != anchor]
        hinges = []
        for positive in positives:
            for negative in negatives:
                gap = margin * abs(anchor - numbers[negative])
                hinges.append(functional.relu(gap - cosines[i, positive] + cosines[i, negative]))
        if hinges:
            means.append(torch.stack(hinges).mean())
    return torch.stack(means).mean() if means else cosines.sum() * 0
