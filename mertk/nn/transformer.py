"""The multimodal transformer: steps of one sequence look at those of another, or at each other.

Legend: `B` utterances, `Q` steps that ask, `K` steps that are looked at, `W` width, `H` heads.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting
from mertk.nn.visible_attention import attend

PADDINGS = ("fixed", "masked")


class TransformerLayer(nn.Module):
    """`x + attention(LN(x), LN(context))`, then `x + feed_forward(LN(x))`, with dropout on what is added.

    One layer norm serves queries, keys and values. The context comes standardised already (zero mean, unit variance:
    the same work for every layer); the weight and bias of the layer norm are folded into the projections.

    >>> layer = TransformerLayer(8, num_heads=2)
    >>> steps, context = torch.zeros(3, 5, 8), torch.zeros(3, 7, 8)
    >>> layer(steps, steps, context, context, torch.full((3, 5), 7)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        attention_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        residual_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.attention_norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, 3 * width)  # rows of the queries, the keys, the values
        self.output = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.relu_dropout = nn.Dropout(relu_dropout)
        self.residual_dropout = nn.Dropout(residual_dropout)
        for linear in (self.projection, self.output, self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        steps: torch.Tensor,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        num_visible: torch.Tensor,
        is_causal: bool = False,
    ) -> torch.Tensor:
        """Attend and transform.

        Args:
            steps: (B, Q, W).
            queries: the steps, standardised over W.
            keys, values: (B, K, W), standardised over W.
            num_visible: (B, Q), how many of the first keys each step sees; at least 1.
            is_causal: whether each step that matters sees those up to itself (`mertk.nn.visible_attention.attend`).

        Returns:
            (B, Q, W).
        """
        weights = (self.projection.weight * self.attention_norm.weight).chunk(3)
        biases = (self.projection.weight @ self.attention_norm.bias + self.projection.bias).chunk(3)
        heads = (self._heads(*each) for each in zip((queries, keys, values), weights, biases, strict=True))
        attended = attend(*heads, num_visible, self.attention_dropout if self.training else 0.0, is_causal)
        attended = attended.flatten(1, 2).transpose(1, 2)  # (B, Q, W), a view
        if is_exporting():
            output = self.output(attended)
        else:
            output = torch.baddbmm(self.output.bias, attended, self.output.weight.t().expand(len(steps), -1, -1))
        steps = steps + self.residual_dropout(output)
        hidden = functional.relu(self.expand(self.feed_forward_norm(steps)), inplace=True)
        return steps + self.residual_dropout(self.contract(self.relu_dropout(hidden)))

    def _heads(self, vectors: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Project (B, T, W), to (B, H, W / H, T)."""
        if is_exporting():  # fewer operators
            return functional.linear(vectors, weight, bias).unflatten(2, (self.num_heads, -1)).permute(0, 2, 3, 1)
        weight = weight.expand(len(vectors), -1, -1)
        return torch.baddbmm(bias[:, None], weight, vectors.transpose(1, 2)).unflatten(1, (self.num_heads, -1))


class Transformer(nn.Module):
    """Steps of one sequence look at those of another, or at each other, without looking ahead.

    The form of the multimodal transformer (Tsai et al., ACL 2019) that HSCL uses: sequences are scaled by sqrt(W), get
    sinusoidal positions and dropout, and pass layers with the norm in front, a last norm behind them. With a context,
    keys and values are its embedded steps in every layer. Step i sees the keys up to `i + |Q - K|`, with the lengths in
    place of Q and K when padding is masked.

    Args:
        width: W.
        num_heads: H, which divides W.
        num_layers: at least 1.
        padding: `fixed`, as published: every step counts, whatever the lengths; steps whose first feature is exactly 0
            get no position. `masked`: lengths rule, and nothing behind them has an effect.
        attention_dropout, relu_dropout, residual_dropout, embedding_dropout: of attention weights, of the hidden
            layers, of what is added to the steps, of the embedded sequences.
        positions: whether the sequences get any.

    Raises:
        MertkError: arguments that do not fit together.

    >>> transformer = Transformer(8, num_heads=2, num_layers=1)
    >>> steps, context = torch.randn(3, 5, 8), torch.randn(3, 7, 8)
    >>> lengths, context_lengths = torch.tensor([5, 5, 2]), torch.tensor([7, 3, 7])
    >>> transformer(steps, lengths, context, context_lengths).shape
    torch.Size([3, 5, 8])
    >>> transformer(steps, lengths, last_only=True).shape
    torch.Size([3, 8])
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        num_layers: int,
        padding: str = "masked",
        attention_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        positions: bool = True,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise MertkError(f"num_heads: got {num_heads}, which does not divide the width {width}.")
        if width < 4:
            raise MertkError(f"width: got {width}, expected at least 4, which sinusoidal positions need.")
        if padding not in PADDINGS:
            raise MertkError(f"padding: got {padding!r}, expected one of {', '.join(PADDINGS)}.")
        self.padding = padding
        self.positions = positions
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(width, num_heads, attention_dropout, relu_dropout, residual_dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        steps: torch.Tensor,
        lengths: torch.Tensor,
        context: torch.Tensor | None = None,
        context_lengths: torch.Tensor | None = None,
        last_only: bool = False,
    ) -> torch.Tensor:
        """Pass all layers.

        Args:
            steps: (B, Q, W), zeros behind the lengths.
            lengths: (B,), at least 1.
            context: (B, K, W), zeros behind the lengths; None for the steps themselves, as they are in each layer.
            context_lengths: (B,), at least 1.
            last_only: whether only the last step is wanted; what nothing else needs is then not computed.

        Returns:
            (B, Q, W), meaningless behind the lengths; or the last step (B, W).
        """
        if self.padding == "fixed":
            lengths = torch.full_like(lengths, steps.shape[1])
            context_lengths = None if context is None else torch.full_like(context_lengths, context.shape[1])
        num_keys = lengths if context is None else context_lengths
        places = torch.arange(steps.shape[1], device=steps.device)
        num_visible = torch.minimum(places + 1 + (lengths - num_keys).abs()[:, None], num_keys[:, None])
        steps = self._embed(steps, lengths)
        if context is not None:
            keys = _standardised(self._embed(context, context_lengths))
            # In training, keys and values are dropped independently.
            values = _standardised(self._embed(context, context_lengths)) if self.training else keys
        for number, layer in enumerate(self.layers, start=1):
            queries = _standardised(steps)
            if context is None:
                keys = values = queries
            is_last = last_only and number == len(self.layers)
            if is_last:
                last = torch.arange(steps.shape[0], device=steps.device), lengths - 1
                steps, queries, num_visible = (found[last][:, None] for found in (steps, queries, num_visible))
            steps = layer(steps, queries, keys, values, num_visible, is_causal=context is None and not is_last)
        steps = self.norm(steps)
        return steps[:, 0] if last_only else steps

    def _embed(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if not self.positions:
            return self.embedding_dropout(math.sqrt(steps.shape[2]) * steps)
        is_real = steps[:, :, 0] != 0 if self.padding == "fixed" else length_mask(lengths, steps.shape[1])
        positions = _positions_of(steps) * is_real[:, :, None]
        return self.embedding_dropout(math.sqrt(steps.shape[2]) * steps + positions)


def _standardised(steps: torch.Tensor) -> torch.Tensor:
    """(B, T, W) with mean 0 and variance 1 over W: a layer norm without weight and bias."""
    return functional.layer_norm(steps, steps.shape[2:])


def _positions_of(steps: torch.Tensor) -> torch.Tensor:
    """The table (T, W) for steps (B, T, W), of their type and on their device."""
    if torch.compiler.is_compiling():  # which sees through the cache, and has the table in what it compiles
        return sinusoidal_positions(*steps.shape[1:]).to(steps)
    return _kept_positions(*steps.shape[1:], steps.device, steps.dtype)


@functools.lru_cache(maxsize=256)
def _kept_positions(num_steps: int, width: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Some ten kilobytes, asked for by every embedding of every step; a GPU would wait for each to be copied."""
    # Scoring may be the first to ask, and training cannot use all that inference mode makes.
    with torch.inference_mode(False):
        return sinusoidal_positions(num_steps, width).to(device, dtype)


def sinusoidal_positions(num_steps: int, width: int) -> torch.Tensor:
    """Table (num_steps, width) of sines, then cosines, of the positions 1, 2, ... (Vaswani et al., 2017), in float64.

    >>> sinusoidal_positions(3, 8).shape
    torch.Size([3, 8])
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(10000.0) / (half - 1)))
    angles = torch.arange(1, num_steps + 1, dtype=torch.float64)[:, None] * rates
    return functional.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, width % 2))
