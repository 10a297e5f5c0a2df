"""A model whose encoder is trained by adapters: saved, loaded, asked, taken up again and handed on."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from safetensors.torch import load_file

import mertk
from mertk.bin import export
from mertk.checkup.needs import has_adapters
from mertk.checkup.software import check_adapters
from mertk.config import load_config
from mertk.errors import MertkError
from tests.encoder_run import assert_resumes_to_the_last_bit, assert_scored_upon_moved_weights, run_of, train_fold
from tests.raw_corpus import write_wavlm
from tests.small_run import write_data, write_recordings

SETTINGS = (
    "model={component: mertk.models.late_fusion.LateFusion, task: classification, modalities: [audio]}",
    "model.audio_encoder={component: mertk.encoders.audio.PretrainedAudioEncoder, lora_rank: 2}",
    *("loss_weights.task=1", "training.epochs=2", "training.trackers=[]", "sampler.batch_size=8"),
    *("optimizer.learning_rate=0.05", "optimizer.layer_decay=0.9", "data.num_workers=0"),
    *("data.inputs.audio.kind=waveform", "data.inputs.audio.max_seconds=0.1"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment, its data, and the weights that its encoder stands on."""
    root = tmp_path_factory.mktemp("adapted")
    write_data(root / "data")
    write_recordings(root / "data", sample_rate_hz=16000)
    write_wavlm(root / "wavlm")
    train(root, root / "exp")
    mertk.evaluate(root / "exp")
    return root


def train(root, exp, *settings, **options):
    train_fold(root, exp, [*SETTINGS, f"model.audio_encoder.weights={root / 'wavlm'}", *settings], **options)


def test_adapters_and_the_method_alone_are_saved(trained):
    whole = sum(one.numel() for one in load_file(trained / "wavlm/model.safetensors").values())
    (last, _) = sorted((run_of(trained) / "checkpoints").iterdir(), reverse=True)
    for file in (run_of(trained) / "best/model.safetensors", last / "model.safetensors"):
        saved = load_file(file)
        assert sum(one.numel() for one in saved.values()) < whole / 10
        assert {"lora_A", "lora_B"} == {name.split(".")[-3] for name in saved if "q_proj" in name}
        assert not any("base_layer" in name or "conv" in name for name in saved)
    info = json.loads((run_of(trained) / "best/model.json").read_text())
    assert info["references"]["audio_encoder"]["weights"] == str(trained / "wavlm")
    told = (run_of(trained) / "train.log").read_text()
    parameters = sum(one.numel() for one in mertk.load(run_of(trained) / "best").models[0].model.parameters())
    assert f"{parameters:,} parameters, " in told and "of them trained" in told


def test_it_is_loaded_upon_the_weights_and_answers_as_it_was_scored(trained):
    predictor = mertk.load(run_of(trained) / "best", device="cpu")
    head, *rows = (line.split("\t") for line in (run_of(trained) / "predictions.tsv").read_text().splitlines())
    for row in rows:
        answer = predictor.predict(trained / f"data/recordings/{row[0]}.wav")
        expected = dict(zip(head[3:], map(float, row[3:]), strict=True))
        assert answer.probabilities == pytest.approx(expected, abs=1e-5)
    encoder = predictor.models[0].model.audio_encoder
    learnt = [one for name, one in encoder.state_dict().items() if "lora_B" in name]
    assert encoder.has_adapters and all(one.abs().sum() > 0 for one in learnt) and len(learnt) == 6


def test_other_weights_and_none_are_refused(trained, tmp_path):
    other = write_wavlm(tmp_path / "other", seed=1)
    with pytest.raises(MertkError, match="this is not the audio_encoder that the model was trained with"):
        mertk.load(run_of(trained) / "best", speech=other)
    model = tmp_path / "best"
    shutil.copytree(run_of(trained) / "best", model)
    info = json.loads((model / "model.json").read_text())
    info["references"]["audio_encoder"]["weights"] = str(tmp_path / "gone")
    (model / "model.json").write_text(json.dumps(info))
    with pytest.raises(
        MertkError, match="the weights that it was trained upon are not in this model: .*gone not found.* speech="
    ):
        mertk.load(model)
    assert mertk.load(model, speech=trained / "wavlm").models[0].model.audio_encoder.has_adapters


def test_a_run_is_scored_upon_weights_that_have_been_moved(trained, tmp_path, capsys):
    assert_scored_upon_moved_weights(trained, trained / "wavlm", "--speech", tmp_path, capsys)


def test_it_is_taken_up_to_the_last_bit_but_not_upon_other_weights(trained, tmp_path):
    assert_resumes_to_the_last_bit(trained, tmp_path, train)
    others = f"model.audio_encoder.weights={write_wavlm(tmp_path / 'other', seed=2)}"
    with pytest.raises(MertkError, match="pretrained weights of an encoder, which it leaves out, are others now"):
        train(trained, tmp_path / "exp", others, resume=True, force=True)


def test_it_is_handed_on_merged_and_needs_neither_peft_nor_the_weights(trained, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert export.main([str(run_of(trained)), "--to", str(out)]) == 0
    info = json.loads((out / "model.json").read_text())
    config = load_config([out / "config.yaml"])
    assert "references" not in info and "lora_rank" not in config.model["audio_encoder"]
    file = trained / "data/recordings/u001.wav"
    expected = mertk.load(run_of(trained) / "best", device="cpu").predict(file).probabilities
    monkeypatch.setitem(sys.modules, "peft", None)
    again = mertk.load(out, device="cpu")
    assert again.predict(file).probabilities == pytest.approx(expected, abs=1e-6)
    assert not any("lora" in name for name in again.models[0].model.state_dict())


def test_the_doctor_looks_for_peft(trained, monkeypatch):
    description = load_config([run_of(trained) / "config.yaml"]).model
    assert has_adapters(description) and not has_adapters(description | {"audio_encoder": None})
    found = check_adapters()
    assert found.status == "ok" and found.told.startswith("peft ")
    monkeypatch.setitem(sys.modules, "peft", None)
    assert check_adapters().status == "FAIL"
