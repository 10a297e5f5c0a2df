"""Models written as ONNX: their answers are those of torch, whatever the batch, and what is told of them is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mertk.config import load_config
from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.pictures import PictureEncoder
from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError
from mertk.models.base import Model
from mertk.models.foal import FoalNet
from mertk.models.hscl import HSCL
from mertk.models.tam_ulag import TamUlag
from mertk.nn.exported_graph import Graph, GraphInput, encoders_of
from mertk.nn.exporting import exporting
from mertk.numerics import compute_in_full_float32, keeping_precision
from mertk.run.intakes import intakes_of
from mertk.run.onnx import TOLERANCE, export_onnx
from mertk.tasks import find_task
from mertk.training.model_directory import SavedModel, load_model
from tests.listening_model import CLASSES, save_listener

ROOT = Path(__file__).resolve().parents[2]
DIMS = {"audio": 6, "video": 5, "text": 4}
TASKS = ("classification", "multilabel", "regression")
SETS = (
    *(("audio",), ("video",), ("text",), ("audio", "video"), ("audio", "text"), ("video", "text")),
    ("audio", "video", "text"),
)
RECORD = {
    "extractor": "librosa_features",
    "weights": "/somebody/weights/mfcc",
    "weights_fingerprint": "abc",
    "layer": "last",
    "rate_hz": 10.0,
    "options": {},
}
FEATURES = {"kind": "features"}


def foal(task, modalities, **arguments):
    sizes = {f"{one}_dim": dim for one, dim in DIMS.items()} | {"num_heads": 1, "num_layers": 1, "projection_dim": 8}
    return FoalNet(num_classes=3, task=task, modalities=modalities, **sizes | arguments)


def hscl(task, modalities, **arguments):
    sizes = {f"{one}_dim": dim for one, dim in DIMS.items()} | {f"{one}_steps": 9 for one in DIMS}
    sizes |= {"audio_kernel_size": 1, "video_kernel_size": 3, "text_kernel_size": 5}
    sizes |= {"width": 8, "num_heads": 2, "num_layers": 1}
    return HSCL(num_classes=3, task=task, modalities=modalities, **sizes | arguments)


def shallow_hscl(task, modalities, **arguments):
    """With one layer behind the crossing in place of three: what a layer is, one tells, and each takes a second."""
    model = hscl(task, modalities, **arguments)
    for stack in model.exclusive_attention.values():
        stack.layers = stack.layers[:1]
    return model


def tam_ulag(task, modalities, **arguments):
    dims = {f"{one}_dim": dim for one, dim in DIMS.items()}
    return TamUlag(num_train_utterances=3, num_classes=3, task=task, modalities=modalities, **dims | arguments)


#: forms of a model that compute their answers in other ways
FORMS = [
    (foal, {}),
    (foal, {"alignment": False, "matching": False, "num_layers": 2}),
    (foal, {"matching_head": "interaction"}),
    (hscl, {}),
    (hscl, {"padding": "fixed"}),
    (tam_ulag, {}),
    (tam_ulag, {"temporal_attention": "last", "products": False}),
    (tam_ulag, {"temporal_attention": "none", "products": False, "experts": False}),  # Self-MM
]


def saved_model(model, inputs, tmp_path, **info):
    """As it is loaded from a model directory."""
    path = tmp_path / "config.yaml"
    component = {"component": f"{type(model).__module__}.{type(model).__qualname__}"}
    path.write_text(json.dumps({"model": component, "data": {"inputs": inputs}, "loss_weights": {"ce": 1}}))
    classes = None if model.task == "regression" else CLASSES
    facts = {f"{one}_dim": DIMS[one] for one, given in inputs.items() if given["kind"] == "features"}
    known = {"task": model.task, "classes": classes, "facts": facts, "feature_records": {}, "miniature": True}
    return SavedModel(model.eval(), load_config([path]), known | info)


def build(maker, task, modalities, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return maker(task, list(modalities), **arguments)


def graph_of(saved):
    encoders = encoders_of(saved.model, list(saved.config.data.inputs))
    inputs = [GraphInput(one, encoders.get(one.modality), is_encoded=False) for one in intakes_of(saved)]
    return Graph(saved.model, find_task(saved.info["task"]), inputs)


def expected_of(saved, arrays):
    """What the model itself says of each utterance alone."""
    answers = []
    task, intakes = find_task(saved.info["task"]), intakes_of(saved)
    for row in range(len(arrays[f"{intakes[0].modality}_lengths"])):
        batch = {}
        for intake in intakes:
            own = arrays[intake.modality][row, : arrays[f"{intake.modality}_lengths"][row]]
            own = intake.standardized(intake.cut(own))
            batch[intake.modality] = torch.from_numpy(own)[None]
            batch[f"{intake.modality}_lengths"] = torch.tensor([len(own)])
        with torch.inference_mode():
            answers.append(task.answer(saved.model(batch)["logits"])[0].numpy())
    return np.stack(answers)


def run(folder, arrays):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, arrays)


@pytest.mark.parametrize("modalities", SETS, ids="-".join)
@pytest.mark.parametrize(("maker", "arguments"), FORMS, ids=lambda value: getattr(value, "__name__", str(value)[:40]))
def test_every_form_of_a_method_answers_alike_where_it_is_written_down(maker, arguments, modalities, tmp_path):
    for task in TASKS if len(modalities) == 1 else TASKS[:1]:
        saved = saved_model(build(maker, task, modalities, **arguments), dict.fromkeys(modalities, FEATURES), tmp_path)
        graph = graph_of(saved)
        for seed, lengths in enumerate(([12, 1, 4], [1])):
            arrays = graph.pad(graph.invent(lengths, seed))
            with exporting(), torch.inference_mode():
                found = graph(*(torch.from_numpy(arrays[name]) for name in graph.input_names))[0].numpy()
            np.testing.assert_allclose(found, expected_of(saved, arrays), rtol=0, atol=2e-6)


CASES = {
    "foal": (foal, "classification", ("audio", "video"), {}),
    "foal-text": (foal, "multilabel", ("text",), {}),
    "hscl": (shallow_hscl, "regression", ("video",), {}),
    "tam_ulag": (tam_ulag, "regression", ("audio", "text"), {}),
    "self_mm": (tam_ulag, "classification", ("audio",), FORMS[-1][1]),
}


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_answers_as_torch_does(case, tmp_path):
    maker, task, modalities, arguments = CASES[case]
    saved = saved_model(build(maker, task, modalities, **arguments), dict.fromkeys(modalities, FEATURES), tmp_path)
    facts = export_onnx(saved, tmp_path / "out")
    assert facts.largest_difference <= TOLERANCE and facts.opset == 20 and facts.files == ["model.onnx"]
    assert facts.inside == {"classification": ["softmax"], "multilabel": ["sigmoid"]}.get(task, [])
    graph = graph_of(saved)
    for seed, lengths in enumerate(([1], [3], [1, 1], [2, 17, 1, 5], [24, 30, 3])):
        arrays = graph.pad(graph.invent(lengths, seed))
        for name in modalities:  # nothing behind an utterance matters
            for row, length in zip(arrays[name], arrays[f"{name}_lengths"], strict=True):
                row[length:] = np.nan
        answers = run(tmp_path / "out", arrays)
        np.testing.assert_allclose(answers[0], expected_of(saved, arrays), rtol=0, atol=1e-5)
        assert len(answers) == (1 if task == "regression" else 2)


def test_features_are_cut_and_standardised_inside(tmp_path):
    random = np.random.default_rng(0)
    statistics = {"mean": random.normal(0, 3, 6).tolist(), "std": [2.0, 0.5, 0.0, 1.0, 3.0, 1.0]}
    inputs = {"audio": {"kind": "features", "max_seconds": 0.8, "normalize": True}}
    info = {"feature_records": {"audio": RECORD | {"dimension": 6}}, "normalization": {"audio": statistics}}
    saved = saved_model(build(foal, "regression", ["audio"]), inputs, tmp_path, **info)
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
    assert len(facts.inside) == 2 and facts.outputs[0]["name"] == "intensity"
    arrays = {"audio": random.normal(0, 3, (2, 11, 6)).astype(np.float32), "audio_lengths": np.array([11, 1])}
    np.testing.assert_allclose(run(tmp_path / "out", arrays)[0], expected_of(saved, arrays), rtol=0, atol=1e-5)


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
        answers = run(folder, {"audio": sound, "audio_lengths": np.array(lengths)})[0]
        for row, length in enumerate(lengths):
            own = torch.from_numpy(sound[row : row + 1, : min(length, 16000)])
            with torch.inference_mode():
                logits = saved.model({"audio": own, "audio_lengths": torch.tensor([own.shape[1]])})["logits"]
            np.testing.assert_allclose(answers[row], logits.softmax(dim=1)[0].numpy(), rtol=0, atol=1e-5)


def test_the_example_of_the_document_runs_without_torch(listener, tmp_path):
    folder = listener[2]
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/onnx.md").read_text(encoding="utf-8"), re.DOTALL)
    blocked = "import sys\nsys.modules['torch'] = sys.modules['mertk'] = None\n"
    (tmp_path / "example.py").write_text(blocked + code)
    words = [sys.executable, str(tmp_path / "example.py"), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.split()[0] in CLASSES for line in lines)


def test_an_encoder_can_be_left_outside(tmp_path):
    encoder = PictureEncoder(side=8, channels=[8], dimension=6)
    model = FoalNet(num_classes=3, modalities=["video"], video_encoder=encoder)
    saved = saved_model(model, {"video": FEATURES}, tmp_path, facts={"video_dim": 64})
    facts = export_onnx(saved, tmp_path / "out", encoders=False)
    assert model.video_encoder is encoder
    assert facts.inputs[0]["shape"] == ["batch", "video_frames", 6]
    assert facts.outside == [
        "video: encoder mertk.encoders.pictures.PictureEncoder of the model; left out as asked for"
    ]
    graph = graph_of(saved)
    arrays = graph.pad(graph.invent([3, 1, 9], seed=0))
    with exporting(), torch.inference_mode():
        found = graph(*(torch.from_numpy(arrays[name]) for name in graph.input_names))[0].numpy()
    np.testing.assert_allclose(found, expected_of(saved, arrays), rtol=0, atol=2e-6)


class Looking(torch.nn.Module):
    """An encoder that looks at values."""

    output_dim = 5

    def forward(self, frames, lengths):
        return (frames if float(frames.sum()) > 0 else -frames), lengths


def test_an_encoder_that_cannot_be_written_is_left_outside_with_the_reason(tmp_path):
    model = FoalNet(num_classes=3, modalities=["video"], video_encoder=Looking())
    saved = saved_model(model, {"video": FEATURES}, tmp_path)
    facts = export_onnx(saved, tmp_path / "out")
    assert facts.inputs[0]["shape"][2] == 5 and "cannot be written as ONNX (" in facts.outside[0]
    with pytest.raises(MertkError, match=r"FoalNet cannot be written as ONNX \("):
        export_onnx(saved, tmp_path / "other", encoders=True)
    assert not (tmp_path / "other").exists()


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
    saved = saved_model(Otherwise(), {"video": FEATURES}, tmp_path)
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
    with pytest.raises(MertkError, match=r"pip install 'mertk\[onnx\]'"):
        export_onnx(saved_model(Otherwise(), {"video": FEATURES}, tmp_path), tmp_path / "out")


SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}


def test_a_model_with_bert_is_written_as_a_whole(tmp_path):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=30, max_position_embeddings=12, **SIZE)).save_pretrained(tmp_path / "bert")
    encoder = PretrainedTextEncoder(str(tmp_path / "bert"))
    model = TamUlag(num_train_utterances=3, modalities=["text"], text_encoder=encoder)
    saved = saved_model(model, {"text": {"kind": "tokens"}}, tmp_path)
    facts = export_onnx(saved, tmp_path / "out", encoders=True)
    assert facts.inputs[0]["dtype"] == "int64" and "at most 12" in facts.inputs[1]["meaning"]
    graph = graph_of(saved)
    arrays = graph.pad(graph.invent([9, 1, 4], seed=3))
    np.testing.assert_allclose(run(tmp_path / "out", arrays)[0], expected_of(saved, arrays), rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_model_with_wavlm_is_written_as_a_whole(norm, tmp_path):
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    shape = {"conv_dim": (8, 8), "conv_kernel": (10, 4), "conv_stride": (40, 4), "num_conv_pos_embeddings": 4}
    shape |= {"num_conv_pos_embedding_groups": 2, "feat_extract_norm": norm, "do_stable_layer_norm": norm == "layer"}
    torch.manual_seed(0)
    WavLMModel(WavLMConfig(**SIZE, **shape)).save_pretrained(tmp_path / "wavlm")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "wavlm")
    encoder = PretrainedAudioEncoder(str(tmp_path / "wavlm"))
    model = FoalNet(num_classes=3, modalities=["audio"], audio_encoder=encoder)
    saved = saved_model(model, {"audio": {"kind": "waveform"}}, tmp_path)
    if norm == "layer":  # in its other form; the graph is made of one of them, to save time
        graph = graph_of(saved)
        arrays = graph.pad(graph.invent([2, 1, 5], seed=1))
        with exporting(), torch.inference_mode():
            found = graph(*(torch.from_numpy(arrays[name]) for name in graph.input_names))[0].numpy()
    else:
        export_onnx(saved, tmp_path / "out", encoders=True)
        graph = graph_of(saved)
        arrays = graph.pad(graph.invent([7, 1, 3], seed=3))
        found = run(tmp_path / "out", arrays)[0]
    np.testing.assert_allclose(found, expected_of(saved, arrays), rtol=0, atol=1e-5)
