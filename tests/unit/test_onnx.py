"""Models written as ONNX: what is told of them is so, and nothing wrong is left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mertk.encoders.pictures import PictureEncoder
from mertk.errors import MertkError
from mertk.handover.card_graph import use_of_graph
from mertk.models.base import Model
from mertk.numerics import compute_in_full_float32, keeping_precision
from mertk.run.onnx import export_onnx
from mertk.training.model_directory import load_model
from tests.graphs import FEATURES, Plain, build, expected_of, run_graph, saved_model
from tests.listening_model import CLASSES, save_listener

ROOT = Path(__file__).resolve().parents[2]
RECORD = {
    "extractor": "librosa_features",
    "weights": "/somebody/weights/mfcc",
    "weights_fingerprint": "abc",
    "layer": "last",
    "rate_hz": 10.0,
    "options": {},
}


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """The model of the audio recipe, which hears sound, and what it was written as."""
    folder = tmp_path_factory.mktemp("onnx")
    saved = load_model(save_listener(folder / "best", max_seconds=1.0))
    return saved, export_onnx(saved, folder / "out"), folder / "out"


def test_a_model_of_sound_is_written_as_a_whole(listener):
    saved, facts, folder = listener
    assert facts.outside == ["audio: decoding, one channel, 16000 Hz"]
    assert facts.inside[0] == "audio: encoder mertk.encoders.log_mel.LogMelEncoder"
    assert facts.inputs[0]["shape"] == ["batch", "audio_samples"] and "first 16000" in facts.inputs[1]["meaning"]
    random = np.random.default_rng(2)
    for lengths in ([1], [20000], [700, 16000, 9001, 1]):
        sound = random.normal(0, 0.1, (len(lengths), max(lengths) + 5)).astype(np.float32)
        sound[:, 4000:6000] *= 0.001  # of which silence is cut off
        answers = run_graph(folder, {"audio": sound, "audio_lengths": np.array(lengths)})[0]
        for row, length in enumerate(lengths):
            own = torch.from_numpy(sound[row : row + 1, : min(length, 16000)])
            with torch.inference_mode():
                logits = saved.model({"audio": own, "audio_lengths": torch.tensor([own.shape[1]])})["logits"]
            np.testing.assert_allclose(answers[row], logits.softmax(dim=1)[0].numpy(), rtol=0, atol=1e-5)


def test_what_document_and_card_show_runs_without_torch(listener, tmp_path):
    _, facts, folder = listener
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/onnx.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "single").symlink_to(folder)
    for name in ("fold_1", "fold_2"):
        (tmp_path / "several" / name).mkdir(parents=True)
        (tmp_path / "several" / name / "model.onnx").symlink_to(folder / "model.onnx")
    shown = [use_of_graph("single", [facts])["python"], use_of_graph("several", [facts, facts])["python"]]
    blocked = "import sys\nsys.modules['torch'] = sys.modules['mertk'] = None\n"
    (tmp_path / "example.py").write_text("\n".join([blocked + code, *shown]))
    words = [sys.executable, str(tmp_path / "example.py"), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *lines, single, several = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.split()[0] in CLASSES for line in lines)
    assert single.startswith("[[0.") and single == several


def test_a_card_on_the_hub_fetches_the_graph_that_it_is_of(listener):
    shown = use_of_graph("owner/name@draft", [listener[1]])
    assert 'folder = huggingface_hub.snapshot_download("owner/name", revision="draft")\n' in shown["python"]
    assert shown["shell"] == "pip install onnxruntime huggingface_hub"


class PassOn(torch.nn.Module):
    """An encoder that gives the frames that it is given."""

    output_dim = 6

    def forward(self, frames, lengths):
        return frames, lengths


class Looking(torch.nn.Module):
    """An encoder that looks at values."""

    output_dim = 5

    def forward(self, frames, lengths):
        return (frames if float(frames.sum()) > 0 else -frames), lengths


def test_an_encoder_can_be_left_outside(tmp_path):
    encoder = PictureEncoder(side=8, channels=[8], dimension=6)
    model = Plain(video=encoder)
    saved = saved_model(model, {"video": FEATURES}, facts={"video_dim": 64})
    facts = export_onnx(saved, tmp_path / "out", encoders=False)
    assert model.video_encoder is encoder
    assert facts.inputs[0]["shape"] == ["batch", "video_frames", 6]
    assert facts.outside == [
        "video: encoder mertk.encoders.pictures.PictureEncoder of the model; left out as asked for"
    ]


def test_encoders_that_were_frozen_or_cannot_be_written_are_left_outside_with_the_reason(tmp_path):
    model = Plain(audio=PassOn(), video=Looking())
    saved = saved_model(model, {"audio": FEATURES, "video": FEATURES})
    facts = export_onnx(saved, tmp_path / "out", apart=["audio"])
    audio, video = facts.outside
    assert facts.inputs[2]["shape"][2] == 5 and "cannot be written as ONNX (" in video
    assert audio.endswith("PassOn of the model; frozen, with the weights that it is named by")
    with pytest.raises(MertkError, match=r"Plain cannot be written as ONNX \("):
        export_onnx(saved, tmp_path / "other", encoders=True)
    assert not (tmp_path / "other").exists()


def test_features_are_cut_and_standardised_inside(tmp_path):
    random = np.random.default_rng(0)
    statistics = {"mean": random.normal(0, 3, 6).tolist(), "std": [2.0, 0.5, 0.0, 1.0, 3.0, 1.0]}
    inputs = {"audio": {"kind": "features", "max_seconds": 0.8, "normalize": True}}
    info = {"feature_records": {"audio": RECORD | {"dimension": 6}}, "normalization": {"audio": statistics}}
    saved = saved_model(build(Plain, audio=PassOn()), inputs, **info)
    with keeping_precision():
        compute_in_full_float32()  # which torch's exporter would fall over
        facts = export_onnx(saved, tmp_path / "out")
    told = json.loads((tmp_path / "out/onnx.json").read_text())
    assert told["inputs"] == facts.inputs and told["outside"] == ["audio: features by librosa_features, mfcc"]
    assert "/somebody" not in (tmp_path / "out/onnx.json").read_text()
    assert str(ROOT).encode() not in (tmp_path / "out/model.onnx").read_bytes()
    assert facts.inputs[0]["shape"] == ["batch", "audio_frames", 6] and "not standardised" in facts.inputs[0]["meaning"]
    assert facts.inputs[0]["features"]["weights_fingerprint"] == "abc"
    assert "the first 8 are seen" in facts.inputs[1]["meaning"]
    assert facts.inside[1:] == [
        "audio: what is longer is cut off",
        "audio: standardised by mean and standard deviation of the training part",
        "softmax",
    ]
    arrays = {"audio": random.normal(0, 3, (2, 11, 6)).astype(np.float32), "audio_lengths": np.array([11, 1])}
    np.testing.assert_allclose(run_graph(tmp_path / "out", arrays)[0], expected_of(saved, arrays), rtol=0, atol=1e-5)


class Counting(Plain):
    """Asks for the number of utterances in a way that makes it that of the batch in hand."""

    def forward(self, batch):
        return {"logits": super().forward(batch)["logits"] * torch.ones(len(batch["audio"]), 1)}


def test_a_model_for_one_size_of_batch_is_refused_with_the_cause(tmp_path):
    saved = saved_model(Counting(audio=PassOn()), {"audio": FEATURES})
    with pytest.raises(MertkError, match=r"Counting cannot be written as ONNX \(a number of utterances.*len\(\)"):
        export_onnx(saved, tmp_path / "out", encoders=False)


class Otherwise(Model):
    """Answers a thousandth less where it is written down."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(5, 3))

    def forward(self, batch):
        scale = 1.0 if torch.compiler.is_compiling() else 1.001
        return {"logits": scale * (batch["video"].sum(dim=1) @ self.weight)}

    def losses(self, output, batch):
        return {}


def test_a_graph_that_answers_otherwise_is_not_left_behind(tmp_path):
    saved = saved_model(Otherwise(), {"video": FEATURES})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/README.md").write_text("mine")
    with pytest.raises(MertkError, match=r"model.onnx would give answers that differ by .* more than 1e-05; it is not"):
        export_onnx(saved, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["README.md"]
    facts = export_onnx(saved, tmp_path / "out", tolerance=0.01, largest_file_bytes=10)
    assert 1e-5 < facts.largest_difference < 0.01 and facts.files == ["model.onnx", "model.onnx.data"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "model.onnx", "model.onnx.data", "onnx.json"}


def test_absent_packages_are_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MertkError, match=r"pip install .*\[onnx\]"):
        export_onnx(saved_model(Otherwise(), {"video": FEATURES}), tmp_path / "out")
