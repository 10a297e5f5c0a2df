"""Parts of pictures, and pictures in other sizes, on one core.

Legend: `H` height, `W` width, `P` side.
"""

from __future__ import annotations

import numpy as np


def resize(picture: np.ndarray, height: int, width: int, filter_name: str = "bilinear") -> np.ndarray:
    """A picture (H, W, 3) uint8 in another size (height, width, 3), without aliasing."""
    import torch

    if picture.shape[:2] == (height, width):
        return picture
    pixels = torch.from_numpy(np.require(picture, requirements="CW")).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(pixels, (height, width), mode=filter_name, antialias=True)
    return small[0].permute(1, 2, 0).contiguous().numpy()


def cut_out(picture: np.ndarray, box: np.ndarray, side: int, filter_name: str = "bilinear") -> np.ndarray:
    """The square `box` (left, top, right, bottom) of a picture (H, W, 3) uint8, as (P, P, 3); black outside of it."""
    left, top = np.round(box[:2]).astype(int).tolist()
    size = max(round(float(box[2] - box[0])), 1)
    part = np.zeros((size, size, 3), np.uint8)
    height, width = picture.shape[:2]
    rows = slice(min(max(top, 0), height), min(max(top + size, 0), height))
    columns = slice(min(max(left, 0), width), min(max(left + size, 0), width))
    seen = picture[rows, columns]
    part[rows.start - top :, columns.start - left :][: seen.shape[0], : seen.shape[1]] = seen
    return resize(part, side, side, filter_name)
