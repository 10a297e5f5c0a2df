"""What a batch holds, and how sequences of unequal length become one tensor.

Legend used in every file of tensors: `B` utterances, `S` waveform samples, `T` frames (time steps), `D` features,
`C` classes.

A batch is a plain dictionary:

| key                | value                | meaning                                                            |
|--------------------|----------------------|--------------------------------------------------------------------|
| `utterance_ids`    | list of B str        | names, for scores and for error messages                           |
| `indices`          | (B,) int64           | row of each utterance in the part it was read from                 |
| `audio`            | (B, S) or (B, T, D)  | waveform, or features                                              |
| `audio_lengths`    | (B,) int64           | samples or frames that are real; the rest is padding and holds 0   |
| `video`, `text`    | (B, T, D)            | features, each with its own `video_lengths`, `text_lengths`        |
| `video`            | (B, T, D) uint8      | or pictures, for an encoder of them (`pretrained_pictures`)        |
| `text`             | (B, T, 2) int64      | or tokens: id and segment of each; padding holds 0                 |
| `labels`           | (B, ...)             | as the task has them (`mertk.tasks`); absent when predicting       |
| `shared_seed`      | int                  | equal on all processes of a step, different between steps          |
| `epoch`            | int                  | epochs that are over; only in training                             |
| `position`         | int                  | number of the batch in its pass over the part; only in training    |

`Output` is a dictionary of tensors too; `logits` (B, C) is always there, as many as the task asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

MODALITIES = ("audio", "video", "text")

Batch = dict[str, Any]
Output = dict[str, "torch.Tensor"]


def as_numpy(value: Any) -> np.ndarray:
    """What a caller gives, as an array; of a tensor on any device, of a type that numpy does not have as float32.

    Raises:
        ValueError: nested lists of unequal length.
    """
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() and value.element_size() < 4 else value
    return np.asarray(value)


def length_mask(lengths: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Mask (B, num_frames) that is True on the first `lengths[b]` frames of row b.

    >>> import torch
    >>> length_mask(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    import torch

    return torch.arange(num_frames, device=lengths.device)[None, :] < lengths[:, None]


def pad_sequences(sequences: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack B sequences (T_b, ...) into (B, max T, ...) filled up with zeros, and their lengths (B,).

    >>> import torch
    >>> padded, lengths = pad_sequences([torch.ones(2, 5), torch.ones(4, 5)])
    >>> padded.shape, lengths.tolist()
    (torch.Size([2, 4, 5]), [2, 4])
    """
    import torch

    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True), lengths


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch with every tensor on `device`; copies do not block when the memory is pinned."""
    import torch

    return {
        key: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
        for key, value in batch.items()
    }
