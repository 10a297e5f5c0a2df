"""The convolutions in front of a speech encoder, over frames whose channels lie side by side in memory.

Legend: `B` utterances, `T` frames, `C` channels in, `E` channels out.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.nn.exporting import is_exporting


class FrameConvolution(nn.Conv1d):
    """Convolution over time of frames (B, T, C) instead of (B, C, T).

    A layer normalisation behind then needs no transposition. On a processor, where the stride is s, every s frames lie
    one behind the other as a row of a matrix, so that a kernel of k frames is ceil(k / s) matrix products, without a
    copy, which are faster than convolutions there. On a GPU frames are pictures of one row.

    >>> FrameConvolution(4, 6, kernel_size=3, stride=2)(torch.zeros(2, 9, 4)).shape
    torch.Size([2, 4, 6])
    """

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map frames (B, T, C), T at least the kernel's, to (B, T', E)."""
        if is_exporting():
            return super().forward(frames.transpose(1, 2)).transpose(1, 2)
        (size,), (stride,) = self.kernel_size, self.stride
        if frames.device.type != "cpu" and self.in_channels > 1:
            return self.over_pictures(frames)
        kernel = self.weight.permute(2, 1, 0).reshape(size * self.in_channels, self.out_channels)
        if self.in_channels == 1:  # so thin that one product of copied rows is better than two of thinner ones
            found = frames[..., 0].unfold(1, size, stride) @ kernel
        else:
            found = self._products(frames.contiguous(), kernel)
        return found if self.bias is None else found + self.bias

    def over_pictures(self, frames: torch.Tensor) -> torch.Tensor:
        """What `forward` does, by a convolution of pictures (B, C, 1, T) whose channels come last in memory."""
        pictures = frames[:, None].permute(0, 3, 1, 2)
        found = nn.functional.conv2d(pictures, self.weight[:, :, None], self.bias, stride=(1, *self.stride))
        return found.permute(0, 2, 3, 1)[:, 0]

    def _products(self, frames: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        (size,), (stride,) = self.kernel_size, self.stride
        num_rows, num_frames, channels = frames.shape
        count = (num_frames - size) // stride + 1
        found = None
        for first in range(0, size, stride):
            width = min(stride, size - first) * channels
            steps = (num_frames * channels, stride * channels, 1)
            rows = frames.as_strided((num_rows, count, width), steps, frames.storage_offset() + first * channels)
            part = kernel[first * channels : first * channels + width].expand(num_rows, -1, -1)
            found = torch.bmm(rows, part) if found is None else torch.baddbmm(found, rows, part)
        return found


class FrontEnd(nn.Module):
    """The front end of transformers' models whose `feat_extract_norm` is "layer", frozen; parameters keep their names.

    Args:
        front_end: that of transformers; its parameters are taken over.
    """

    def __init__(self, front_end: nn.Module) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(map(FrontEndLayer, front_end.conv_layers))
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, E) of waveforms (B, S), S at least the receptive field."""
        frames = waveforms[..., None]
        for layer in self.conv_layers:
            frames = layer(frames)
        return frames


class FrontEndLayer(nn.Module):
    """Convolution, layer normalisation, activation; a module that is called, as engines that divide weights expect."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.conv, self.layer_norm, self.activation = _over_frames(layer.conv), layer.layer_norm, layer.activation

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map frames (B, T, C) to (B, T', E)."""
        return self.activation(self.layer_norm(self.conv(frames)))


def _over_frames(plain: nn.Conv1d) -> FrameConvolution:
    sizes = plain.in_channels, plain.out_channels, plain.kernel_size, plain.stride
    with torch.device("meta"):  # the weights are there already
        convolution = FrameConvolution(*sizes, bias=plain.bias is not None)
    convolution.weight, convolution.bias = plain.weight, plain.bias
    return convolution
