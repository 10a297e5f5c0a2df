"""A model that trains an encoder of pictures: from videos to features, checkpoints, answers and what is handed on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file

import mertk
from mertk.bin import evaluate, export
from mertk.config import load_config
from mertk.data.feature_store import FeatureStore
from mertk.data.folds import Fold, write_folds
from mertk.data.manifest import write_manifest
from mertk.data_prep import extract_video
from mertk.errors import MertkError
from mertk.run.intakes import intakes_of
from tests.encoder_run import assert_resumes_to_the_last_bit, assert_scored_upon_moved_weights, run_of, train_fold
from tests.raw_corpus import write_clip_file
from tests.tiny_encoders import SIDE, write_encoder

CLASSES = ["calm", "angry"]
SETTINGS = (
    "model={component: mertk.models.foal.FoalNet, projection_dim: 8, num_layers: 1}",
    "model.audio_encoder={component: mertk.encoders.log_mel.LogMelEncoder, dimension: 8}",
    "model.video_encoder={component: mertk.encoders.pretrained_pictures.PretrainedPictureEncoder, lora_rank: 2}",
    "model.video_encoder.max_frames=3",
    *("loss_weights={ce: 1.0, avel: 1.0, mem: 0.1}", "training.epochs=2", "training.trackers=[]"),
    *("optimizer.learning_rate=0.02", "optimizer.layer_decay=0.9", "data.num_workers=0", "sampler.batch_size=4"),
    *("data.inputs.audio.kind=waveform", "data.inputs.video.kind=features"),
)


def write_corpus(data):
    ids = [f"u{number:02d}" for number in range(12)]
    for number, name in enumerate(ids):
        write_clip_file(data / f"clips/{name}.mp4", 0.4 + 0.05 * number, seed=number)
    files = {name: str(data / f"clips/{name}.mp4") for name in ids}
    columns = {"utt2label": {name: CLASSES[number % 2] for number, name in enumerate(ids)}}
    columns |= {"utt2spk": {name: name for name in ids}, "wav.scp": files, "video.scp": files}
    columns["video_segments"] = {name: f"0.0000 {0.4 + 0.05 * number:.4f} whole" for number, name in enumerate(ids)}
    write_manifest(data, columns, CLASSES, {"corpus": "toy", "source": str(data)})
    fold = Fold(ids[6:], ids[3:6], ids[:3])
    fold.info = {"cv": "session", "protocol": "clean", "fold": 1}
    write_folds(data / "folds/session-clean", [fold])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment, its data, and the weights that its encoder stands on."""
    root = tmp_path_factory.mktemp("seen")
    write_corpus(root / "data")
    words = ["--data", root / "data", "--pictures", write_encoder(root / "clip", "clip"), "--rate_hz", "10"]
    assert extract_video.main([*map(str, words), "--out", str(root / "data/features/video")]) == 0
    train(root, root / "exp")
    mertk.evaluate(root / "exp")
    return root


def train(root, exp, *settings, **options):
    train_fold(root, exp, [*SETTINGS, f"model.video_encoder.weights={root / 'clip'}", *settings], **options)


def test_pictures_are_kept_as_bytes(trained):
    store = FeatureStore(trained / "data/features/video")
    assert (store.record.extractor, store.record.dtype, store.record.rate_hz) == ("ColourPictures", "uint8", 10)
    assert store.record.dimension == 3 * SIDE**2 and "clip" not in json.dumps(store.record.as_dict())
    frames = store.read("u11")
    assert frames.dtype == "uint8" and len(frames) == 10 and 100 < frames.mean() < 160
    size = sum(path.stat().st_size for path in (trained / "data/features/video").glob("part-*.bin"))
    assert size < sum(store.num_frames(name) for name in store.ids) * store.record.dimension + 200 * len(store)


def test_checkpoints_and_the_model_have_its_adapters_alone(trained):
    last = max((run_of(trained) / "checkpoints").iterdir())
    for file in (run_of(trained) / "best/model.safetensors", last / "model.safetensors"):
        seen = [name for name in load_file(file) if name.startswith("video_encoder.")]
        assert len(seen) == 8 and all("lora_" in name for name in seen)
    told = json.loads((run_of(trained) / "best/model.json").read_text())["references"]["video_encoder"]
    assert told["weights"] == str(trained / "clip")


