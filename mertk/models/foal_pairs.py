"""True and mismatched pairs of Foal-Net's matching: which are drawn, and how they pass the attention.

Legend: `B` utterances of this process, `N` of all processes, `T` frames that ask, `F` frames that are looked at, `D`
and `E` their features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from mertk import distributed
from mertk.batch import Output
from mertk.losses.contrastive import similarities
from mertk.losses.matching import hard_negatives, shared_uniforms
from mertk.nn.attention import CrossAttentionStack
from mertk.nn.pooling import masked_mean

Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def draw_negatives(
    emotions: torch.Tensor,
    embedded: Output,
    directions: Sequence[tuple[str, str]],
    seed: int,
    counts: list[int],
) -> tuple[torch.Tensor, ...]:
    """For each utterance and direction of attention another emotion's frames to look at, among all processes'.

    Args:
        emotions: (B,) numbers that are the same for utterances of the same emotion.
        embedded: `audio_embedding` (B, D) and so on, and `temperature`, by which the more similar are drawn the
            likelier; without them the draw is uniform.
        directions: the modality that asks and the one that is looked at, `("audio", "video")` say.
        seed: equal on all processes, different between steps.
        counts: rows of each process (`mertk.distributed.row_counts`).

    Returns:
        for each direction the global rows (B,) of what is looked at in the mismatched pairs (of audio to video, the
        videos to mismatch with the audios); and last has_negative (B,), False where all utterances are of the same
        emotion.
    """
    all_emotions = distributed.gather_rows(emotions, counts)
    uniforms = shared_uniforms(seed, len(directions), counts, emotions.device)
    drawn = []
    for (asking, other), own_uniforms in zip(directions, uniforms, strict=True):
        scores = torch.zeros(len(emotions), len(all_emotions), device=emotions.device)
        if "temperature" in embedded:
            columns = distributed.gather_rows(embedded[f"{other}_embedding"], counts)
            scores = similarities(embedded[f"{asking}_embedding"], columns, embedded["temperature"])
        negatives, has_negative = hard_negatives(scores, emotions, all_emotions, own_uniforms)
        drawn.append(negatives)
    return *drawn, has_negative


def attend_pairs(
    stack: CrossAttentionStack,
    asking: tuple[torch.Tensor, torch.Tensor],
    context: tuple[torch.Tensor, torch.Tensor],
    negatives: torch.Tensor | None,
    pool: Pool = masked_mean,
    pool_looked_at: Pool = masked_mean,
) -> tuple[torch.Tensor, Callable[[], torch.Tensor]]:
    """Pooled frames of one modality that attended to the other: (B, D), or (2 B, D) with the mismatched pairs.

    With them comes what gives the pooled frames that each looked at, (B, E) or (2 B, E). True and mismatched pairs pass
    in one batch, so that the true ones are computed once, and what is in several pairs is mapped once; of other
    processes only the sequences that were drawn come here.

    Args:
        asking: frames (B, T, D) and their lengths (B,).
        context: frames (B, F, E) of the other modality and their lengths (B,).
        negatives: (B,) global rows of the contexts to mismatch with; None for true pairs alone.
        pool, pool_looked_at: from frames and lengths to vectors (`mertk.nn.pooling.Pooling`): of what attended, and of
            what was looked at.
    """
    frames, lengths = asking
    looked_at, looked_at_lengths = context
    rows = None
    if negatives is not None:
        rows = torch.cat([torch.arange(len(frames), device=frames.device), negatives])
        lengths = torch.cat([lengths, lengths])
    if negatives is not None and distributed.world_size() > 1:
        taken, taken_lengths = distributed.take_sequences(looked_at, looked_at_lengths, negatives)
        missing = taken.shape[1] - looked_at.shape[1]  # other processes may have longer sequences
        looked_at = torch.cat([functional.pad(looked_at, (0, 0, 0, missing)), taken])
        looked_at_lengths = torch.cat([looked_at_lengths, taken_lengths])
        rows = torch.arange(2 * len(frames), device=frames.device)

    def pool_context() -> torch.Tensor:
        pooled = pool_looked_at(looked_at, looked_at_lengths)
        return pooled if rows is None else pooled.index_select(0, rows)

    return pool(stack(frames, looked_at, looked_at_lengths, rows), lengths), pool_context
