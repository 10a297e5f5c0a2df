"""Drawn, moving faces whose expression follows emotion.

Valence shapes the mouth (corners up or down, width, teeth), the cheeks and the brows; arousal shows only faintly, in
how wide the eyes are and how much the head moves. A still picture of the speaker is drawn once for every head position;
in each frame only mouth, eyes and brows are drawn anew, for all frames at once.

Legend: `T` frames, `H`, `W` picture height and width; colours are red, green, blue between 0 and 255.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PICTURE_SIZE = 72  # pixels, height and width
_REACH = 2  # the head moves by at most this many pixels each way
_CENTRE_X, _CENTRE_Y = 36.0, 37.0
_MOUTH_BOX = (44, 65, 20, 53)  # top, bottom, left, right of what is drawn anew, head in the middle
_EYES_BOX = (20, 39, 19, 54)


@dataclass(frozen=True)
class FaceTraits:
    """What stays with a speaker, whatever the emotion."""

    skin: np.ndarray  # (3,)
    hair: np.ndarray  # (3,)
    lips: np.ndarray  # (3,)
    background: np.ndarray  # (3,)
    head_width: float
    head_height: float
    mouth_y: float
    mouth_width: float
    lip_thickness: float
    resting_curve: float  # how the corners of the mouth stand when nothing is felt
    eye_gap: float
    brow_y: float
    long_hair: bool


@dataclass(frozen=True)
class Expression:
    """A course in time; every field is (T,)."""

    valence: np.ndarray
    arousal: np.ndarray
    opening: np.ndarray  # of the mouth, 0 to 1
    blink: np.ndarray  # 1: eyes closed
    head_x: np.ndarray  # pixels
    head_y: np.ndarray


def draw_face(rng: np.random.Generator, sex: str) -> FaceTraits:
    """A speaker of the given sex, "F" or "M"."""
    tone = rng.uniform(0.2, 0.7)
    skin = np.array([232, 196, 168]) * (1 - tone) + np.array([158, 108, 78]) * tone
    hair = np.array([[45, 32, 25], [82, 54, 34], [104, 76, 46]])[rng.integers(3)]
    lips = skin * np.array([0.80, 0.55, 0.55]) if sex == "F" else skin * np.array([0.78, 0.62, 0.60])
    return FaceTraits(
        skin=skin + rng.normal(0, 3, 3),
        hair=hair + rng.normal(0, 5, 3),
        lips=lips,
        background=np.array([105, 115, 125]) + rng.normal(0, 7, 3),
        head_width=22.0 + rng.normal(0, 0.6) - (0.8 if sex == "F" else 0.0),
        head_height=28.5 + rng.normal(0, 0.6),
        mouth_y=54.0 + rng.normal(0, 0.5),
        mouth_width=11.0 + rng.normal(0, 0.5),
        lip_thickness=(2.2 if sex == "F" else 1.9) + rng.normal(0, 0.15),
        resting_curve=rng.normal(0, 0.3),
        eye_gap=8.8 + rng.normal(0, 0.5),
        brow_y=25.0 + rng.normal(0, 0.5),
        long_hair=sex == "F",
    )


def move(
    rng: np.random.Generator, valence: np.ndarray, arousal: np.ndarray, opening: np.ndarray, rate_hz: float
) -> Expression:
    """An expression that follows `valence`, `arousal` and `opening` (all (T,)), with sway and blinks of its own."""
    num_frames = len(valence)
    times = np.arange(num_frames) / rate_hz
    blink = np.zeros(num_frames)
    clock = rng.uniform(0.3, 3.0)
    while clock < times[-1]:
        blink[(times >= clock) & (times < clock + 0.15)] = 1.0
        clock += rng.uniform(1.5, 5.0)
    phase = rng.uniform(0, 2 * np.pi, 4)
    lively = 0.7 + 0.2 * arousal
    head_x = lively * (np.sin(2 * np.pi * 0.23 * times + phase[0]) + 0.6 * np.sin(2 * np.pi * 0.9 * times + phase[1]))
    head_y = lively * (0.7 * np.sin(2 * np.pi * 0.31 * times + phase[2]) + 0.5 * np.sin(6 * times + phase[3]))
    wobble = 0.12 * np.sin(2 * np.pi * 0.6 * times + phase[1]) + 0.08 * np.sin(2 * np.pi * 1.7 * times + phase[2])
    return Expression(valence + wobble, arousal, opening, blink, head_x, head_y + 0.6 * opening)


def render(face: FaceTraits, expression: Expression, light: np.ndarray) -> np.ndarray:
    """Pictures uint8 (T, 72, 72, 3).

    Args:
        face: the speaker.
        expression: what the face does.
        light: colour of the room's light (3,), 1 being white.
    """
    steps_y = np.clip(np.rint(expression.head_y), -_REACH, _REACH).astype(int)
    steps_x = np.clip(np.rint(expression.head_x), -_REACH, _REACH).astype(int)
    still = _still(face) * light
    pictures = np.empty((len(steps_y), PICTURE_SIZE, PICTURE_SIZE, 3), np.uint8)
    mouth = _composite(still, _MOUTH_BOX, _mouth_layers(face, expression), light)
    eyes = _composite(still, _EYES_BOX, _eye_layers(face, expression), light)
    margin = 2 * _REACH
    wide = np.pad(still, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    for step_y in np.unique(steps_y):
        for step_x in np.unique(steps_x):
            rows = np.flatnonzero((steps_y == step_y) & (steps_x == step_x))
            if not len(rows):
                continue
            top, left = margin - step_y, margin - step_x
            pictures[rows] = np.clip(wide[top : top + PICTURE_SIZE, left : left + PICTURE_SIZE], 0, 255)
            for (y0, y1, x0, x1), patch in ((_EYES_BOX, eyes), (_MOUTH_BOX, mouth)):
                pictures[rows, y0 + step_y : y1 + step_y, x0 + step_x : x1 + step_x] = patch[rows]
    return pictures


def _still(face: FaceTraits) -> np.ndarray:
    """Background, hair, neck and head (72, 72, 3), without eyes, brows and mouth."""
    y, x = np.mgrid[0:PICTURE_SIZE, 0:PICTURE_SIZE].astype(np.float32)
    picture = np.broadcast_to(face.background, (PICTURE_SIZE, PICTURE_SIZE, 3)) * (1.1 - 0.3 * y[..., None] / 72)
    fall = 1.0 if face.long_hair else 0.0
    hair = _ellipse(x, y, _CENTRE_X, _CENTRE_Y - 5 + 7 * fall, face.head_width + 4, face.head_height + 1 + 5 * fall)
    picture = _over(picture, hair, face.hair)
    neck = np.clip(9.5 - np.abs(x - _CENTRE_X), 0, 1) * np.clip(y - 54, 0, 1)
    picture = _over(picture, neck, face.skin * 0.82)
    head = _ellipse(x, y, _CENTRE_X, _CENTRE_Y + 2, face.head_width, face.head_height)
    shade = 1.06 - 0.22 * np.abs(x[..., None] - _CENTRE_X) / face.head_width
    picture = _over(picture, head, face.skin * shade)
    fringe = head * np.clip((_CENTRE_Y - 16 - y) / 2, 0, 1)
    picture = _over(picture, fringe, face.hair)
    nose = np.clip(1.6 - np.abs(x - _CENTRE_X - 1), 0, 1) * np.clip((y - 34) / 4, 0, 1) * np.clip(46 - y, 0, 1)
    return _over(picture, 0.35 * nose, face.skin * 0.6).astype(np.float32)


def _mouth_layers(face: FaceTraits, expression: Expression) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cheeks, lips, the dark of the mouth and teeth: pairs of opacity (T, h, w) and colour (3,)."""
    y, x = _box_grid(_MOUTH_BOX)
    valence, opening = _column(expression.valence), _column(expression.opening)
    width = face.mouth_width * (1 + 0.22 * valence - 0.12 * opening)
    across = (x - _CENTRE_X) / width
    bow = np.minimum(across**2, 1.3)
    middle = face.mouth_y - (face.resting_curve + 5.0 * valence) * (bow - 0.45)
    arch = np.sqrt(np.clip(1 - across**2, 0, 1))
    top = middle - (0.5 + 0.8 * opening) * arch
    bottom = middle + (0.5 + 4.5 * opening) * arch
    inside_x = np.clip((1 - np.abs(across)) * width + 0.5, 0, 1)
    lips = np.clip(y - top + face.lip_thickness + 0.5, 0, 1) * np.clip(bottom + face.lip_thickness - y + 0.5, 0, 1)
    gap = np.clip(y - top + 0.5, 0, 1) * np.clip(bottom - y + 0.5, 0, 1) * inside_x * np.clip(4 * opening, 0.25, 1)
    teeth = gap * np.clip(top + 2.2 - y, 0, 1) * np.clip(valence + 0.2, 0, 1) * np.clip(3 * opening, 0.4, 1)
    side = (np.abs(x - _CENTRE_X) - 13.5) / 4.0
    cheeks = 0.45 * np.clip(valence, 0, 1.3) * np.exp(-(side**2) - ((y - 48.0 + valence) / 3.5) ** 2)
    return [
        (cheeks, face.skin * np.array([1.05, 0.72, 0.70])),
        (lips * inside_x, face.lips),
        (gap, np.array([55.0, 20.0, 20.0])),
        (teeth, np.array([238.0, 234.0, 226.0])),
    ]


