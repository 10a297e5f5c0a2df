"""Recordings and tables that the documents name: short, of one face and invented voices."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from mertk.data_prep.synthetic import voice
from tests.faces import real_picture, scene
from tests.odd_files import write_tone

SPEAKERS = ("Ada", "Bo", "Cy", "Di", "Eve", "Flo")
CLASSES = ("happy", "sad")
SECONDS, RATE_HZ = 1.0, 10
HEADER = ("file", "label", "speaker", "text")


def write_clips(folder: Path) -> None:
    """Tables of clips, with the clips; new ones; recordings of sound alone, one of them in a folder, and a noise."""
    rows = []
    for number, speaker in enumerate(SPEAKERS):
        for label in CLASSES:
            file = folder / "clips" / f"{speaker}_{label}.mp4"
            write_clip(file, number, 0.5 if label == "happy" else -0.5)
            rows.append((f"clips/{file.name}", label, speaker, f"{label} words of mine"))
    write_table(folder / "clips.csv", HEADER, rows)
    sessions = [(*row, f"talk{SPEAKERS.index(row[2]) // 2}") for row in rows]
    write_table(folder / "sessions.csv", (*HEADER, "session"), sessions)
    third = len(rows) // 3
    for number, name in enumerate("abc"):
        write_table(folder / f"{name}.csv", HEADER, rows[number * third : (number + 1) * third])
    for number, name in enumerate(("interview", "my_clip", "new", "review")):
        write_clip(folder / f"{name}.mp4", 10 + number, 0.0)
    for name in ("greeting.wav", "lecture.wav", "recordings/talk.wav", "elsewhere.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, speech(len(name), 0.0, 5.0), voice.SAMPLE_RATE)
    (folder / "more.txt").write_text("elsewhere.wav\n")
    (folder / "noises").mkdir()
    write_tone(folder / "noises/hum.wav")


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_clip(path: Path, seed: int, valence: float) -> None:
    """An mp4 of a face that is still, and of a voice."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=RATE_HZ)
        video.width, video.height, video.pix_fmt = 160, 128, "yuv420p"
        audio = container.add_stream("aac", rate=voice.SAMPLE_RATE, layout="mono")
        for _ in range(round(SECONDS * RATE_HZ)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(_picture(), format="rgb24")))
        container.mux(video.encode())
        sound = av.AudioFrame.from_ndarray(speech(seed, valence, SECONDS)[None], format="fltp", layout="mono")
        sound.rate = voice.SAMPLE_RATE
        container.mux(audio.encode(sound))
        container.mux(audio.encode())


def speech(seed: int, valence: float, seconds: float) -> np.ndarray:
    """Samples (S,) of a voice."""
    rng = np.random.default_rng(seed)
    speaker = voice.draw_voice(rng, "FM"[seed % 2])
    return voice.synthesise(rng, speaker, valence, valence, round(seconds * voice.SAMPLE_RATE))


@cache
def _picture() -> np.ndarray:
    return scene(128, 160, (real_picture(), 30, 4, 120))
