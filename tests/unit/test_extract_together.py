"""Several encoders in one pass: each recording read once, each directory what a pass for it alone makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from mertk.data import waveform
from mertk.data.feature_store import FeatureWriter, read_record
from mertk.data.ledger import read_ledger
from mertk.data_prep import extract_audio, extract_video
from mertk.features import video_pipeline
from mertk.features.modalities import AudioExtractor
from mertk.features.source import Places, open_source
from tests.noisy_recordings import write_noise
from tests.raw_corpus import write_wavlm
from tests.video_corpus import DIALOGUES, read_features, write_clip, write_corpus

SECONDS = {"a": 0.5, "b": 0.2, "c": 0.3}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return [str(write_wavlm(folder / name, seed)) for seed, name in enumerate(("one", "two"))]


@pytest.fixture
def data(tmp_path):
    return write_noise(tmp_path / "data", SECONDS)


def hear(data, weights, outs, *options):
    places = [str(data / out) for out in outs]
    return extract_audio.main(["--data", str(data), "--speech", *weights, "--out", *places, *options])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("options", [[], ["--pool", "statistics", "--layers", "1,last"]], ids=["frames", "vectors"])
def test_each_directory_is_that_of_a_pass_alone_and_recordings_are_read_once(data, weights, options, monkeypatch):
    for number in (0, 1):
        assert hear(data, weights[number : number + 1], [f"alone{number}"], *options) == 0
    read, seen = waveform.read_waveform, []
    monkeypatch.setattr(
        waveform, "read_waveform", lambda path, *given, **more: (seen.append(path), read(path, *given, **more))[1]
    )
    assert hear(data, weights, ["one", "two"], *options) == 0
    assert len(seen) == len(SECONDS)
    assert files(data / "one") == files(data / "alone0") and files(data / "two") == files(data / "alone1")
    assert hear(data, weights, ["fast", "faster"], *options, "--batch_seconds", "1") == 0
    for out, expected in {"fast": "alone0", "faster": "alone1"}.items():
        found, wanted = read_features(data / out), read_features(data / expected)
        assert (
            all(np.allclose(found[name], wanted[name], atol=1e-5) for name in wanted) and found.keys() == wanted.keys()
        )


def test_a_stop_in_the_middle_leaves_each_to_go_on_alone_or_together(data, weights, monkeypatch):
    assert hear(data, weights[:1], ["alone0"]) == 0 and hear(data, weights[1:], ["alone1"]) == 0
    write, count = FeatureWriter.write, []

    def write_three(self, *given):
        if len(count) == 3:
            raise InterruptedError
        count.append(given[0])
        write(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureWriter, "write", write_three)
        with pytest.raises(InterruptedError):
            hear(data, weights, ["one", "two"])
    assert not (data / "one" / "features.scp").exists() and not (data / "two" / "features.scp").exists()
    assert hear(data, weights[1:], ["two"]) == 0
    made = []
    monkeypatch.setattr(FeatureWriter, "write", lambda self, *given: (made.append(given[0]), write(self, *given)))
    assert hear(data, weights, ["one", "two"]) == 0
    assert made == ["c"]
    assert files(data / "one") == files(data / "alone0") and files(data / "two") == files(data / "alone1")


def test_each_has_its_ledger_and_too_much_lost_by_one_leaves_the_other_whole(data, weights, capsys):
    (data.parent / "b.wav").unlink()
    given = ["--extractor", "SpeechStates", f"weights={weights[0]}", "tests.unit.test_extract_together.Picky"]
    places = ["--out", str(data / "states"), str(data / "picky")]
    assert extract_audio.main(["--data", str(data), *given, *places, "--max_lost", "0.4"]) == 1
    assert "2 of 3 utterances" in capsys.readouterr().err
    ledgers = {out: [one.utterance for one in read_ledger(data / out / "excluded.tsv")] for out in ("states", "picky")}
    assert ledgers == {"states": ["b"], "picky": ["a", "b"]}
    assert set(read_features(data / "states")) == {"a", "c"} and not (data / "picky" / "features.scp").exists()


class Picky(AudioExtractor):
    """A vector; spoils what it is given, and refuses some."""

    dimension = 2

    def encode(self, samples):
        samples *= 0
        if len(samples) > 6000:
            raise ValueError("too long")
        return np.ones(2, np.float32)


def test_vectors_of_a_recording_are_those_of_the_corpus(data, weights):
    from mertk.config import InputConfig
    from mertk.data.inputs import FeatureInput
    from mertk.data.recording import Recording

    assert hear(data, weights[:1], ["vectors"], "--pool", "statistics") == 0
    record = read_record(data / "vectors")
    assert (record.dimension, record.rate_hz, record.options["pool"]) == (
        48,
        None,
        {"kind": "statistics", "rate_hz": 50.0},
    )
    source = open_source("audio", InputConfig(), record.as_dict(), Places(), "cpu")
    held = FeatureInput(data / "vectors", InputConfig())
    assert held.steps == 1
    for name in SECONDS:
        np.testing.assert_array_equal(source(Recording(data.parent / f"{name}.wav")), held.read(name))


def test_one_directory_for_two_is_refused(data, weights, capsys):
    with pytest.raises(SystemExit):
        hear(data, weights, ["one"])
    assert "--out: got 1 for 2 encoders" in capsys.readouterr().err
    assert hear(data, weights, ["one", "one"]) == 1
    assert "given for two extractors" in capsys.readouterr().err


def test_videos_are_decoded_once_and_pictures_prepared_once_for_those_alike(tmp_path, monkeypatch):
    data = write_corpus(tmp_path / "data")
    clips = [str(write_clip(tmp_path / name, seed)) for seed, name in enumerate(("one", "two"))]
    pictures = [f"weights={clips[0]}", "SmallPictures", "side=8", "ClipFrameEncoder", f"weights={clips[1]}"]

    def see(*given):
        return extract_video.main(["--data", str(data), *given])

    for number, clip in enumerate(clips):
        assert see("--clip", clip, "--out", str(data / f"alone{number}")) == 0
    assert see("--side", "8", "--out", str(data / "alone2")) == 0
    decoded, prepared = [], []
    read, shared = video_pipeline.read_segments, video_pipeline.SharedPictures.preparing
    monkeypatch.setattr(
        video_pipeline,
        "read_segments",
        lambda path, *given, **more: (decoded.append(path), read(path, *given, **more))[1],
    )
    monkeypatch.setattr(
        video_pipeline.SharedPictures,
        "preparing",
        lambda self: (prepared.append(len(self._preparing)), shared(self))[1],
    )
    outs = [str(data / name) for name in ("one", "small", "two")]
    assert see("--extractor", "ClipFrameEncoder", *pictures, "--out", *outs) == 0
    assert len(decoded) == len(DIALOGUES) and set(prepared) == {2}
    for out, expected in {"one": "alone0", "two": "alone1", "small": "alone2"}.items():
        found, wanted = read_features(data / out), read_features(data / expected)
        assert found.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])
        assert read_record(data / out).differences(read_record(data / expected)) == []


def test_videos_of_which_other_frames_are_wanted_are_refused(tmp_path, capsys):
    data = write_corpus(tmp_path / "data", {"s0"})
    given = ["--extractor", "SmallPictures", "side=8", "SmallPictures", "side=8", "rate_hz=5"]
    assert extract_video.main(["--data", str(data), *given, "--out", str(data / "a"), str(data / "b")]) == 1
    assert "takes the same frames for all" in capsys.readouterr().err


def test_a_vector_is_one_frame_to_published_files_and_arrays_that_are_given():
    from mertk.config import InputConfig
    from mertk.data.feature_record import FeatureRecord
    from mertk.data_prep.mmsa_values import read_array
    from mertk.run.intakes import Intake

    record = FeatureRecord("audio", "E", "w", "f", "output", None, 3)
    vector = np.arange(3, dtype=np.float32)
    assert read_array(np.ones((2, 3)), "file", ["a", "b"], has_vectors=True).shape == (2, 1, 3)
    intake = Intake("audio", InputConfig(), record.as_dict(), 3, None)
    np.testing.assert_array_equal(intake.check(vector), vector[None])
