"""Utterances that are an interval of their file: trained on, extracted, validated."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from mertk.config import InputConfig
from mertk.data.audio_segments import Interval, read_intervals
from mertk.data.inputs import WaveformInput
from mertk.data.manifest import load_manifest, validate_directory, write_manifest
from mertk.data.recording_error import RecordingError
from mertk.data.waveform import read_waveform
from mertk.features.audio_extraction import AudioExtraction, SoundFile
from mertk.processes import start_processes
from tests.odd_files import write_sound

RATE = 22050


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    """Files of six seconds in the formats that soundfile looks for a place in."""
    folder = tmp_path_factory.mktemp("talks")
    noise = np.random.default_rng(0).normal(0, 0.2, 6 * RATE)
    samples = np.convolve(noise, np.ones(9) / 9, "same").astype(np.float32)
    for ending, subtype in (("wav", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS")):
        soundfile.write(folder / f"talk.{ending}", samples, RATE, subtype=subtype)
    return folder


def write_data(folder, file, segments, durations=None):
    columns = {
        "wav.scp": dict.fromkeys(segments, str(file)),
        "audio_segments": segments,
        "utt2label": dict.fromkeys(segments, "a"),
    }
    write_manifest(folder, columns | ({"utt2dur": durations} if durations else {}), ["a"], {"corpus": "own"})
    return load_manifest(folder)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_an_interval_has_the_samples_of_the_whole_file(talks, ending):
    whole = read_waveform(talks / f"talk.{ending}", "u", RATE)
    for start, end in ((0.0, 1.0), (1.23456, 2.5), (3.0, 5.99), (5.5, 6.0)):
        interval = Interval(start, end)
        first, last = interval.samples(RATE)
        samples = read_waveform(talks / f"talk.{ending}", "u", RATE, interval=interval)
        assert len(samples) == last - first
        assert np.abs(samples - whole[first:last]).max() < 1e-6
        some = read_waveform(talks / f"talk.{ending}", "u", RATE, max_seconds=0.1, interval=interval)
        assert np.array_equal(some, samples[: round(0.1 * RATE)])


def test_what_ffmpeg_decodes_is_read_at_the_interval_too(tmp_path):
    file = write_sound(tmp_path / "talk.m4a", "aac", "ipod")
    whole = read_waveform(file, "u", 16000)
    for start, end in ((0.0, 0.2), (0.123, 0.4)):
        interval = Interval(start, end)
        samples = read_waveform(file, "u", 16000, interval=interval)
        assert np.array_equal(samples, whole[slice(*interval.samples(16000))])
    assert len(read_waveform(file, "u", 16000, max_seconds=0.1, interval=Interval(0.1, 0.4))) == 1600


def test_an_interval_behind_the_end_is_the_error_of_its_utterance(talks):
    with pytest.raises(RecordingError, match=r"utterance u: .*holds no samples from 7 to 8 s"):
        read_waveform(talks / "talk.wav", "u", RATE, interval=Interval(7, 8))
    with pytest.raises(RecordingError, match=r"lasts 0.500 s, expected 2.000 s \(utt2dur\)"):
        read_waveform(talks / "talk.wav", "u", RATE, expected_seconds=2.0, interval=Interval(5.5, 7.5))


def test_training_reads_the_interval_and_knows_its_length(talks, tmp_path):
    manifest = write_data(tmp_path / "data", talks / "talk.flac", {"a": "0.5 1.5", "b": "2 2.25"})
    source = WaveformInput(manifest.subset(["b"]), InputConfig(kind="waveform", sample_rate_hz=RATE))
    assert source.length("b") == 0.25 * RATE
    whole = read_waveform(talks / "talk.flac", "u", RATE)
    assert np.array_equal(source.read("b"), whole[slice(*Interval(2, 2.25).samples(RATE))])


def test_features_are_made_anew_of_an_interval_that_has_changed(talks, tmp_path):
    def sources(segments):
        manifest = write_data(tmp_path / "data", talks / "talk.wav", segments)
        extraction = AudioExtraction(lambda: None, manifest, tmp_path / "features", start_processes())
        return extraction, {item.path: item.source for item in extraction.read_items()}

    _, before = sources({"a": "0 1", "b": "1 2"})
    extraction, after = sources({"a": "0 1", "b": "1 2.5"})
    assert before["a"] == after["a"] != before["b"] != after["b"]
    assert [item.path for item in extraction.read_items(before.items())] == ["b"]
    sound = SoundFile("b", talks / "talk.wav", None, extraction.intervals["b"]).sound(RATE, None)
    assert len(sound) == round(1.5 * RATE)


def test_faults_of_the_column_are_found(talks, tmp_path):
    segments = {"a": "0 1", "b": "1 2"}
    manifest = write_data(tmp_path / "data", talks / "talk.wav", segments, {"a": "1.0", "b": "1.5"})
    assert read_intervals(manifest)["b"] == Interval(1.0, 2.0)
    assert [str(problem).partition(": ")[2] for problem in validate_directory(tmp_path / "data")] == [
        "b: the interval lasts 1.000 s, utt2dur says 1.500 s"
    ]
    for value, told in (
        ("1 1", "is not after"),
        ("-1 2", "negative"),
        ("1", "expected `start_"),
        ("a b", "as numbers"),
    ):
        (tmp_path / "data" / "audio_segments").write_text(f"a 0 1\nb {value}\n", encoding="utf-8")
        assert any(told in str(problem) for problem in validate_directory(tmp_path / "data"))
    (tmp_path / "data" / "audio_segments").write_text("a 0 1\nb 1 2.5\n", encoding="utf-8")
    (tmp_path / "data" / "wav.scp").unlink()
    assert any("there is no wav.scp" in str(problem) for problem in validate_directory(tmp_path / "data"))
