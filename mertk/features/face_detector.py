"""Faces in a picture: a cascade of three small networks (MTCNN; Zhang, Zhang, Li and Qiao, 2016, arXiv:1604.02878).

The first network looks at every place of the picture in several sizes; the second and the third look at what is left,
and move the boxes. A face that was in the picture before is found by these two alone, from where it was.

Legend: `N` boxes (left, top, right, bottom) in pixels, `H` height, `W` width, `P` side of a network's input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mertk.features.face_boxes import keep_apart, moved, squares
from mertk.features.face_weights import read_weights
from mertk.features.pictures import cut_out, resize

if TYPE_CHECKING:
    import torch

#: side of the smallest face that is found, as a share of the picture's shorter side
SMALLEST_SHARE = 0.1

#: side of the largest, as a share of the picture's longer side
_LARGEST_SHARE = 1.5

#: sides of what the three networks look at, and pixels between two cells of the first
_CELL, _SECOND, _THIRD = 12, 24, 48
_STRIDE = 2
#: from one size of the picture to the next
_STEP = 0.709
#: how sure each network must be at least
_SURE = (0.6, 0.7, 0.8)
#: cells of one size, and boxes of all, that are looked at: a picture full of stripes has thousands
_MOST_CELLS, _MOST_BOXES = 300, 60


class FaceDetector:
    """Finds faces, on CPU. Several threads may call one detector.

    Raises:
        MertkError: the package with the weights is not there, or has others.
    """

    def __init__(self) -> None:
        weights = read_weights()
        self._first = _Network(weights["pnet"], pools=(2, 0, 0))
        self._second = _Network(weights["rnet"], pools=(3, 3, 0))
        self._third = _Network(weights["onet"], pools=(3, 3, 2, 0))

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) of the faces in a picture (H, W, 3) uint8, and how sure they are (N,), the surest first."""
        return self._refine(picture, self._propose(picture))

    def follow(self, picture: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Box (4,) of the face that was at `box` (4,) in the picture before; None where there is no face now."""
        boxes, _ = self._refine(picture, box[None])
        return boxes[0] if len(boxes) else None

    def _propose(self, picture: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) where the first network sees something like a face."""
        height, width = picture.shape[:2]
        scale = _CELL / max(SMALLEST_SHARE * min(height, width), _CELL)
        pixels, found = picture, []
        while min(height, width) * scale >= _CELL:
            pixels = resize(pixels, round(height * scale), round(width * scale))
            moves, sure = self._first(pixels[None])
            row, column = np.nonzero(sure[0] > _SURE[0])
            corner = _STRIDE * np.stack([column, row], axis=1) + 1
            cells = moved(np.concatenate([corner, corner + _CELL], axis=1), moves[0][:, row, column].T)
            across, down = width / pixels.shape[1], height / pixels.shape[0]
            cells = cells * np.array([across, down, across, down])
            found.append(keep_apart(cells, sure[0, row, column], 0.5, _MOST_CELLS))
            scale *= _STEP
        if not found:
            return np.empty((0, 4))
        boxes, sure = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return keep_apart(boxes, sure, 0.7, _MOST_BOXES)[0]

    def _refine(self, picture: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the second and the third network leave of boxes (N, 4), and how sure the third is."""
        last = (self._third, _THIRD, _SURE[2], True)
        for network, side, least, of_smaller in ((self._second, _SECOND, _SURE[1], False), last):
            boxes = squares(boxes)
            boxes = boxes[boxes[:, 2] - boxes[:, 0] <= _LARGEST_SHARE * max(picture.shape[:2])]
            if not len(boxes):
                return boxes, np.empty(0)
            moves, sure = network(np.stack([cut_out(picture, box, side) for box in boxes]))
            boxes = moved(boxes, moves)
            boxes, sure = keep_apart(boxes[sure > least], sure[sure > least], 0.7, _MOST_BOXES, of_smaller)
        return boxes, sure


class _Network:
    """Convolutions; where pictures are of one size, a dense layer; then how boxes move, and whether there is a face.

    Args:
        arrays: weights as Keras lays them out.
        pools: for each convolution, the side of the squares of which only the largest value is kept; 0 for none.
    """

    def __init__(self, arrays: list[np.ndarray], pools: tuple[int, ...]) -> None:
        weights = [_as_tensor(array) for array in arrays]
        self._pools = pools
        self._convolutions = [weights[3 * number : 3 * number + 3] for number in range(len(pools))]
        rest = weights[3 * len(pools) :]
        self._dense = rest[:3] if rest[0].ndim == 2 else None
        heads = rest[3:] if self._dense else rest
        self._moves, self._sure = heads[:2], heads[-2:]

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Moves (N, 4) and sureness (N,) for pictures (N, H, W, 3) uint8, or of every place, without a dense layer."""
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            pixels = torch.from_numpy(np.require(pictures, requirements="W")).permute(0, 3, 1, 2)
            values = (pixels.float() - 127.5) / 128
            for (kernel, bias, slope), pool in zip(self._convolutions, self._pools, strict=True):
                values = functional.prelu(functional.conv2d(values, kernel, bias), slope)
                if pool:
                    values = functional.max_pool2d(values, pool, 2, ceil_mode=True)
            head = functional.conv2d
            if self._dense:
                kernel, bias, slope = self._dense
                values = values.permute(0, 3, 2, 1).flatten(1)  # column by column, as the networks were trained
                values, head = functional.prelu(functional.linear(values, kernel, bias), slope), functional.linear
            moves, sure = head(values, *self._moves), head(values, *self._sure)
            return moves.double().numpy(), sure.double().softmax(1)[:, 1].numpy()


def _as_tensor(array: np.ndarray) -> torch.Tensor:
    """Kernels (h, w, in, out) as (out, in, h, w), matrices (in, out) as (out, in), slopes of any shape as (C,)."""
    import torch

    if array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim == 2:
        array = array.T
    else:
        array = array.reshape(-1)
    return torch.from_numpy(np.ascontiguousarray(array))
