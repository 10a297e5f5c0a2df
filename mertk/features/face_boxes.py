"""Boxes around faces.

Legend: `N` boxes (left, top, right, bottom) in pixels; the last axis is these four.
"""

from __future__ import annotations

import numpy as np


def overlap(box: np.ndarray, boxes: np.ndarray, of_smaller: bool = False) -> np.ndarray:
    """Area (N,) that a box (4,) shares with each of boxes (N, 4), over that of both together, or of the smaller one.

    >>> overlap(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])).round(2).tolist()
    [1.0, 0.33, 0.0]
    """
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    area = (box[2:] - box[:2]).prod()
    whole = np.minimum(area, areas) if of_smaller else area + areas - shared
    return shared / np.maximum(whole, 1e-9)


def keep_apart(
    boxes: np.ndarray, sure: np.ndarray, most_shared: float, most: int, of_smaller: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Of boxes (N, 4) that share more than `most_shared` only the surest; of the `most` surest, and these in order."""
    order = np.argsort(-sure, kind="stable")[:most]
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        order = order[overlap(boxes[first], boxes[order], of_smaller) <= most_shared]
    return boxes[kept], sure[kept]


def squares(boxes: np.ndarray) -> np.ndarray:
    """The smallest squares (N, 4) around boxes (N, 4), with their centres.

    >>> squares(np.array([[0.0, 0.0, 2.0, 4.0]])).tolist()
    [[-1.0, 0.0, 3.0, 4.0]]
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def moved(boxes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) whose edges move by `moves` (N, 4), in widths and heights of the boxes."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return boxes + moves * np.concatenate([sizes, sizes], axis=1)
