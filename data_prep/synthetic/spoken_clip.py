"""A clip of one person who speaks: a drawn face that moves with a voice, as picture and sound of an mp4 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic import face, voice
from mertk.data_prep.synthetic.emotion import Shown

FRAME_RATE = 24
_DRAWN_STEP = 2  # a face is drawn anew every second frame; drawing is most of the work


def draw_pictures(
    rng: np.random.Generator, traits: face.FaceTraits, shown: Shown, samples: np.ndarray, light: np.ndarray
) -> np.ndarray:
    """Pictures (T, 72, 72, 3) uint8 of a face that says `samples`, 24 a second.

    Args:
        shown: how the utterance comes across.
        samples: (S,) at 16 kHz, which move the mouth.
        light: colour of the room's light (3,), 1 being white.
    """
    num_frames = max(2, len(samples) * FRAME_RATE // voice.SAMPLE_RATE)
    opening = np.resize(voice.loudness(samples, FRAME_RATE), num_frames)
    valence, arousal = np.full(num_frames, shown.face_valence), np.full(num_frames, shown.face_arousal)
    moves = face.move(rng, valence, arousal, opening, FRAME_RATE)
    drawn = face.Expression(**{name: values[::_DRAWN_STEP] for name, values in vars(moves).items()})
    return np.repeat(face.render(traits, drawn, light), _DRAWN_STEP, axis=0)[:num_frames]


def write_clip(path: Path, pictures: np.ndarray, samples: np.ndarray | None) -> None:
    """Encode pictures (T, H, W, 3) uint8 and sound (S,) at 16 kHz, if any, as MPEG-4 and AAC; .flv as Flash has it."""
    import av

    kind = path.suffix[1:]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=kind, options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("flv" if kind == "flv" else "mpeg4", rate=FRAME_RATE)
        video.height, video.width, video.pix_fmt = *pictures.shape[1:3], "yuv420p"
        video.codec_context.thread_count, video.codec_context.bit_rate = 1, 250_000
        video.codec_context.options = {"flags": "+bitexact"}
        if samples is not None:
            audio = container.add_stream("aac", rate=voice.SAMPLE_RATE, layout="mono")
            audio.codec_context.options = {"flags": "+bitexact"}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if samples is not None:
            sound = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
            sound.rate, sound.pts = voice.SAMPLE_RATE, 0
            container.mux(audio.encode(sound))
            container.mux(audio.encode())
