"""A corpus of one's own as people have them: clips of drawn faces and invented voices, and a table with its faults."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic import emotion, face, voice

CLASSES = {"happy": "hap", "sad": "sad"}
SPEAKERS = ("Ada", "Bo", "Cy", "Di Ann", "Eve", "Flo")
#: of each speaker's clips of a class: as people write it
SPELLINGS = {"happy": ("happy", "Happy", "happy ", "HAPPY"), "sad": ("sad", "Sad", " sad", "sad")}
NUM_CLIPS = len(SPEAKERS) * sum(map(len, SPELLINGS.values()))
RATE_HZ = 10


def write_corpus(folder: Path, seed: int = 1) -> Path:
    """Clips below `folder`, and clips.csv with a row for each and for what is wrong: returns the table."""
    rows = []
    for speaker_number, speaker in enumerate(SPEAKERS):
        rng = np.random.default_rng([seed, speaker_number])
        sex = "FM"[speaker_number % 2]
        traits, speech = face.draw_face(rng, sex), voice.draw_voice(rng, sex)
        for label, short in CLASSES.items():
            for number, spelling in enumerate(SPELLINGS[label]):
                path = folder / "clips" / f"{speaker} {label} {number}.mp4"
                write_clip(path, rng, traits, speech, emotion.show(rng, short))
                rows.append((f"clips/{path.name}", spelling, speaker))
    return write_table(folder / "clips.csv", [*rows, *_faulty_rows(folder, rows)])


def _faulty_rows(folder: Path, rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """A file that cannot be read, one without sound, and a row that is there already."""
    (folder / "clips/broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    rng = np.random.default_rng(seed=9)
    write_clip(folder / "clips/silent film.mp4", rng, face.draw_face(rng, "F"), None, emotion.show(rng, "hap"))
    return [("clips/broken.mp4", "sad", "Ada"), ("clips/silent film.mp4", "happy", "Bo"), rows[0]]


def write_table(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "label", "speaker"), *rows])
    return path


def write_clip(
    path: Path,
    rng: np.random.Generator,
    traits: face.FaceTraits,
    speech: voice.VoiceTraits | None,
    shown: emotion.Shown,
    seconds: float = 1.0,
) -> None:
    """An mp4 of a face that speaks; without `speech` one without sound."""
    import av

    num_frames = round(seconds * RATE_HZ)
    opening, samples = np.zeros(num_frames), None
    if speech is not None:
        count = round(seconds * voice.SAMPLE_RATE)
        samples = voice.synthesise(rng, speech, shown.voice_arousal, shown.voice_valence, count)
        opening = voice.loudness(samples, RATE_HZ)[:num_frames]
    valence, arousal = np.full(num_frames, shown.face_valence), np.full(num_frames, shown.face_arousal)
    pictures = face.render(traits, face.move(rng, valence, arousal, opening, RATE_HZ), np.ones(3))
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=RATE_HZ)
        video.width, video.height, video.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        audio = None if samples is None else container.add_stream("aac", rate=voice.SAMPLE_RATE, layout="mono")
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.rate = voice.SAMPLE_RATE
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
