"""A decoded picture as a player shows it: pixels made square, turned upright, mirrored where the file says so.

Colours are by the matrix and the range that the file names, else by BT.601 and the range of television, as FFmpeg has
it. What is transparent stands before black. Interlaced pictures keep both their fields, one woven into the other.

Legend: `H` height, `W` width.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from mertk.data.recording_error import RecordingError

#: more is no video for people, and some 200 MB for each picture; 8K has half of it
MOST_PIXELS = 2**26

#: what pixels of real videos are wider than high, either way
_WIDEST_PIXEL = 4


class VideoError(RecordingError):
    """A video, or a segment of one, that cannot be used."""


class Screen:
    """Shows the decoded frames of one video.

    Args:
        pixel_ratio: width over height of a pixel; None for square ones.
    """

    def __init__(self, pixel_ratio: Fraction | None) -> None:
        from av.video.reformatter import VideoReformatter

        self.pixel_ratio = pixel_ratio or Fraction(1)
        # A frame that converts itself keeps threads for it, as long as it is held: in a process that is forked
        # meanwhile, the garbage collector would wait for ever for those, which are not there.
        self._converter = VideoReformatter()
        self._rotation: int | None = None
        self._matrix: np.ndarray | None = None
        self._format, self._is_transparent = "", False

    def show(self, frame: Any) -> np.ndarray:
        """Picture (H, W, 3) uint8 RGB of a decoded frame.

        Raises:
            VideoError: larger than any screen, pixels of an impossible shape, or of a kind that has no colours.
        """
        import av

        _check_shape(frame.width, frame.height, self.pixel_ratio)
        # A frame whose side data were looked at is held until the garbage collector comes by: not every one's.
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, _display_matrix(frame)
        if frame.format.name != self._format:
            self._format, self._is_transparent = frame.format.name, _has_alpha(frame.format)
        try:
            picture = self._convert(frame, "rgb24")
            if self._is_transparent:
                picture = _before_black(picture, self._convert(frame, "rgba")[..., 3:])
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"its pictures cannot be shown ({error}); convert it.", "unreadable_video") from error
        return turn(picture, self._matrix)

    def _convert(self, frame: Any, name: str) -> np.ndarray:
        """Picture (H, W, channels) uint8 of square pixels."""
        width = max(round(frame.width * self.pixel_ratio), 1)
        return self._converter.reformat(frame, width, frame.height, name, threads=1).to_ndarray()


def _check_shape(width: int, height: int, pixel_ratio: Fraction) -> None:
    if width * height > MOST_PIXELS:
        raise VideoError(
            f"its pictures have {width} x {height} pixels, at most {MOST_PIXELS} can be; make it smaller.",
            "unreadable_video",
        )
    if not Fraction(1, _WIDEST_PIXEL) <= pixel_ratio <= _WIDEST_PIXEL:
        raise VideoError(
            f"its pixels are said to be {float(pixel_ratio):g} times as wide as high; convert it.", "unreadable_video"
        )


def _has_alpha(kind: Any) -> bool:
    return kind.has_palette or any(component.is_alpha for component in kind.components)


def _before_black(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) as far as it is opaque (H, W, 1), 255 where nothing shines through.

    >>> _before_black(np.full((1, 2, 3), 200, np.uint8), np.array([[[255], [128]]], np.uint8))[0, :, 0].tolist()
    [200, 100]
    """
    if alpha.min() == 255:
        return picture
    return ((picture * alpha.astype(np.uint16) + 127) // 255).astype(np.uint8)


def _display_matrix(frame: Any) -> np.ndarray | None:
    """How a frame is to be turned: the upper left (2, 2) of its display matrix; None when it stands as it is shown."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < 36:
        return None
    return np.frombuffer(bytes(data), dtype=np.int32, count=9).reshape(3, 3)[:2, :2].astype(np.int64)


def turn(picture: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """A picture (H, W, 3) as a display matrix wants it, to the nearest quarter turn.

    The point (x, y) is shown at (x, y) times `matrix`.

    >>> picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    >>> turn(picture, np.array([[0, 1], [-1, 0]]))[..., 0].tolist()  # a quarter turn to the right
    [[3, 0], [4, 1], [5, 2]]
    """
    if matrix is None or not matrix.any():
        return picture
    (across, down_of_x), (across_of_y, down) = matrix
    if abs(across) + abs(down) >= abs(down_of_x) + abs(across_of_y):
        mirrored, upside_down = across < 0, down < 0
    else:
        picture = picture.swapaxes(0, 1)
        mirrored, upside_down = across_of_y < 0, down_of_x < 0
    return np.ascontiguousarray(picture[:: -1 if upside_down else 1, :: -1 if mirrored else 1])
