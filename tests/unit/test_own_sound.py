"""Sound that can only be decoded from the start of its file is taken out once, sample by sample as it is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mertk.data.manifest import validate_directory
from mertk.data.recording import Recording
from mertk.data.sound_track import decode_sound
from mertk.data.waveform import read_waveform
from mertk.data_prep.own.directory import prepare_rows
from mertk.data_prep.own.rows import OwnRow
from mertk.data_prep.own.sound import sound_name
from mertk.errors import MertkError
from mertk.features.extraction_plan import file_mark
from tests.odd_files import write_sound, write_tone
from tests.raw_corpus import write_clip_file


def prepared(rows, tmp_path, **options):
    return prepare_rows(rows, tmp_path / "out", corpus="mine", source=tmp_path, **options)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three videos with sound, one without, and a file of sound alone."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(3):
        write_clip_file(folder / f"clip {number}.mp4", seconds=2.0, seed=number)
    write_clip_file(folder / "mute.mp4", seconds=1.0, sound=False)
    write_tone(folder / "voice.wav")
    return folder


def whole_rows(clips):
    return [OwnRow(f"t:{n}", clips / f"clip {n}.mp4", f"{n}.5", speaker=f"s{n}") for n in range(3)]


def test_the_sound_of_a_video_is_what_a_prediction_hears(clips, tmp_path):
    manifest = prepared(whole_rows(clips), tmp_path)
    assert validate_directory(tmp_path / "out") == []
    for utterance, file in zip(manifest.ids, manifest.column("wav.scp"), strict=True):
        assert file == str(tmp_path / "out" / "sound" / f"{utterance}.flac")
        heard = Recording(clips / f"{utterance.replace('_', ' ')}.mp4").sound(16000)
        assert np.array_equal(read_waveform(file, utterance, 16000), heard)
    assert manifest.value("video_segments", "clip_0") == "0 2 whole"
    assert manifest.column("utt2recording") == ["clip_0", "clip_1", "clip_2"]
    assert not manifest.has("audio_segments")


def test_sound_that_is_taken_again_is_the_same_to_an_extraction(clips, tmp_path):
    os.utime(clips / "clip 0.mp4", (10**9, 10**9))
    first = [file_mark(Path(file)) for file in prepared(whole_rows(clips), tmp_path).column("wav.scp")]
    again = prepared(whole_rows(clips), tmp_path).column("wav.scp")
    assert [file_mark(Path(file)) for file in again] == first
    assert Path(again[0]).stat().st_mtime == 10**9


def test_intervals_of_a_video_have_its_samples_at_their_seconds(clips, tmp_path):
    times = [("0.3001", "1.2"), ("1.0", "1.9"), ("1.5", None)]
    rows = [
        OwnRow(f"t:{n}{turn}", clips / f"clip {n}.mp4", "ab"[(n + turn) % 2], id=f"c{n}/{turn}", start=start, end=end)
        for n in range(3)
        for turn, (start, end) in enumerate(times)
    ]
    manifest = prepared(rows, tmp_path)
    whole = np.concatenate(list(decode_sound(clips / "clip 1.mp4", 16000)))
    for turn, (start, end) in enumerate(((0.3001, 1.2), (1.0, 1.9), (1.5, len(whole) / 16000))):
        samples = read_waveform(manifest.value("wav.scp", f"c1/{turn}"), "u", 16000)
        expected = whole[round(start * 16000) : round(end * 16000)]
        assert len(samples) == len(expected)
        assert np.abs(samples - expected).max() <= 0.5 / 2**15 + 1e-7
    assert manifest.value("video_segments", "c1/0") == "0.3001 1.2 whole"
    assert manifest.column("utt2recording") == ["clip_0"] * 3 + ["clip_1"] * 3 + ["clip_2"] * 3
    assert (tmp_path / "out" / "folds" / "recording-clean").is_dir()


def test_intervals_of_coded_sound_keep_its_own_rate(tmp_path):
    write_sound(tmp_path / "talk.m4a", "aac", "ipod")
    rows = [OwnRow(f"t:{n}", tmp_path / "talk.m4a", "ab"[n % 2], start=f"{n / 10}", end=f"{n / 10 + 0.1}")
            for n in range(4)]  # fmt: skip
    manifest = prepared(rows, tmp_path, keep_together="utterance")
    whole = np.concatenate(list(decode_sound(tmp_path / "talk.m4a", 16000)))
    samples, rate = soundfile.read(manifest.column("wav.scp")[1])
    assert rate == 16000
    assert np.abs(samples - whole[1600:3200]).max() <= 2**-23
    assert soundfile.info(manifest.column("wav.scp")[1]).subtype == "PCM_24"


def test_few_that_lack_sound_or_picture_are_lost_and_a_choice_keeps_them(clips, tmp_path):
    rows = [
        *whole_rows(clips),
        *(
            OwnRow(f"t:7{n}", clips / f"clip {n}.mp4", f"{n}.5", start="0", end=f"1.{n}", speaker=f"s{n}")
            for n in range(3)
        ),
        OwnRow("t:8", clips / "mute.mp4", "0.5", speaker="s8"),
        OwnRow("t:9", clips / "voice.wav", "0.5", speaker="s9"),
    ]
    manifest = prepared(rows, tmp_path, max_lost=0.5)
    assert manifest.corpus["left_out"] == {"no_sound": 1, "no_picture": 1}
    assert "t:8: its file has no sound, which is used here" in (tmp_path / "out" / "excluded.tsv").read_text()
    assert len(prepared(rows, tmp_path, max_lost=0.5, modalities=["audio"])) == 7
    assert not (tmp_path / "out" / "video.scp").exists()
    assert len(prepared(rows, tmp_path, max_lost=0.5, modalities=["video"])) == 7
    assert not (tmp_path / "out" / "sound").exists()


def test_an_interval_behind_the_end_and_a_cut_file_are_told_and_nothing_stays(clips, tmp_path):
    (tmp_path / "cut.mp4").write_bytes((clips / "clip 0.mp4").read_bytes()[:20000])
    rows = [
        *whole_rows(clips),
        OwnRow("t:8", clips / "clip 0.mp4", "0.5", start="1", end="9", speaker="s0"),
        OwnRow("t:9", tmp_path / "cut.mp4", "0.5", speaker="s9"),
    ]
    manifest = prepared(rows, tmp_path, max_lost=0.5)
    assert manifest.corpus["left_out"] == {"bad_interval": 1, "unreadable_audio": 1}
    assert len(list((tmp_path / "out" / "sound").iterdir())) == 3
    with pytest.raises(MertkError, match="cannot be used"):
        prepare_rows(rows, tmp_path / "none", corpus="mine", source=tmp_path, max_lost=0.01)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.mp4", "none.excluded.tsv", "out"]


def test_names_of_files_are_names_that_a_file_may_have():
    assert sound_name("clip_1") == "clip_1.flac"
    odd = [sound_name(name) for name in ("a/b", "a_b", ".hidden", "长" * 100, "长" * 101)]
    assert len(set(odd)) == 5
    assert all("/" not in name and not name.startswith(".") and len(name.encode()) < 200 for name in odd)
