"""Features of faces: of a corpus in any company, the same of a recording, and every frame without a face marked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mertk.bin import predict
from mertk.checkup.software import check_faces
from mertk.data.feature_store import read_record
from mertk.data.ledger import read_ledger
from mertk.data.recording import Recording
from mertk.data_prep import extract_video
from mertk.errors import MertkError
from mertk.features import Places, face_crop, open_source
from mertk.features.face_crop import of_rows
from mertk.features.modalities import VideoExtractor
from mertk.features.small_pictures import SmallPictures
from tests.faces import drawn_picture, real_picture, scene, write_scenes
from tests.sentiment_model import save_means
from tests.video_corpus import read_features, write_clip

#: utterance: video, seconds, half
SEGMENTS = {
    "both": ("two", "0 0.4 whole"),
    "drawn": ("two", "0.08 0.6 right"),
    "real": ("two", "0.0 0.6 left"),
    "seldom": ("gone", "0 0.8 whole"),
    "wall": ("gone", "0.48 0.8 whole"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two heads side by side that move; a head that leaves an empty wall after 0.2 seconds of 0.8."""
    folder = tmp_path_factory.mktemp("faces")
    heads = [((real_picture(), 10 + 2 * t, 20, 190), (drawn_picture(), 290 - t, 40, 150)) for t in range(15)]
    two = [scene(240, 480, *pair) for pair in heads]
    gone = [scene(200, 240, *[(real_picture(), 40, 10, 180)] * (t < 5)) for t in range(20)]
    write_scenes(folder / "two.mkv", two)
    write_scenes(folder / "gone.mkv", gone)
    return write_data(folder / "data", SEGMENTS)


def write_data(folder: Path, names) -> Path:
    folder.mkdir()
    for column, place in (("video.scp", 0), ("video_segments", 1)):
        values = {name: SEGMENTS[name][place] for name in sorted(names)}
        files = {name: folder.parent / f"{value}.mkv" if place == 0 else value for name, value in values.items()}
        (folder / column).write_text("".join(f"{name} {value}\n" for name, value in files.items()))
    return folder


def extract(data: Path, out: Path, *options: str) -> int:
    faces = ["--crop", "face", "--face_side", "64", "--max_lost", "0.3"]
    return extract_video.main(["--data", str(data), "--out", str(out), *faces, *options])


@pytest.fixture(scope="module")
def pictures(data, tmp_path_factory):
    """Features of every extraction of small pictures, and their folder."""
    out = tmp_path_factory.mktemp("pictures") / "out"
    assert extract(data, out, "--side", "16") == 0
    return out, read_features(out)


def test_each_utterance_shows_its_own_face(pictures):
    _, features = pictures
    assert {name: len(values) for name, values in features.items()} == {
        "both": 10,
        "drawn": 13,
        "real": 15,
        "seldom": 20,
    }
    whole = SmallPictures(16)
    heads = {"real": real_picture()[60:400, 80:420], "drawn": scene(178, 178, (drawn_picture(), 12, 10, 150))}
    for name, head in heads.items():
        expected = whole.encode_whole(head[None])[0]
        assert min(np.corrcoef(expected, frame)[0, 1] for frame in features[name]) > 0.75, name
    # Of the two faces of the whole picture the drawn one is the larger; its utterance begins two frames later.
    np.testing.assert_allclose(features["both"][2:], features["drawn"][:8], atol=0.2)


def test_frames_without_a_face_are_zeros_and_counted(pictures, capsys):
    out, features = pictures
    faceless = ~features["seldom"].any(axis=1)
    assert faceless.tolist() == [False] * 10 + [True] * 10  # five pictures more than there are
    assert [(entry.utterance, entry.reason) for entry in read_ledger(out / "excluded.tsv")] == [("wall", "no_face")]
    assert (out / "utt2num_faceless").read_text() == "seldom 10\n"
    assert read_record(out).warnings == ["10 of 58 frames show no face, their features are zeros"]


def test_the_record_says_how_faces_were_found(pictures, data, tmp_path, capsys):
    out, _ = pictures
    told = read_record(out).options["face_crop"]
    assert told["detector"].startswith("mtcnn ") and len(told["fingerprint"]) == 64
    assert (told["side"], told["margin"], told["no_face"], told["method"]) == (64, 0.2, "drop", 1)
    assert extract(data, out, "--side", "16", "--face_margin", "0.3") == 1
    assert "options.face_crop" in capsys.readouterr().err


def test_utterances_without_a_face_can_be_kept(data, tmp_path):
    assert extract(data, tmp_path / "out", "--side", "16", "--no_face", "keep") == 0
    assert not read_features(tmp_path / "out")["wall"].any()
    assert (tmp_path / "out/utt2num_faceless").read_text() == "seldom 10\nwall 8\n"


def test_bits_do_not_depend_on_the_company(pictures, data, tmp_path):
    _, features = pictures
    for number, name in enumerate(features):
        alone = write_data(data.parent / f"alone_{number}", [name])
        assert extract(alone, tmp_path / name, "--side", "16", "--decoders", "2") == 0
        np.testing.assert_array_equal(read_features(tmp_path / name)[name], features[name])


EXTRACTORS = [["--clip"], ["--side", "16"], ["--extractor", "tests.own_extractors.Brightness", "rows=30"]]