def _eye_layers(face: FaceTraits, expression: Expression) -> list[tuple[np.ndarray, np.ndarray]]:
    """Furrow, white of the eyes, iris and brows, as in `_mouth_layers`; mirroring draws both sides at once."""
    y, x = _box_grid(_EYES_BOX)
    valence, arousal = _column(expression.valence), _column(expression.arousal)
    outward = np.abs(x - _CENTRE_X) - face.eye_gap
    height = np.maximum((3.0 + 0.35 * arousal - 0.7 * np.abs(valence)) * (1 - _column(expression.blink)), 0.35)
    white = np.clip((1 - (outward / 4.6) ** 2 - ((y - 33.5) / height) ** 2) * 2.5, 0, 1)
    iris = white * np.clip(2.4 - np.sqrt(outward**2 + (y - 33.5) ** 2), 0, 1)
    frown = np.clip(-valence, 0, 1.3)
    brow_line = face.brow_y + 2.5 * np.clip(-valence, -0.4, 1.3) + (0.16 * valence + 0.02 * arousal) * outward
    brow_line = brow_line + 0.03 * outward**2
    brows = np.clip(1.7 + 0.6 * frown - np.abs(y - brow_line), 0, 1) * np.clip(6.8 - np.abs(outward), 0, 1)
    furrow = 0.5 * frown * np.exp(-(((x - _CENTRE_X) / 4.0) ** 2) - ((y - 27.0) / 4.5) ** 2)
    return [
        (furrow, face.skin * 0.45),
        (white, np.array([236.0, 236.0, 232.0])),
        (iris, np.array([52.0, 40.0, 32.0])),
        (brows, face.hair * 0.8),
    ]


def _composite(
    still: np.ndarray, box: tuple[int, int, int, int], layers: list[tuple[np.ndarray, np.ndarray]], light: np.ndarray
) -> np.ndarray:
    """The layers laid over one part of the still picture: uint8 (T, h, w, 3)."""
    y0, y1, x0, x1 = box
    patch = np.broadcast_to(still[y0:y1, x0:x1], (*layers[0][0].shape, 3))
    for opacity, colour in layers:
        patch = _over(patch, opacity.astype(np.float32), (colour * light).astype(np.float32))
    return np.clip(patch, 0, 255).astype(np.uint8)


def _box_grid(box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    y0, y1, x0, x1 = box
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    return y[None], x[None]


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None]


def _over(picture: np.ndarray, opacity: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return picture + opacity[..., None] * (colour - picture)


def _ellipse(x: np.ndarray, y: np.ndarray, centre_x: float, centre_y: float, width: float, height: float) -> np.ndarray:
    """Opacity 1 inside, 0 outside, with a soft edge of about a pixel."""
    radius = np.sqrt(((x - centre_x) / width) ** 2 + ((y - centre_y) / height) ** 2)
    return np.clip((1 - radius) * min(width, height) + 0.5, 0, 1)
