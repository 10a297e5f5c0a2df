"""Foal-Net's switches, what it refuses, and what it computes when."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mertk.components import build
from mertk.errors import MertkError
from mertk.models.foal import MATCHING_HEADS, MIN_TEMPERATURE, FoalNet

SMALL = {"num_classes": 4, "audio_dim": 16, "video_dim": 12, "projection_dim": 8}


def batch_of(labels, **changes):
    count = len(labels)
    random = torch.Generator().manual_seed(1)
    return {
        "audio": torch.randn(count, 9, 16, generator=random),
        "audio_lengths": torch.arange(count) % 7 + 3,
        "video": torch.randn(count, 8, 12, generator=random),
        "video_lengths": torch.arange(count) * 3 % 8 + 1,
        "labels": torch.tensor(labels),
        "shared_seed": 1,
    } | changes


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, ["ce", "avel", "mem"]),
        ({"alignment": False}, ["ce", "mem"]),
        ({"matching": False}, ["ce", "avel"]),
        ({"matching_head": "interaction"}, ["ce", "avel", "mem"]),
        ({"matching_head": "interaction", "matching": False}, ["ce", "avel"]),
        ({"alignment": False, "matching": False}, ["ce"]),
        ({"modalities": ["audio"]}, ["ce"]),
        ({"modalities": ["video"]}, ["ce"]),
    ],
    ids=str,
)
def test_each_switch_has_its_terms_and_leaves_no_parameter_without_gradient(arguments, names):
    model = FoalNet(**SMALL | arguments)
    batch = batch_of([0, 1, 2, 0])
    losses = model.losses(model(batch), batch)
    assert list(losses) == names == model.loss_names
    sum(losses.values()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_one_modality_does_not_build_or_need_the_other():
    encoder = nn.Linear(3, 3)
    encoder.output_dim = 3
    model = FoalNet(num_classes=4, audio_encoder=encoder, video_dim=12, modalities=["video"])
    assert {name for name, _ in model.named_parameters()} == {"classifier.weight", "classifier.bias"}
    batch = batch_of([0, 1])
    del batch["audio"], batch["audio_lengths"]
    assert model(batch)["logits"].shape == (2, 4)


def test_an_encoder_gives_the_width_and_the_frames():
    class Halving(nn.Module):
        output_dim = 5

        def forward(self, waveforms, lengths):
            return waveforms[:, ::2, None].repeat(1, 1, 5), (lengths + 1) // 2

    model = FoalNet(num_classes=4, audio_encoder=Halving(), audio_dim=99, video_dim=12, num_heads=1)
    batch = batch_of([0, 1], audio=torch.randn(2, 40), audio_lengths=torch.tensor([40, 21]))
    assert model(batch)["logits"].shape == (2, 4)


def test_prediction_needs_no_labels_and_training_does():
    model = FoalNet(**SMALL)
    batch = batch_of([0, 1, 2])
    del batch["labels"], batch["shared_seed"]
    with pytest.raises(MertkError, match="labels"):
        model(batch)
    assert model.eval()(batch).keys() == {"logits"}


def test_evaluation_has_no_mismatched_pairs():
    model = FoalNet(**SMALL).eval()
    batch = batch_of([0, 1, 2])
    assert model.losses(model(batch), batch).keys() == {"ce", "avel"}


def test_the_share_of_told_pairs_is_a_figure_of_training_with_matching():
    batch = batch_of([0, 1, 2, 0])
    model = FoalNet(**SMALL)
    output = model(batch)
    told = torch.cat([output[name].argmax(dim=1) for name in ("audio_matching", "video_matching")])
    expected = (told == torch.tensor([1] * 4 + [0] * 4).repeat(2)).float().mean()
    assert model.figures(output, batch) == {"matching_accuracy": expected}
    without = FoalNet(**SMALL, matching=False)
    for other in (model.eval(), without):
        assert other.figures(other(batch), batch) == {}


def test_true_pairs_are_computed_once():
    model = FoalNet(**SMALL)
    sizes = []
    for stack in (model.audio_to_video, model.video_to_audio):
        stack.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    model(batch_of([0, 1, 2]))
    assert sizes == [6, 6]
    sizes.clear()
    model.eval()(batch_of([0, 1, 2]))
    assert sizes == [3, 3]


def test_training_on_one_label_only_has_no_matching_loss():
    model = FoalNet(**SMALL)
    batch = batch_of([2, 2, 2])
    losses = model.losses(model(batch), batch)
    assert losses["mem"].item() == 0
    sum(losses.values()).backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize("matching_head", MATCHING_HEADS)
def test_padding_changes_nothing_in_training_either(matching_head):
    model = FoalNet(**SMALL, matching_head=matching_head, projection_dropout=0.0, attention_dropout=0.0)
    batch = batch_of([0, 1, 2, 0, 1])
    losses = model.losses(model(batch), batch)
    padded = dict(batch)
    for modality in ("audio", "video"):
        sequences = torch.nn.functional.pad(batch[modality], (0, 0, 0, 6))
        for row, length in enumerate(batch[f"{modality}_lengths"]):
            sequences[row, length:] = torch.nan
        padded[modality] = sequences
    for name, value in model.losses(model(padded), padded).items():
        torch.testing.assert_close(value, losses[name])


def test_a_temperature_below_the_guard_is_not_used_but_can_come_back():
    model = FoalNet(**SMALL, projection_dropout=0.0, attention_dropout=0.0)
    batch = batch_of([0, 1, 2, 0])
    with torch.no_grad():
        model.temperature.fill_(MIN_TEMPERATURE)
    at_guard = model.embed(batch)["temperature"]
    for value in (-1.0, 0.0):
        with torch.no_grad():
            model.temperature.fill_(value)
        output = model(batch)
        torch.testing.assert_close(output["temperature"], at_guard)
        model.temperature.grad = None
        model.losses(output, batch)["avel"].backward()
        assert model.temperature.grad != 0


def test_negatives_differ_between_steps_and_not_between_calls():
    labels = [0, 1, 2, 3] * 4
    model = FoalNet(**SMALL, projection_dropout=0.0, attention_dropout=0.0, alignment=False)

    def matching(seed):
        return model(batch_of(labels, shared_seed=seed))["audio_matching"]

    torch.testing.assert_close(matching(1), matching(1), rtol=0, atol=0)
    assert not torch.equal(matching(1), matching(2))


def test_mixed_precision_gives_losses_in_float32():
    model = FoalNet(**SMALL)
    batch = batch_of([0, 1, 2, 0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.losses(model(batch), batch)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    sum(losses.values()).backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modalities": ["touch"]}, r"modalities.*touch.*audio, video, text"),
        ({"modalities": []}, "modalities"),
        ({"modalities": ["audio", "audio"]}, "modalities"),
        ({"positives": "max"}, r"positives.*max.*mean, sum"),
        ({"matching_head": "linear"}, r"matching_head.*linear.*pooled, interaction"),
        ({"contrast_rows": "mine"}, r"rows.*mine.*local, all"),
        ({"temperature": 0.0}, r"temperature.*0\.0.*0\.01"),
        ({"audio_dim": None}, "audio_encoder"),
        ({"video_dim": None}, "video_dim"),
        ({"modalities": ["audio", "text"]}, "text is used but has no text_dim; give it, or an encoder, text_encoder"),
        ({"num_heads": 5}, "num_heads"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(MertkError, match=message):
        FoalNet(**SMALL | arguments)


def test_is_built_from_a_configuration():
    config = {"component": "mertk.models.foal.FoalNet", "num_classes": 4, "modalities": ["video"], "positives": "sum"}
    model = build(config, "model", {"audio_dim": 16, "video_dim": 12})
    assert model.modalities == ["video"]
    assert model.positives == "sum"


def test_pictures_show_modalities_before_and_after_they_are_aligned():
    model, batch = FoalNet(**SMALL).eval(), batch_of([0, 1, 2, 0])
    found = model.representations(batch)
    assert {name: tuple(rows.shape) for name, rows in found.items()} == {
        "before AVEL/audio": (4, 16),
        "before AVEL/video": (4, 16),
        "after AVEL/audio": (4, 8),
        "after AVEL/video": (4, 8),
    }
    for rows in found.values():
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(found["after AVEL/audio"], model.embed(batch)["audio_embedding"])
    own = batch["audio"][0, :3].mean(dim=0)
    torch.testing.assert_close(found["before AVEL/audio"][0], own / own.norm())
    assert found["before AVEL/video"][:, 12:].count_nonzero() == 0
    assert list(FoalNet(**SMALL | {"alignment": False}).eval().representations(batch)) == [
        "before AVEL/audio",
        "before AVEL/video",
    ]