def test_a_recording_is_answered_as_it_was_scored(trained):
    predictor = mertk.load(run_of(trained) / "best", device="cpu")
    head, *rows = (line.split("\t") for line in (run_of(trained) / "predictions.tsv").read_text().splitlines())
    for row in rows:
        answer = predictor.predict(trained / f"data/clips/{row[0]}.mp4")
        expected = dict(zip(head[3:], map(float, row[3:]), strict=True))
        # The pictures are the same; sound out of an mp4 is rounded to 16 bits for a corpus.
        assert answer.probabilities == pytest.approx(expected, abs=1e-4)
    learnt = [one for name, one in predictor.models[0].model.state_dict().items() if "lora_B" in name]
    assert len(learnt) == 4 and all(one.abs().sum() > 0 for one in learnt)


def test_arrays_of_pictures_are_bytes(trained):
    predictor = mertk.load(run_of(trained) / "best", device="cpu")
    recording = mertk.Recording(trained / "data/clips/u01.mp4")
    sound = recording.sound(16000, None)
    pictures = FeatureStore(trained / "data/features/video").read("u01")
    answer = predictor.predict({"audio": sound, "video": pictures})
    assert answer.probabilities == pytest.approx(predictor.predict(recording).probabilities, abs=1e-6)
    told = rf"video: got float32 of shape \(.*, expected pictures \(T, {3 * SIDE**2}\), .* uint8"
    with pytest.raises(MertkError, match=told):
        predictor.predict({"audio": sound, "video": pictures / np.float32(255)})
    seen = intakes_of(predictor.models[0])[1]
    assert seen.zeros(None, 2).dtype == np.uint8  # what stands beside them in a batch


def test_it_is_scored_without_pictures_and_with_some_of_them_black(trained, tmp_path):
    shutil.copytree(run_of(trained), tmp_path / "run")
    words = ["--drop", "video", "--missing", "video=0.5", "--missing_units", "frames", "--noise_snr", "0"]
    assert evaluate.main([str(tmp_path / "run"), *words]) == 0
    clean = (tmp_path / "run/predictions.tsv").read_text()
    found = {path.parent for path in (tmp_path / "run/robustness").rglob("predictions.tsv")}
    assert len(found) == 3 and all((path / "predictions.tsv").read_text() != clean for path in found)


def test_a_run_is_scored_upon_weights_that_have_been_moved(trained, tmp_path, capsys):
    assert_scored_upon_moved_weights(trained, trained / "clip", "--clip", tmp_path, capsys)


def test_it_is_taken_up_to_the_last_bit(trained, tmp_path):
    assert_resumes_to_the_last_bit(trained, tmp_path, train)


def test_it_is_handed_on_merged_and_needs_no_weights_besides(trained, tmp_path):
    out = tmp_path / "out"
    assert export.main([str(run_of(trained)), "--to", str(out)]) == 0
    assert "lora_rank" not in load_config([out / "config.yaml"]).model["video_encoder"]
    file = trained / "data/clips/u01.mp4"
    expected = mertk.load(run_of(trained) / "best", device="cpu").predict(file).probabilities
    moved = trained / "clip"
    moved.rename(trained / "gone")
    try:
        assert mertk.load(out, device="cpu").predict(file).probabilities == pytest.approx(expected, abs=1e-6)
    finally:
        (trained / "gone").rename(moved)


def test_pictures_are_not_standardised_and_are_as_large_as_the_encoder_wants(trained, tmp_path):
    with pytest.raises(MertkError, match=r"data\.inputs\.video\.normalize: its features are pictures"):
        train(trained, tmp_path / "exp", "data.inputs.video.normalize=true")
    with pytest.raises(MertkError, match=r"are pictures, and there is no model\.video_encoder that would see them"):
        train(trained, tmp_path / "exp", "model.video_encoder=null")
    larger = write_encoder(tmp_path / "dinov2", "dinov2", image_size=24)
    preprocessor = larger / "preprocessor_config.json"
    preprocessor.write_text(
        preprocessor.read_text().replace(f'"height": {SIDE}', '"height": 24').replace(f'"width": {SIDE}', '"width": 24')
    )
    with pytest.raises(MertkError, match=f"pictures of {3 * SIDE**2} values, but this DINOv2 sees 24 x 24"):
        train(trained, tmp_path / "exp", f"model.video_encoder.weights={larger}")


@pytest.mark.parametrize("words", [["--side", "48"], ["--dtype", "float16"], ["--pool", "mean"], ["--layers", "all"]])
def test_pictures_are_kept_as_they_are(words, tmp_path):
    given = ["--data", str(tmp_path), "--pictures", "clip", "--out", str(tmp_path / "out"), *words]
    with pytest.raises(SystemExit) as ended:
        extract_video.main(given)
    assert ended.value.code == 2
