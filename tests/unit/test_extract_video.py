"""The extraction program in one process: right values, the same bits in any company, and back from any interruption."""

from __future__ import annotations

import errno
import json
import math
import os
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mertk.data.feature_store import FeatureWriter, finished_entries, read_record
from mertk.data.ledger import read_ledger
from mertk.data.video_frames import Segment, read_frames
from mertk.data_prep import extract_video
from mertk.features import video_pipeline
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from mertk.features.extraction_plan import Dialogue, share_out
from mertk.features.frame_encoder import FrameEncoder
from tests.video_corpus import DIALOGUES, NUM_UTTERANCES, RATE, read_features, write_clip, write_corpus, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("weights") / "clip")


@pytest.fixture
def data(tmp_path):
    return write_corpus(tmp_path / "data")


def run(data: Path, clip: Path, *options: str, out: str = "video") -> int:
    arguments = ["--data", str(data), "--weights", str(clip), "--out", str(data / out), *options]
    return extract_video.main(arguments)


def test_features_are_those_of_each_utterance_by_itself(data, clip):
    assert run(data, clip, "--batch_frames", "50") == 0
    features = read_features(data / "video")
    encoder = ClipFrameEncoder(clip)
    assert len(features) == NUM_UTTERANCES
    for dialogue, (_, segments) in DIALOGUES.items():
        for utterance, start, end, half in segments:
            segment = Segment(utterance, Fraction(f"{start:.4f}"), Fraction(f"{end:.4f}"), half)
            frames = read_frames(data.parent / f"{dialogue}.avi", segment, 6.0)
            expected = [encoder.encode_whole(frames[first : first + 50]) for first in range(0, len(frames), 50)]
            np.testing.assert_array_equal(features[utterance], np.concatenate(expected))
    assert len(features["f2"]) == 150 and len(features["s0"]) == 2

    record = read_record(data / "video")
    assert record.count == NUM_UTTERANCES and record.dimension == 20 and record.layer == "projected"
    assert record.rate_hz == pytest.approx(float(RATE)) and not record.miniature
    assert record.options["batch_frames"] == 50 and record.options["preprocessing"]["crop"] == [32, 32]
    assert len(read_ledger(data / "video" / "excluded.tsv")) == 0


def test_same_bits_in_any_company_with_any_number_of_threads(data, clip, tmp_path):
    assert run(data, clip) == 0
    together = read_features(data / "video")
    alone = write_corpus(tmp_path / "alone", only={"f1", "t1", "s0"})
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert run(alone, clip, "--decoders", "2") == 0
    finally:
        torch.set_num_threads(before)
    for utterance, features in read_features(alone / "video").items():
        np.testing.assert_array_equal(features, together[utterance])


class Interrupted(Exception):
    pass


def test_goes_on_where_it_stopped(data, clip, monkeypatch):
    assert run(data, clip, out="whole") == 0
    write = FeatureWriter.write

    def write_three(self, *arguments):
        if len(self.finished) == 3:
            raise Interrupted
        write(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureWriter, "write", write_three)
        with pytest.raises(Interrupted):
            run(data, clip)
    assert len(finished_entries(data / "video")) == 3
    assert not (data / "video" / "features.scp").exists()
    assert threading.active_count() < 5  # no decoder or encoder is left behind

    written = []
    monkeypatch.setattr(FeatureWriter, "write", lambda self, *a: (written.append(a[0]), write(self, *a)))
    assert run(data, clip) == 0
    assert len(written) == NUM_UTTERANCES - 3
    whole, resumed = read_features(data / "whole"), read_features(data / "video")
    assert whole.keys() == resumed.keys()
    for utterance in whole:
        np.testing.assert_array_equal(resumed[utterance], whole[utterance])

    written.clear()
    assert run(data, clip) == 0 and written == []


