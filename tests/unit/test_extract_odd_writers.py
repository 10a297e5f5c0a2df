"""What a player plays is no line of the ledger of an extraction, however odd the program that wrote it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile

from mertk.data.ledger import read_ledger
from mertk.data_prep import extract_audio, extract_video
from tests.numbered_videos import write_video
from tests.odd_files import write_sound
from tests.video_corpus import read_features, write_clip

TIMES = [number / 25 for number in range(25) if number % 7 != 3]


def write_data(folder, columns):
    folder.mkdir()
    for name, column in columns.items():
        (folder / name).write_text("".join(f"{key} {column[key]}\n" for key in sorted(column)))
    return folder


def left_out(folder):
    return [entry.utterance for entry in read_ledger(folder / "excluded.tsv")]


def test_what_a_player_plays_is_no_line_of_the_ledger(tmp_path, capsys):
    tone = (0.3 * np.sin(np.arange(16000) / 6)).astype(np.float32)
    soundfile.write(tmp_path / "opposite.wav", np.stack([tone, -tone], axis=1), 16000)
    soundfile.write(tmp_path / "chained.ogg", tone, 16000, format="OGG", subtype="VORBIS")
    (tmp_path / "chained.ogg").write_bytes(2 * (tmp_path / "chained.ogg").read_bytes())
    write_sound(tmp_path / "mp3.wav", "libmp3lame", "wav")
    write_video(tmp_path / "leap.mkv", TIMES, sound=(0, 1), leap=(0.5, 9000))
    (tmp_path / "broken.wav").write_bytes(b"RIFF\0\0\0\0" + bytes(999))
    names = ("opposite.wav", "chained.ogg", "mp3.wav", "leap.mkv", "broken.wav")
    data = write_data(tmp_path / "data", {"wav.scp": {name: tmp_path / name for name in names}})
    given = ["--data", str(data), "--out"]
    assert extract_audio.main([*given, str(tmp_path / "audio"), "--max_lost", "0.3"]) == 0
    assert left_out(tmp_path / "audio") == ["broken.wav"]
    lengths = {name: len(features) for name, features in read_features(tmp_path / "audio").items()}
    assert lengths["chained.ogg"] == pytest.approx(2 * lengths["opposite.wav"], abs=3)
    assert extract_audio.main([*given, str(tmp_path / "none"), "--max_lost", "0.1"]) == 1
    assert "broken.wav" in capsys.readouterr().err and not (tmp_path / "none/features.scp").exists()


def test_pictures_that_a_player_shows_are_no_line_either(tmp_path):
    write_video(tmp_path / "order.avi", TIMES, clock=Fraction(1, 25), b_frames=3)
    write_video(tmp_path / "leap.mkv", TIMES, leap=(0.5, 9000))
    (tmp_path / "broken.avi").write_bytes(b"RIFF\0\0\0\0AVI " + bytes(999))
    segments = {"order.avi": "0 0.9 whole", "leap.mkv": "0 0.9 left", "broken.avi": "0 0.9 whole"}
    files = {name: tmp_path / name for name in segments}
    data = write_data(tmp_path / "data", {"video.scp": files, "video_segments": segments})
    clip, out = write_clip(tmp_path / "clip"), tmp_path / "video"
    options = ["--data", str(data), "--weights", str(clip), "--out", str(out)]
    assert extract_video.main([*options, "--max_lost", "0.4"]) == 0
    assert left_out(out) == ["broken.avi"]
    assert {name: len(frames) for name, frames in read_features(out).items()} == {"order.avi": 23, "leap.mkv": 23}
