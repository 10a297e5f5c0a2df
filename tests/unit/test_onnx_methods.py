"""Every method as ONNX: its answers are those of torch, whatever the batch.

Writing a graph takes seconds, so each method is written once, and small; all of their forms are compared in torch, by
the operators that would be written. With MERTK_TEST_ONNX=1 all forms go through onnxruntime.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from torch import nn

from mertk.models.foal import FoalNet
from mertk.models.hscl import HSCL
from mertk.models.tam_ulag import TamUlag
from mertk.run.onnx import TOLERANCE, export_onnx
from tests.graphs import (
    DIMS,
    FEATURES,
    Plain,
    arrays_of,
    build,
    expected_of,
    run_graph,
    saved_model,
    written_form,
)
from tests.tiny_baselines import BASELINES, NEEDED, PADDED, make_baseline

TASKS = ("classification", "multilabel", "regression")
SETS = (
    *(("audio",), ("video",), ("text",), ("audio", "video"), ("audio", "text"), ("video", "text")),
    ("audio", "video", "text"),
)
WIDTHS = {f"{one}_dim": width for one, width in DIMS.items()}
STEPS = {f"{one}_steps": 9 for one in DIMS}


def foal(task, modalities, **arguments):
    sizes = WIDTHS | {"num_heads": 1, "num_layers": 1, "projection_dim": 8}
    return FoalNet(num_classes=3, task=task, modalities=modalities, **sizes | arguments)


def hscl(task, modalities, **arguments):
    sizes = WIDTHS | STEPS | {"audio_kernel_size": 1, "video_kernel_size": 3, "text_kernel_size": 5}
    sizes |= {"width": 8, "num_heads": 2, "num_layers": 1}
    return HSCL(num_classes=3, task=task, modalities=modalities, **sizes | arguments)


def shallow_hscl(task, modalities, **arguments):
    """With one layer behind the crossing in place of three: what a layer is, one tells, and each takes a second."""
    model = hscl(task, modalities, **arguments)
    for stack in model.exclusive_attention.values():
        stack.layers = stack.layers[:1]
    return model


def tam_ulag(task, modalities, **arguments):
    return TamUlag(num_train_utterances=3, num_classes=3, task=task, modalities=modalities, **WIDTHS | arguments)


def baseline(task, modalities, name, **arguments):
    dims = {one: DIMS[one] for one in modalities}
    arguments |= STEPS if arguments.get("padding") == "fixed" else {}
    return make_baseline(name, dims, num_classes=3, task=task, modalities=list(modalities), **arguments)


class SideBySide(Plain):
    """Several methods, whose outputs are added: to write one graph takes less than to write several."""

    def __init__(self, models):
        super().__init__()
        self.task, self.models = models[0].task, nn.ModuleList(models)

    def forward(self, batch):
        return {"logits": sum(model(batch)["logits"] for model in self.models)}


def all_but_mult(task, modalities):
    """On as few modalities as show what each does; that MulT's transformer can be written, HSCL's shows."""
    alone = [baseline(task, ["audio"], name) for name in ("late_fusion", "lf_dnn", "lmf")]
    return SideBySide([*alone, *(baseline(task, modalities, name) for name in ("tfn", "ef_lstm"))])


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
    *((baseline, {"name": name}) for name in BASELINES),
    *((baseline, {"name": name, "padding": "fixed"}) for name in PADDED),
    (baseline, {"name": "ef_lstm", "num_layers": 3}),
]


def _name(value):
    return "-".join(map(str, value.values())) if isinstance(value, dict) else getattr(value, "__name__", None)


@pytest.mark.parametrize(("maker", "arguments"), FORMS, ids=_name)
def test_every_form_of_a_method_answers_alike_where_it_is_written_down(maker, arguments):
    for modalities in (one for one in SETS if NEEDED.get(arguments.get("name"), set()) <= set(one)):
        for task in TASKS if len(modalities) == 1 else TASKS[:1]:
            model = build(maker, task, list(modalities), **arguments)
            saved = saved_model(model, dict.fromkeys(modalities, FEATURES))
            for seed, lengths in enumerate(([12, 1, 4], [1])):
                arrays = arrays_of(saved, lengths, seed)
                found = written_form(saved, arrays)
                np.testing.assert_allclose(
                    found, expected_of(saved, arrays), rtol=0, atol=2e-6, err_msg=f"{modalities}"
                )


def check_graph(saved, folder):
    """Write it, and hold it against the model on batches of other sizes and lengths."""
    facts = export_onnx(saved, folder)
    assert facts.largest_difference <= TOLERANCE and facts.opset == 20 and facts.files == ["model.onnx"]
    for seed, lengths in enumerate(([1], [3], [1, 1], [2, 17, 1, 5], [24, 30, 3])):
        arrays = arrays_of(saved, lengths, seed)
        answers = run_graph(folder, arrays)
        np.testing.assert_allclose(answers[0], expected_of(saved, arrays), rtol=0, atol=1e-5)
        assert len(answers) == (1 if saved.info["task"] == "regression" else 2)
    return facts


CASES = {
    "foal": (foal, "classification", ["audio", "video"]),
    "hscl": (shallow_hscl, "regression", ["video"]),
    "tam_ulag": (tam_ulag, "multilabel", ["audio", "text"]),
    "baselines": (all_but_mult, "classification", ["audio", "text"]),
}


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_answers_as_torch_does(case, tmp_path):
    maker, task, modalities = CASES[case]
    saved = saved_model(build(maker, task, modalities), dict.fromkeys(modalities, FEATURES))
    facts = check_graph(saved, tmp_path / "out")
    assert facts.inside == {"classification": ["softmax"], "multilabel": ["sigmoid"]}.get(task, [])
    assert facts.outputs[0]["name"] == ("intensity" if task == "regression" else "probabilities")


@pytest.mark.onnx
@pytest.mark.skipif(
    os.environ.get("MERTK_TEST_ONNX") != "1",
    reason="forms of the methods were NOT all written as ONNX: MERTK_TEST_ONNX=1 does it, in some ten minutes",
)
@pytest.mark.parametrize("modalities", [SETS[2], SETS[3], SETS[-1]], ids="-".join)
@pytest.mark.parametrize(("maker", "arguments"), FORMS, ids=_name)
def test_every_form_is_answered_by_onnxruntime(maker, arguments, modalities, tmp_path):
    model = build(maker, "classification", list(modalities), **arguments)
    check_graph(saved_model(model, dict.fromkeys(modalities, FEATURES)), tmp_path / "out")
