"""One face through the pictures of an utterance, cut out of each so that it does not jump.

The face is the one that is largest, nearest to the middle and surest in the first picture that shows any. It is
followed from where it was; where it is not found there, all faces are looked for. What is cut out stays where it is
while the face hardly moves, and goes with it when it does. A face that is out of sight for a few pictures (turned away,
behind a hand) is shown where it was; after these a face is chosen anew, as it is where another one is far larger.

Legend: `H` height, `W` width, `P` side of what is cut out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mertk.features.face_boxes import overlap, squares
from mertk.features.pictures import cut_out

if TYPE_CHECKING:
    from mertk.features.face_detector import FaceDetector

#: pictures for which a face that is out of sight is shown where it was
HELD_PICTURES = 5
#: pictures after which all faces are looked for although one is followed, and by how much another must be worth more
LOOK_AGAIN_PICTURES, _OUTSHINES = 25, 2.0
#: least overlap of a face with where it was
_SAME_FACE = 0.2
#: share of its way that a box goes at least, and how this grows with the way in sides of the box
_LEAST_SHARE, _EAGERNESS = 0.1, 4.0


class FaceTrack:
    """Cuts the face of one utterance out of its pictures, which come in order.

    Args:
        side: P.
        margin: room on each side of the face, in sides of the square around it.
    """

    def __init__(self, detector: FaceDetector, side: int, margin: float) -> None:
        self.detector = detector
        self.side = side
        self.margin = margin
        self._face: np.ndarray | None = None  # where it was seen last (4,)
        self._shown: np.ndarray | None = None  # the square that is cut out, without margin (4,)
        self._unseen = self._followed = 0

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The face in a picture (H, W, 3) uint8, as (P, P, 3); black where there is none."""
        self._look(picture)
        if self._shown is None:
            return np.zeros((self.side, self.side, 3), np.uint8)
        room = self.margin * (self._shown[2] - self._shown[0])
        return cut_out(picture, self._shown + np.array([-room, -room, room, room]), self.side, "bicubic")

    def _look(self, picture: np.ndarray) -> None:
        """Find out where the face is now, and what is shown of the picture."""
        face = None if self._face is None else self.detector.follow(picture, self._face)
        if face is None:
            self._search(picture)
            return
        self._unseen = 0
        self._followed += 1
        if self._followed % LOOK_AGAIN_PICTURES == 0 and self._is_outshone(face, picture):
            self._face = self._shown = None
            self._search(picture)
        else:
            self._show(face)

    def _search(self, picture: np.ndarray) -> None:
        """Choose among all faces; where one was lost, at first only those that are where it was."""
        boxes, sure = self.detector(picture)
        if self._face is not None:
            self._unseen += 1
            is_same = overlap(self._face, boxes) >= _SAME_FACE
            if is_same.any() or self._unseen <= HELD_PICTURES:
                boxes, sure = boxes[is_same], sure[is_same]
            else:
                self._face = self._shown = None
        if len(boxes):
            self._unseen = 0
            self._show(boxes[np.argmax(worth(boxes, sure, picture))])

    def _is_outshone(self, face: np.ndarray, picture: np.ndarray) -> bool:
        """Whether another face is worth far more than the one that is followed."""
        boxes, sure = self.detector(picture)
        own = worth(face[None], np.ones(1), picture)[0]
        return bool((worth(boxes, sure, picture) > _OUTSHINES * own).any())

    def _show(self, face: np.ndarray) -> None:
        square = squares(face[None])[0]
        self._shown = square if self._shown is None else draw_near(self._shown, square)
        self._face = face


def worth(boxes: np.ndarray, sure: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """How much faces (N, 4) count in a picture (H, W, 3): by size and sureness, at its edge half of in its middle.

    >>> worth(np.array([[0, 0, 40, 40], [80, 80, 120, 120]]), np.ones(2), np.zeros((200, 200, 3))).tolist()
    [24.0, 40.0]
    """
    height, width = picture.shape[:2]
    middle = np.array([width, height]) / 2
    aside = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 / middle - 1).max(axis=1, initial=0)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    return sides * sure * (1 - aside.clip(0, 1) / 2)


def draw_near(shown: np.ndarray, square: np.ndarray) -> np.ndarray:
    """A square (4,) on its way to another: a tenth of a short way, which is the detector's doubt, all of a long one."""
    way = np.abs(square - shown).max() / (shown[2] - shown[0])
    return shown + min(max(_LEAST_SHARE, _EAGERNESS * way), 1.0) * (square - shown)