def test_changed_video_or_segment_is_made_again(data, clip, monkeypatch):
    assert run(data, clip) == 0
    before = read_features(data / "video")
    third = data.parent / "third.avi"
    write_video(third, 90, seed=9)
    os.utime(third, (1, 1))
    segments = data / "video_segments"
    segments.write_text(segments.read_text().replace("f1 1.5000", "f1 1.0000"))
    written = []
    write = FeatureWriter.write
    monkeypatch.setattr(FeatureWriter, "write", lambda self, *a: (written.append(a[0]), write(self, *a)))
    assert run(data, clip) == 0
    assert sorted(written) == ["f1", "t0", "t1", "t2"]
    after = read_features(data / "video")
    assert len(after["f1"]) == len(before["f1"]) + 15
    assert not np.array_equal(after["t0"], before["t0"])
    np.testing.assert_array_equal(after["f0"], before["f0"])


def test_other_options_or_weights_are_refused_unless_overwritten(data, clip, tmp_path, capsys):
    assert run(data, clip) == 0
    for options, difference in [
        (["--dtype", "float16"], "dtype: 'float16' here, 'float32' there"),
        (["--max_seconds", "4"], "options.max_seconds: 4.0 here, 6.0 there"),
        (["--output", "penultimate"], "layer: 'penultimate' here, 'projected' there"),
    ]:
        assert run(data, clip, *options) == 1
        assert difference in capsys.readouterr().err
    other = write_clip(tmp_path / "other", seed=1)
    assert run(data, other) == 1
    assert "weights_fingerprint" in capsys.readouterr().err
    assert len(read_features(data / "video")) == NUM_UTTERANCES

    assert run(data, other, "--dtype", "float16", "--output", "hidden_-2", "--overwrite") == 0
    features = read_features(data / "video")
    assert {(array.dtype, array.shape[1]) for array in features.values()} == {(np.dtype("float16"), 36)}


def test_unusable_videos_go_to_the_ledger_until_too_many_are_lost(data, clip, capsys):
    (data.parent / "second.avi").write_bytes(b"no video")
    (data.parent / "third.avi").unlink()
    assert run(data, clip) == 1
    message = capsys.readouterr().err
    assert "5 of 8 utterances" in message and "second.avi" in message
    assert not (data / "video" / "features.scp").exists()
    reasons = {entry.utterance: entry.reason for entry in read_ledger(data / "video" / "excluded.tsv")}
    unreadable, absent = dict.fromkeys(("s0", "s1"), "unreadable_video"), dict.fromkeys(("t0", "t1", "t2"), "no_video")
    assert reasons == unreadable | absent

    assert run(data, clip, "--max_lost", "0.7") == 0
    assert set(read_features(data / "video")) == {"f0", "f1", "f2"}

    write_video(data.parent / "second.avi", 120, seed=1)
    write_video(data.parent / "third.avi", 90, seed=2)
    assert run(data, clip) == 0
    assert len(read_features(data / "video")) == NUM_UTTERANCES
    assert len(read_ledger(data / "video" / "excluded.tsv")) == 0


def test_video_of_another_frame_rate_is_left_out(data, clip):
    write_video(data.parent / "second.avi", 120, rate=Fraction(25))
    assert run(data, clip, "--max_lost", "0.5") == 0
    ledger = read_ledger(data / "video" / "excluded.tsv")
    assert {(entry.utterance, entry.reason) for entry in ledger} == {
        ("s0", "other_frame_rate"),
        ("s1", "other_frame_rate"),
    }


def test_miniature_corpus_is_remembered(data, clip):
    (data / "corpus.json").write_text(json.dumps({"format": 1, "corpus": "toy", "miniature": True}))
    assert run(data, clip) == 0
    assert read_record(data / "video").miniature


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda data: None, ["--num_processes", "2"], "1 process(es) started, but --num_processes asked for 2"),
        (lambda data: None, ["--output", "logits"], "output 'logits' is unknown"),
        (lambda data: None, ["--weights", "/no/weights"], "weights folder /no/weights not found"),
        (lambda data: (data / "video_segments").unlink(), [], "video_segments"),
        (lambda data: [path.unlink() for path in data.parent.glob("*.avi")], [], "no video can be opened"),
        (lambda data: (data / "video_segments").write_text("f0 a b left\n"), [], "f0"),
    ],
)
def test_errors_are_one_message(data, clip, capsys, change, options, message):
    change(data)
    assert run(data, clip, *options) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("error:") == 1


