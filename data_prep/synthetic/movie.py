"""The picture of a dialogue: both actors side by side, written as MPEG-4 in an AVI file.

Legend: `T` frames, `H`, `W` picture height and width.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic import face, voice
from mertk.data_prep.synthetic.dialogue import Dialogue, Turn
from mertk.data_prep.synthetic.emotion import Shown

FRAME_RATE = Fraction(30000, 1001)
BORDER = 12  # black rows above and below the picture
HEIGHT, WIDTH = face.PICTURE_SIZE + 2 * BORDER, 2 * face.PICTURE_SIZE
# A face is drawn anew every second frame while it speaks, every sixth while it listens; drawing is most of the work.
_SPEAKING_STEP, _LISTENING_STEP = 2, 6
_FADE_SECONDS = 0.25  # an expression comes and goes in this time


def num_frames(dialogue: Dialogue) -> int:
    """T of the dialogue's picture."""
    return int(np.ceil(dialogue.seconds * FRAME_RATE))


def act(
    rng: np.random.Generator,
    dialogue: Dialogue,
    speaker: str,
    shown: dict[str, Shown],
    speech: dict[str, np.ndarray],
) -> tuple[face.Expression, np.ndarray]:
    """What one actor's face does all through a dialogue, and the frames (K,) at which it is worth drawing.

    Args:
        rng: source of random choices.
        dialogue: the plan.
        speaker: "F" or "M".
        shown: how each utterance comes across.
        speech: samples (S,) of each utterance, which move the mouth.
    """
    rate_hz = float(FRAME_RATE)
    length = num_frames(dialogue)
    times = np.arange(length) / rate_hz
    valence, arousal, opening = np.zeros((3, length))
    drawn = np.arange(length) % _LISTENING_STEP == 0
    for turn in dialogue.turns:
        weight = _weight(times, turn)
        if turn.speaker != speaker:
            valence += 0.15 * weight * rng.normal()  # a listener's face answers a little
            continue
        valence += weight * shown[turn.utterance].face_valence
        arousal += weight * shown[turn.utterance].face_arousal
        first = round(turn.start_seconds * rate_hz)
        moving = voice.loudness(speech[turn.utterance], rate_hz)[: length - first]
        opening[first : first + len(moving)] = np.convolve(moving, [0.25, 0.5, 0.25], mode="same")
        drawn |= (weight > 0) & (np.arange(length) % _SPEAKING_STEP == 0)
    return face.move(rng, valence, arousal, opening, rate_hz), np.flatnonzero(drawn)


def draw(traits: face.FaceTraits, expression: face.Expression, drawn: np.ndarray, light: np.ndarray) -> np.ndarray:
    """One actor's half (K, 72, 72, 3) uint8 at the frames `drawn` (K,)."""
    chosen = face.Expression(**{name: values[drawn] for name, values in vars(expression).items()})
    return face.render(traits, chosen, light)


def write(path: Path, length: int, halves: tuple[tuple[np.ndarray, np.ndarray], ...]) -> None:
    """Encode `length` frames; `halves` holds for left and right the pictures (K, 72, 72, 3) and their frames (K,)."""
    import av

    with av.open(str(path), "w", format="avi", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=FRAME_RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.bit_rate = 250_000
        stream.codec_context.gop_size = 60
        stream.codec_context.options = {"flags": "+bitexact"}
        whole = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for index in range(length):
            for side, (pictures, drawn) in enumerate(halves):
                left = side * face.PICTURE_SIZE
                picture = pictures[np.searchsorted(drawn, index, side="right") - 1]
                whole[BORDER : HEIGHT - BORDER, left : left + face.PICTURE_SIZE] = picture
            frame = av.VideoFrame.from_ndarray(whole, format="rgb24")
            frame.pts = index
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _weight(times: np.ndarray, turn: Turn) -> np.ndarray:
    """How far the turn's expression is there (T,), 0 to 1: it rises just before the turn and fades after it."""
    rise = (times - turn.start_seconds + _FADE_SECONDS) / _FADE_SECONDS
    fall = (turn.end_seconds + _FADE_SECONDS - times) / _FADE_SECONDS
    return np.clip(np.minimum(rise, fall), 0, 1)