@pytest.mark.parametrize("options", EXTRACTORS, ids=lambda options: options[-1])
def test_a_recording_gives_what_the_corpus_gave(data, tmp_path, options):
    if options == ["--clip"]:
        options = ["--clip", str(write_clip(tmp_path / "clip"))]
    assert extract(data, tmp_path / "out", *options) == 0
    stored, record = read_features(tmp_path / "out"), read_record(tmp_path / "out").as_dict()
    given = (json.loads(json.dumps(record)), Places(), torch.device("cpu"), ["tests.own_extractors"])
    read = open_source("video", None, *given)
    recording = Recording(data.parent / "gone.mkv")
    np.testing.assert_array_equal(read(recording), stored["seldom"])
    assert recording.notes == ["no face is found in 10 of its 20 frames"]
    left = read(Recording(data.parent / "two.mkv", half="left"))
    np.testing.assert_array_equal(left, stored["real"])


def test_prediction_tells_of_frames_without_a_face(pictures, data, tmp_path, capsys):
    out, features = pictures
    model = save_means(tmp_path / "best", data, {"video": {"kind": "features", "directory": str(out)}})
    write_scenes(tmp_path / "wall.mkv", [scene(200, 240)] * 5)
    files = [str(data.parent / "gone.mkv"), str(tmp_path / "wall.mkv")]
    arguments = ["--model", str(model), "--trust", "tests.sentiment_model", "--crop", "face"]
    assert predict.main([*arguments, "--", *files]) == 1
    shown, told = capsys.readouterr()
    answer = float(shown.splitlines()[1].split("\t")[1])
    weights = np.linspace(-1, 1, 258)[:256]
    assert answer == pytest.approx(features["seldom"].mean(axis=0) @ weights, abs=1e-3)
    assert "no face is found in 10 of its 20 frames" in told
    assert "wall.mkv: no face is found in any of its 5 frames" in told and told.count("error:") == 1


def test_a_model_of_whole_pictures_is_refused_where_faces_are_asked_for(data, tmp_path, capsys):
    assert extract_video.main(["--data", str(data), "--out", str(tmp_path / "out"), "--side", "16"]) == 0
    model = save_means(tmp_path / "best", data, {"video": {"kind": "features", "directory": str(tmp_path / "out")}})
    arguments = ["--model", str(model), "--trust", "tests.sentiment_model", "--crop", "face"]
    assert predict.main([*arguments, "--", str(data.parent / "gone.mkv")]) == 1
    assert "was not trained on faces" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fingerprint": "0" * 64}, "found by another detector (mtcnn 1.0.0, method 1, weights 000000000000"),
        ({"method": 2}, "found by another detector"),
        ({"side": "wide"}, "options.face_crop: side"),
        ({"no_face": "guess"}, "options.face_crop: no_face"),
    ],
)
def test_a_record_of_other_faces_is_refused(pictures, changed, told):
    record = read_record(pictures[0]).as_dict()
    record["options"]["face_crop"] |= {"detector": "mtcnn 1.0.0"} | changed
    with pytest.raises(MertkError) as caught:
        open_source("video", None, record, Places(), torch.device("cpu"))
    assert told in str(caught.value)


def test_another_version_with_the_same_weights_is_told(pictures, monkeypatch, capsys):
    record = read_record(pictures[0]).as_dict()
    monkeypatch.setattr(face_crop, "package_version", lambda: "mtcnn 9.9")
    open_source("video", None, record, Places(), torch.device("cpu"))
    assert "here is mtcnn 9.9, which has the same weights" in capsys.readouterr().err


class Pairs(VideoExtractor):
    """The mean of every two frames."""

    dimension = 1

    def encode(self, frames):
        return 1 + frames.reshape(2, -1).mean(axis=1, keepdims=True).astype(np.float32)


def test_a_row_is_zero_where_none_of_its_frames_shows_a_face():
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    frames[2] = 9
    crop = face_crop.FaceCrop(Pairs(), face_crop.FaceSettings(side=8))
    assert crop.encode(frames).tolist() == [[0.0], [5.5]]
    assert of_rows(np.array([True, False, False]), 2).tolist() == [True, False]
    assert of_rows(np.array([True, False]), 5).tolist() == [True, True, True, False, False]


class Clips(Pairs):
    """One row for four frames, and for those that are left."""

    step_frames = 4

    def encode(self, frames):
        return np.ones((-(-len(frames) // 4), 1), np.float32)


@pytest.mark.parametrize(("shown", "expected"), [(3, [[1.0], [0.0]]), (4, [[0.0], [1.0]])])
def test_rows_of_clips_stand_for_their_own_frames_where_the_last_one_is_not_full(shown, expected):
    frames = np.zeros((5, 8, 8, 3), np.uint8)
    frames[shown] = 9
    assert face_crop.FaceCrop(Clips(), face_crop.FaceSettings(side=8)).encode(frames).tolist() == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--side", "16", "--face_side", "64"], "--face_side: only with --crop face"),
        (["--side", "16", "--no_face", "keep", "--face_margin", "0.1"], "--face_margin, --no_face: only with"),
        (["--side", "16", "--crop", "faces"], "--crop"),
    ],
)
def test_wrong_usage_is_told(data, tmp_path, capsys, options, told):
    with pytest.raises(SystemExit) as caught:
        extract_video.main(["--data", str(data), "--out", str(tmp_path / "out"), *options])
    assert caught.value.code == 2 and told in capsys.readouterr().err


def test_a_side_that_no_picture_has_and_a_missing_package_leave_nothing(data, tmp_path, capsys, monkeypatch):
    assert extract(data, tmp_path / "out", "--side", "16", "--face_side", "4") == 1
    assert "--crop face: side" in capsys.readouterr().err
    monkeypatch.setattr("mertk.features.face_weights.PACKAGE", "no-such-package")
    assert extract(data, tmp_path / "out", "--side", "16") == 1
    assert "[face]'\n" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert check_faces().status == "FAIL"
