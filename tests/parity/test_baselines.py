"""Each baseline computes and trains as its published implementation does, by the settings of its recipe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from mertk.models.mag_bert import MultimodalGate
from mertk.nn.pooling import pool_to_steps
from tests.parity.baseline_values import Published, close
from tests.reference_tensors import filled, filled_parameter

#: the subnets that TFN, LMF and LF-DNN share
SUBNETS = {
    r"^(audio|video|text)_subnet\.": r"subnets.\1.",
    r"\.rnn\.": ".lstm.",
    r"^(subnets\.text)\.linear_1\.": r"\1.linear.",
    r"\.running_var$": ".running_variance",
    r"^post_fusion_layer_": "layer_",
}
FUSION = {r"^(audio|video|text)_factor$": r"factors.\1", "^fusion_weights$": "rank_weights", "^fusion_bias$": "bias"}
#: the part of a name that says a modality, of MulT
LETTERS = {"_a": ".audio", "_v": ".video", "_l": ".text"}
TRANSFORMERS = {
    **{rf"^(proj|trans)({letter})(?=[._])": rf"\1{name}" for letter, name in LETTERS.items()},
    **{rf"_with{letter}\.": f"{name}." for letter, name in LETTERS.items()},
    r"^proj\.": "projections.",
    r"^trans\.(\w+)_mem\.": r"memories.\1.",
    r"^trans\.": "cross_attention.",
    r"\.self_attn\.in_proj_": ".projection.",
    r"\.self_attn\.out_proj\.": ".output.",
    r"\.fc1\.": ".expand.",
    r"\.fc2\.": ".contract.",
    r"\.layer_norms\.0\.": ".attention_norm.",
    r"\.layer_norms\.1\.": ".feed_forward_norm.",
    r"\.layer_norm\.": ".norm.",
    r"^proj1\.": "head.reduce.",
    r"^proj2\.": "head.expand.",
    r"^out_layer\.": "head.output.",
}
#: the part of a name that says a modality, of MISA, and what is called otherwise
MODALITIES = {"a": ".audio", "v": ".video", "t": ".text"}
SUBSPACES = {
    **{rf"^(project|private|recon)_({letter})\.\1_\2(_\d)?": rf"\1{name}" for letter, name in MODALITIES.items()},
    **{rf"^{letter}(rnn|layer_norm)": rf"readers{name}.\1" for letter, name in MODALITIES.items()},
    r"^project(\.\w+)_layer_norm": r"norms\1",
    r"^project\.": "projections.",
    r"^recon\.": "reconstructions.",
    r"^shared\.shared_1\.": "shared.",
    r"\.rnn1\.": ".lower.ahead.",
    r"\.rnn2\.": ".upper.ahead.",
    r"\.ahead\.(.*)_reverse$": r".back.\1",
    r"\.layer_norm\.": ".norm.",
    r"^fusion\.fusion_layer_1\.": "hidden.",
    r"^fusion\.fusion_layer_3\.": "output.",
    r"^transformer_encoder\.layers\.0\.": "attention.",
    r"\.self_attn\.in_proj_": ".projection.",
    r"\.self_attn\.out_proj\.": ".attended.",
    r"\.linear1\.": ".expand.",
    r"\.linear2\.": ".contract.",
    r"\.norm1\.": ".attention_norm.",
    r"\.norm2\.": ".feed_forward_norm.",
}
SUBSPACE_TERMS = {
    "task": "mse",
    "difference": "difference",
    "similarity": "similarity_cmd",
    "reconstruction": "reconstruction",
}
GATED_BERT = {
    r"^model\.bert\.MAG\.": "gate.",
    r"^model\.bert\.": "text_encoder.model.",
    r"^model\.classifier\.": "output.",
    **{rf"W_h{letter}\.": f"gates{MODALITIES[letter]}." for letter in "av"},
    **{rf"W_{letter}\.": f"maps{MODALITIES[letter]}." for letter in "av"},
    r"^(gate\.)?LayerNorm\.": r"\1norm.",
}
#: a BERT of the sizes that were measured
TINY_BERT = Path(__file__).resolve().parents[1] / "tiny_bert"
BERT_SETTINGS = [f"model.text_encoder.weights={TINY_BERT}", "model.text_encoder.random_weights=true"]


def in_our_order(name: str, value: torch.Tensor) -> torch.Tensor:
    """Columns of EF-LSTM's features, which stand as text, audio, video there."""
    if not re.search("weight_ih_l0$", name):
        return value
    text, audio, video = value.split([768, 5, 20], dim=1)
    return torch.cat([audio, video, text], dim=1)


