"""TAM-ULAG's switches, what it refuses, and what it computes when; temporal attention and its padding."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from mertk.components import build
from mertk.errors import MertkError
from mertk.models.tam_ulag import TamUlag
from mertk.models.tam_ulag_attention import TemporalAttention

SMALL = {"num_train_utterances": 10, "audio_dim": 5, "video_dim": 6, "text_dim": 7}
DIMS = {"audio": 5, "video": 6, "text": 7}
NO_DROPOUT = {f"post_{head}_dropout": 0.0 for head in ("fusion", "audio", "video", "text")}
SELF_MM = {"temporal_attention": "none", "products": False, "experts": False}
RELEASED = {"temporal_attention": "last", "products": False, "confidence": "fixed"}


def batch_of(count=6, dtype=torch.float32, **changes):
    random = torch.Generator().manual_seed(1)
    batch = {
        "indices": torch.arange(count) % 10,
        "labels": torch.tensor([1.0, -2.0, 0.0, 0.4, -0.2, 2.6] * count)[:count].to(dtype),
        "epoch": 0,
    }
    for place, (modality, width) in enumerate(DIMS.items()):
        lengths = (torch.arange(count) * (place + 2)) % 7 + 1
        sequences = torch.randn(count, int(lengths.max()), width, generator=random).to(dtype)
        batch |= {modality: sequences, f"{modality}_lengths": lengths}
    return batch | changes


def train_step(model, batch):
    output = model(batch)
    losses = model.losses(output, batch)
    sum(losses.values()).backward()
    model.after_step(output, batch)
    return losses


SUBSETS = [list(chosen) for size in (1, 2, 3) for chosen in itertools.combinations(DIMS, size)]
SWITCHES = [
    *({"modalities": modalities} for modalities in SUBSETS),
    {"modalities": ["audio", "text"], "products": False},
    {"temporal_attention": "last"},
    {"temporal_attention": "none"},
    {"experts": False},
    {"generated_labels": False},
    {"confidence": "fixed"},
    RELEASED,
    SELF_MM,
]


@pytest.mark.parametrize("arguments", SWITCHES, ids=str)
def test_each_switch_has_its_terms_and_leaves_no_parameter_without_gradient(arguments):
    model = TamUlag(**SMALL | arguments)
    batch = batch_of()
    for epoch in range(2):
        model.zero_grad()
        losses = train_step(model, batch | {"epoch": epoch})
        assert list(losses) == ["fusion", *arguments.get("modalities", DIMS)] == model.loss_names
        assert all(loss.isfinite() for loss in losses.values())
        missing = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
        assert missing == []
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert all(name.startswith("experts.confidences.") for name in frozen)
    assert bool(frozen) == (arguments.get("confidence") == "fixed")


def test_confidence_layers_learn_only_when_trained():
    for confidence in ("trained", "fixed"):
        torch.manual_seed(0)
        model = TamUlag(**SMALL, confidence=confidence)
        for epoch in range(2):
            model.zero_grad()
            train_step(model, batch_of(epoch=epoch))
        # The labels have moved, so that the experts' half of them counts.
        model.zero_grad()
        train_step(model, batch_of(epoch=2))
        assert any(layer.weight.grad.abs().max() > 0 for layer in model.experts.experts.values())
        layers = [value for name, value in model.named_parameters() if name.startswith("experts.confidences.")]
        assert len(layers) == 4 * len(DIMS)
        assert {name for name in model.state_dict() if "confidences" in name} >= {"experts.confidences.text.0.weight"}
        has_gradient = [value.grad is not None and bool(value.grad.abs().max() > 0) for value in layers]
        assert all(has_gradient) if confidence == "trained" else not any(has_gradient)


def test_switches_leave_out_what_they_do_not_need():
    names = {name.split(".")[0] for name, _ in TamUlag(**SMALL).named_children()}
    assert names == {"criterion", "audio_branch", "video_branch", "text_branch", "heads", "banks", "experts"}
    plain = TamUlag(**SMALL | {"num_train_utterances": None}, generated_labels=False)
    assert (plain.banks, plain.experts) == (None, None)
    assert TamUlag(**SMALL, experts=False).experts is None
    self_mm = TamUlag(**SMALL, **SELF_MM)
    assert not any("alpha" in name or "beta" in name for name, _ in self_mm.named_parameters())
    assert self_mm.heads["fusion"].layer_1.in_features == 16 + 32 + 7
    assert TamUlag(**SMALL).heads["fusion"].layer_1.in_features == 3 * (16 + 32 + 7)
    text = TamUlag(num_train_utterances=10, text_dim=7, modalities=["text"])
    assert set(text.heads) == {"fusion", "text"}
    assert text.banks.names == ["fusion", "text"]


def test_products_are_each_vector_times_the_sum_of_each_other():
    model = TamUlag(**SMALL)
    vectors = {"audio": torch.tensor([[1.0, 2.0]]), "video": torch.tensor([[3.0]]), "text": torch.tensor([[5.0, -4.0]])}
    fused = model._fuse(vectors)[0].tolist()
    assert fused == [1, 2, 3, 5, -4, 3, 6, 9, 1, 2, 15, -12, 3, 15, -12]
    model.products = False
    assert model._fuse(vectors)[0].tolist() == [1, 2, 3, 5, -4]


def test_losses_of_self_mm_and_of_true_labels_are_plain_equations():
    batch = batch_of()
    model = TamUlag(**SMALL, **SELF_MM)
    for epoch in range(2):
        train_step(model, batch | {"epoch": epoch})
    output = model(batch)
    losses = model.losses(output, batch)
    labels, generated = batch["labels"], model.banks.lookup(batch["indices"], batch["labels"])["audio"]
    assert not torch.equal(labels, generated)
    weights = torch.tanh((generated - labels).abs())
    torch.testing.assert_close(losses["audio"], (weights * (output["values/audio"] - generated).abs()).mean())
    torch.testing.assert_close(losses["fusion"], (output["logits"].squeeze(1) - labels).abs().mean())

    model = TamUlag(**SMALL, generated_labels=False)
    output = model(batch)
    for head, value in model.losses(output, batch).items():
        torch.testing.assert_close(value, (output[f"values/{head}"] - labels).abs().mean())


def test_evaluation_needs_no_labels_and_leaves_the_banks_alone():
    model = TamUlag(**SMALL)
    train_step(model, batch_of())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    batch = batch_of(8)
    del batch["indices"], batch["epoch"]
    output = model(batch)
    assert output.keys() == {"logits"}
    assert output["logits"].shape == (8, 1)
    (error,) = model.losses(output, batch).values()
    torch.testing.assert_close(error, (output["logits"].squeeze(1) - batch["labels"]).abs().mean())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    del batch["labels"]
    one = {name: value[:1] for name, value in batch.items()}
    torch.testing.assert_close(model(one)["logits"], model(batch)["logits"][:1])


@pytest.mark.parametrize("form", ["all", "last", "none"])
def test_a_padded_batch_gives_what_single_utterances_give(form):
    model = TamUlag(**SMALL, temporal_attention=form, **NO_DROPOUT).double()
    batch = batch_of(dtype=torch.float64)
    padded = dict(batch)
    for modality in DIMS:
        padded[modality] = nn.functional.pad(batch[modality], (0, 0, 0, 3))
        for row, length in enumerate(batch[f"{modality}_lengths"]):
            padded[modality][row, length:] = torch.nan
    together = model(padded)
    for row in range(6):
        single = {f"{modality}_lengths": batch[f"{modality}_lengths"][row : row + 1] for modality in DIMS}
        for modality in DIMS:
            single[modality] = batch[modality][row : row + 1, : single[f"{modality}_lengths"]]
        for name, value in model(single).items():
            torch.testing.assert_close(together[name][row : row + 1], value, rtol=0, atol=1e-12)
    sum(model.losses(together, padded).values()).backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())


def test_attention_reads_the_steps_its_form_names():
    states = torch.randn(1, 4, 3)
    lengths = torch.tensor([3])

    def read(form, position="last"):
        """Steps that the vector depends on."""
        needed = states.clone().requires_grad_()
        TemporalAttention(3, form, position)(needed, lengths).sum().backward()
        return [bool(step.abs().max() > 0) for step in needed.grad[0]]

    assert read("all") == [True, True, True, False]
    assert read("last") == read("none") == [False, False, True, False]
    assert read("last", "first") == read("none", "first") == [True, False, False, False]


def test_attention_over_all_steps_is_a_mean_with_weights_of_the_gates():
    attention = TemporalAttention(3).double()
    states = torch.randn(2, 5, 3, dtype=torch.float64) * 4
    alpha, beta = attention.alpha(states), attention.beta(states)
    weights = torch.exp(torch.tanh(alpha) * (beta - torch.tanh(beta)))
    expected = (weights * states).sum(dim=1) / weights.sum(dim=1)
    torch.testing.assert_close(attention(states, torch.tensor([5, 5])), expected)


def test_tokens_pass_the_text_encoder():
    class Embedding(nn.Module):
        output_dim = 3

        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(50, 3)

        def forward(self, tokens, lengths):
            return self.table(tokens[..., 0]), lengths

    model = TamUlag(num_train_utterances=10, text_encoder=Embedding(), text_dim=99, modalities=["text"])
    tokens = torch.randint(0, 50, (4, 6, 2))
    batch = batch_of(4, text=tokens, text_lengths=torch.tensor([6, 2, 3, 1]))
    assert model(batch)["logits"].shape == (4, 1)
    assert TamUlag(**SMALL, text_encoder=Embedding(), modalities=["audio"]).text_encoder is None


def test_mixed_precision_gives_losses_in_float32_and_fills_the_banks():
    model = TamUlag(**SMALL)
    for epoch in range(3):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = train_step(model, batch_of(epoch=epoch))
        assert {value.dtype for value in losses.values()} == {torch.float32}
    assert model.banks.features.dtype == torch.float32
    assert model.banks.features[:6].abs().max() > 0
    assert all(value.grad.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modalities": ["speech"]}, r"modalities.*speech.*audio, video, text"),
        ({"modalities": []}, "modalities"),
        ({"modalities": ["text", "text"]}, "modalities"),
        ({"temporal_attention": "first"}, r"temporal_attention.*first.*all, last, none"),
        ({"confidence": "learned"}, r"confidence.*learned.*trained, fixed"),
        ({"num_train_utterances": None}, "num_train_utterances"),
        ({"label_limit": 0.0}, r"label_limit.*0\.0"),
        ({"text_dim": None}, "text_encoder"),
        ({"audio_dim": None}, "audio_dim"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(MertkError, match=message):
        TamUlag(**SMALL | arguments)


def test_is_built_from_a_configuration():
    config = {"component": "mertk.models.tam_ulag.TamUlag", "modalities": ["text", "audio"], "label_limit": 1}
    model = build(config, "model", {"audio_dim": 5, "video_dim": 6, "text_dim": 7, "num_train_utterances": 12})
    assert model.modalities == ["audio", "text"]
    assert model.banks.limit == 1
    assert model.task == "regression"
