"""Faces to find: a real one, from the samples of matplotlib, and drawn ones, on pictures and in videos."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic.face import Expression, draw_face, render
from mertk.features.pictures import resize

#: where the face of the real picture is: left, top, right, bottom, of its 512 x 600 pixels
REAL_BOX = np.array([152, 100, 352, 346])


@functools.cache
def real_picture() -> np.ndarray:
    """Grace Hopper, head and shoulders, (600, 512, 3), which the U.S. Navy gave to the public."""
    import matplotlib.image

    return matplotlib.image.imread(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg")


@functools.cache
def drawn_picture(seed: int = 4, sex: str = "M") -> np.ndarray:
    """A drawn head, (72, 72, 3)."""
    zero = np.zeros(1)
    face = draw_face(np.random.default_rng(seed), sex)
    return render(face, Expression(zero + 0.5, zero, zero + 0.3, zero, zero, zero), np.ones(3))[0]


def scene(height: int, width: int, *heads: tuple[np.ndarray, int, int, int]) -> np.ndarray:
    """A grey wall (height, width, 3) with heads: (picture, left, top, height); what sticks out is cut off."""
    wall = np.full((height, width, 3), (118, 121, 124), np.uint8)
    for picture, left, top, tall in heads:
        head = resize(picture, tall, round(tall * picture.shape[1] / picture.shape[0]), "bicubic")
        seen = head[max(-top, 0) :, max(-left, 0) :][: height - max(top, 0), : width - max(left, 0)]
        wall[max(top, 0) :, max(left, 0) :][: len(seen), : seen.shape[1]] = seen
    return wall


def write_scenes(path: Path, scenes: list[np.ndarray], rate: Fraction | int = 25) -> Path:
    """A video without loss of these pictures, whose size is even."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = scenes[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for picture in scenes:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