METHODS = {
    "lf_dnn": Published("lf_dnn", SUBNETS),
    "ef_lstm": Published("ef_lstm", {r"^out\.": "output.", r"\.running_var$": ".running_variance"}, in_our_order),
    "tfn": Published("tfn", SUBNETS),
    "lmf": Published("lmf", SUBNETS | FUSION),
    "mult": Published("mult", TRANSFORMERS),
    "misa": Published("misa", SUBSPACES, terms=SUBSPACE_TERMS, settings=["model.text_encoder=null"]),
    "mag_bert": Published("mag_bert", GATED_BERT, norms=r"LayerNorm\.weight$", settings=BERT_SETTINGS),
}
#: settings under which a trajectory was measured, beside those of the recipe
MEASURED = {"mult": ["optimizer.accumulation_steps=2"]}
#: those that take no padding for data
BY_LENGTHS = ("misa", "mag_bert")


#: With sequences as long as can be there is no padding, and both forms are the published one; but EF-LSTM normalises
#: by other axes where padding is masked.
FORMS = [
    (name, padding)
    for name in METHODS
    for padding in ("fixed", "masked")
    if name not in BY_LENGTHS and (name, padding) != ("ef_lstm", "masked")
]


@pytest.mark.parametrize(("name", "padding"), FORMS)
def test_outputs_losses_statistics_and_gradients_are_the_published_ones(name, padding):
    method = METHODS[name]
    # LMF's released fusion gets gradients that its optimizer does not have.
    trained = ["model.fusion_weights=trained"] if name == "lmf" else []
    method.check_outputs_losses_and_gradients(method.build(f"model.padding={padding}", *trained))


@pytest.mark.parametrize("frames", ["text", "all"])
def test_misa_computes_what_was_published_of_sequences_as_long_as_the_text(frames):
    method = METHODS["misa"]
    batch = method.batch()
    if frames == "all":
        batch |= {f"{one}_lengths": batch["text_lengths"] for one in ("audio", "video")}
    method.check_outputs_losses_and_gradients(method.build(f"model.frames={frames}"), batch)


@pytest.mark.parametrize("frames", ["real", "padded"])
def test_mag_bert_computes_what_was_published_of_frames_that_are_one_a_token(frames):
    method = METHODS["mag_bert"]
    method.check_outputs_losses_and_gradients(method.build(f"model.frames={frames}"))


@pytest.mark.parametrize("case", METHODS["mag_bert"].values["gate_alone"]["cases"], ids=lambda case: case["beta_shift"])
def test_the_gate_is_the_published_one_at_published_widths(case):
    gate = MultimodalGate(768, {"video": 20, "audio": 5}, case["beta_shift"]).double()
    names = {name: METHODS["mag_bert"].our_name(name) for name in case["parameters"]}
    for name, shape in case["parameters"].items():
        value = filled_parameter(name, shape) + (name == "LayerNorm.weight")
        gate.get_parameter(names[name]).data.copy_(value)
    given = {"embedding1": [4, 6, 768], "vision_gate1": [4, 6, 20], "audio_gate1": [4, 6, 5]}
    given = {name: filled(name, shape).requires_grad_() for name, shape in given.items()}
    output = gate(given["embedding1"], {"video": given["vision_gate1"], "audio": given["audio_gate1"]})
    close(output.flatten(1).norm(dim=1), case["output"]["norm"])
    close(output.flatten(1)[:, :4], case["output"]["first"])
    loss = (output * filled("direction1", list(output.shape))).mean()
    assert loss.item() == pytest.approx(case["loss"], rel=1e-12, abs=1e-9)
    loss.backward()
    found = {name: gate.get_parameter(names[name]).grad.norm().item() for name in names}
    assert found == pytest.approx(case["grad_norm"], rel=1e-9, abs=1e-9)
    found = {name: value.grad.norm().item() for name, value in given.items()}
    assert found == pytest.approx(case["grad_norm_inputs"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_the_optimizer_gets_what_the_published_one_gets(name):
    METHODS[name].check_optimizer_groups()


@pytest.mark.parametrize("name", METHODS)
def test_two_epochs_go_as_published(name, tmp_path):
    METHODS[name].check_trajectory(tmp_path, *MEASURED.get(name, []))


@pytest.mark.parametrize(("modality", "num_frames"), [("audio", 400), ("vision", 55)])
def test_frames_are_pooled_to_the_steps_of_the_text_as_published(modality, num_frames):
    frames = filled(f"align_{modality}", [1, num_frames, 2])
    pooled = pool_to_steps(frames, torch.tensor([num_frames]), torch.tensor([39]), 39)
    close(pooled[0], METHODS["ef_lstm"].values["alignment"][modality])