def test_full_disk_is_told(data, clip, capsys, monkeypatch):
    def write(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device", "part-00000-of-00001.bin")

    monkeypatch.setattr(FeatureWriter, "write", write)
    assert run(data, clip) == 1
    assert "no space left to write part-00000-of-00001.bin" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["read_dialogue", "attempt"])
def test_error_of_a_thread_ends_the_run(data, clip, monkeypatch, place):
    def broken(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(video_pipeline, place, broken)
    with pytest.raises(RuntimeError, match="out of order"):
        run(data, clip)
    assert threading.active_count() < 5


def test_a_failure_of_the_machine_ends_the_run(data, clip, monkeypatch, capsys):
    def broken(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FrameEncoder, "encode", broken)
    assert run(data, clip, "--max_lost", "1") == 1
    error = capsys.readouterr().err
    assert error.count("error:") == 1 and "CUDA out of memory" in error and ".avi" in error
    assert threading.active_count() < 5


def dialogue(path: str, seconds: float) -> Dialogue:
    return Dialogue(path, [Segment(path, Fraction(0), Fraction(seconds))])


def test_shares_are_disjoint_whole_balanced_and_independent_of_order():
    dialogues = [dialogue(f"d{number:02d}", 1 + number * 7 % 13) for number in range(40)]
    for num_shares in (1, 2, 3, 8):
        shares = share_out(dialogues, num_shares, None)
        assert share_out(reversed(dialogues), num_shares, None) == shares
        assert sorted(path for share in shares for path in share) == [item.path for item in dialogues]
        costs = {item.path: item.seconds(None) for item in dialogues}
        loads = [sum(costs[path] for path in share) for share in shares]
        assert max(loads) - min(loads) <= max(costs.values())
    assert share_out(dialogues[:1], 3, None).count([]) == 2
    assert dialogue("d", 9).seconds(6.0) == 6.0


def mixed_rates(folder: Path) -> Path:
    """The corpus with one video of each of three frame rates."""
    write_video(folder.parent / "second.avi", 100, seed=1, rate=Fraction(25))
    write_video(folder.parent / "third.avi", 72, seed=2, rate=Fraction(24))
    return folder


def test_videos_of_any_frame_rate_give_frames_of_one_rate(data, clip):
    mixed_rates(data)
    assert run(data, clip, "--rate_hz", "5", "--max_seconds", "60") == 0
    features, encoder = read_features(data / "video"), ClipFrameEncoder(clip)
    rates = {"first": RATE, "second": Fraction(25), "third": Fraction(24)}
    for dialogue, (_, segments) in DIALOGUES.items():
        for utterance, start, end, half in segments:
            start, end = Fraction(f"{start:.4f}"), Fraction(f"{end:.4f}")
            path, rate = data.parent / f"{dialogue}.avi", rates[dialogue]
            frames = read_frames(path, Segment(utterance, start, end, half))
            times = [start + Fraction(number, 5) for number in range(math.ceil((end - start) * 5))]
            first, last = math.ceil(start * rate), math.ceil(end * rate) - 1
            chosen = [min(max(math.floor(time * rate + Fraction(1, 2)), first), last) - first for time in times]
            np.testing.assert_array_equal(features[utterance], encoder.encode_whole(frames[chosen]))
    record = read_record(data / "video")
    assert record.rate_hz == 5.0 and record.options["rate_hz"] == 5.0


def test_a_rate_above_that_of_the_video_repeats_frames(data, clip):
    assert run(data, clip, "--rate_hz", "60", "--max_seconds", "1") == 0
    features = read_features(data / "video")
    assert len(features["f0"]) == 60
    assert len(np.unique(features["f0"], axis=0)) == pytest.approx(30, abs=1)


def test_another_frame_rate_is_told_how_to_mend(data, clip, capsys):
    mixed_rates(data)
    assert run(data, clip) == 1
    assert "take frames of one rate from all (mertk extract video --rate_hz)" in capsys.readouterr().err


def test_frames_that_wait_to_be_encoded_are_bounded_by_bytes():
    channel = video_pipeline._Channel(10, 1, max_bytes=100)
    channel.put(("a", np.zeros(60, np.uint8)))
    channel.put(("b", np.zeros(60, np.uint8)))
    assert not channel._has_room()
    next(iter(channel))
    assert channel._has_room()
