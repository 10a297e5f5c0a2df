"""Random spans, for SpecAugment. Legend: `B` utterances, `T` frames."""

from __future__ import annotations

import torch


def random_spans(
    lengths: torch.Tensor, num_frames: int, probability: float, span: int, min_spans: int = 0
) -> torch.Tensor:
    """Frames hidden by spans at random places, from torch's random generator.

    A row gets `probability * length / span` spans, rounded up or down at random, at least `min_spans`, and no more
    than fit; a row shorter than a span gets none. They start at different frames, and may overlap.

    Args:
        lengths: (B,) real frames; no span reaches beyond.
        num_frames: T.
        probability: share of the frames that spans would hide if they did not overlap.
        span: frames in a span.
        min_spans: lower limit of spans in a row.

    Returns:
        (B, T), True for hidden frames.

    >>> random_spans(torch.tensor([20, 3]), 20, probability=0.5, span=5).sum(dim=1).tolist()[1]
    0
    """
    device, num_rows = lengths.device, len(lengths)
    rounding = torch.rand(num_rows, device=device)
    wanted = (probability * lengths / span + rounding).floor().long().clamp(min=min_spans)
    counts = torch.minimum(wanted, lengths // span)
    # The starts are the frames with the highest of random scores, so that no two are equal.
    scores = torch.rand(num_rows, num_frames, device=device)
    is_start = torch.arange(num_frames, device=device) <= (lengths - span)[:, None]
    ranks = scores.masked_fill(~is_start, -1.0).argsort(dim=1, descending=True).argsort(dim=1)
    starts = ((ranks < counts[:, None]) & is_start).int()
    begun = starts.cumsum(dim=1)
    ended = torch.nn.functional.pad(begun, (span, 0))[:, :num_frames]
    return begun > ended
