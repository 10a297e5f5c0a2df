"""Foal-Net with text: in the place of either modality, as a third one, alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mertk
from mertk.models.foal import MATCHING_HEADS, FoalNet
from tests.raw_corpus import write_bert

WIDTHS = {"audio": 16, "video": 12, "text": 8}
LENGTHS = {"audio": 9, "video": 8, "text": 6}
PAIRS = [["audio", "video"], ["audio", "text"], ["video", "text"]]
ALL = ["audio", "video", "text"]


def make(modalities, **arguments):
    torch.manual_seed(3)
    dims = {f"{name}_dim": width for name, width in WIDTHS.items()}
    dropouts = {"projection_dropout": 0.0, "attention_dropout": 0.0}
    return FoalNet(4, **dims | dropouts | arguments, projection_dim=8, modalities=modalities).double()


def batch_of(labels, modalities=ALL):
    random, count = torch.Generator().manual_seed(1), len(labels)
    batch = {"labels": torch.tensor(labels), "shared_seed": 1}
    for number, name in enumerate(ALL):
        frames = torch.randn(count, LENGTHS[name], WIDTHS[name], generator=random, dtype=torch.float64)
        lengths = torch.arange(count) * (2 * number + 1) % LENGTHS[name] + 1
        batch |= {name: frames, f"{name}_lengths": lengths} if name in modalities else {}
    return batch


@pytest.mark.parametrize("matching_head", MATCHING_HEADS)
@pytest.mark.parametrize("modalities", [*PAIRS[1:], ALL], ids="+".join)
def test_all_that_is_built_gets_a_gradient_and_other_modalities_are_not_asked_for(modalities, matching_head):
    model, batch = make(modalities, matching_head=matching_head), batch_of([0, 1, 2, 0, 3], modalities)
    output = model(batch)
    losses = model.losses(output, batch)
    assert list(losses) == ["ce", "avel", "mem"] == model.loss_names
    assert 0 <= model.figures(output, batch)["matching_accuracy"] <= 1
    sum(losses.values()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []
    assert model.eval()({name: batch[name] for name in batch if name != "labels"}).keys() == {"logits"}


@pytest.mark.parametrize("matching_head", MATCHING_HEADS)
def test_padding_changes_nothing(matching_head):
    model, batch = make(ALL, matching_head=matching_head), batch_of([0, 1, 2, 0, 3])
    padded = dict(batch)
    for name in ALL:
        padded[name] = nn.functional.pad(batch[name], (0, 0, 0, 5))
        for row, length in enumerate(batch[f"{name}_lengths"]):
            padded[name][row, length:] = torch.nan
    expected = model.losses(model(batch), batch)
    for name, value in model.losses(model(padded), padded).items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_the_order_of_utterances_and_of_modalities_changes_nothing():
    labels, order = [0, 1, 2, 0, 3], torch.tensor([3, 0, 4, 2, 1])
    model, batch = make(ALL, matching=False), batch_of(labels)
    moved = {name: value[order] if torch.is_tensor(value) else value for name, value in batch.items()}
    output, other = model(batch), make(ALL[::-1], matching=False)(moved)
    torch.testing.assert_close(other["logits"], output["logits"][order])
    expected, found = model.losses(output, batch), model.losses(other, moved)
    for name in ("ce", "avel"):
        torch.testing.assert_close(found[name], expected[name])


def test_three_modalities_are_three_pairs_that_share_encoders_projections_and_temperature():
    model, batch = make(ALL), batch_of([0, 1, 2, 0, 3])
    output = model(batch)
    losses = model.losses(output, batch)
    state, logits, aligned = model.state_dict(), model.classifier.bias, []
    columns, start = {}, 0
    for direction in model.directions:
        columns[direction] = slice(start, start + WIDTHS[direction[0]])
        start += WIDTHS[direction[0]]
    for first, second in PAIRS:
        pair = make([first, second])
        own = {name: state[name] for name in pair.state_dict() if name in state}
        for asking, other in ((first, second), (second, first)):
            for part in ("weight", "bias"):
                own[f"{asking}_matching.{part}"] = state[f"{asking}_to_{other}_matching.{part}"]
        weights = [state["classifier.weight"][:, columns[way]] for way in ((first, second), (second, first))]
        own |= {"classifier.weight": torch.cat(weights, dim=1), "classifier.bias": torch.zeros(4)}
        pair.load_state_dict(own)
        paired = pair(batch)
        logits = logits + paired["logits"]
        aligned.append(pair.losses(paired, batch)["avel"])
        for asking, other in ((first, second), (second, first)):
            told = output[f"{asking}_to_{other}_matching"][:5]  # the true pairs; the others are drawn apart
            torch.testing.assert_close(told, paired[f"{asking}_matching"][:5])
    torch.testing.assert_close(output["logits"], logits)
    torch.testing.assert_close(losses["avel"], sum(aligned) / 3)


def test_of_each_direction_what_is_looked_at_is_mismatched_and_each_is_drawn_on_its_own():
    model, batch = make(ALL, alignment=False), batch_of([0, 1, 2, 3] * 5)
    *negatives, keep = model.draw_negatives(batch, {}, [20])
    assert len(negatives) == len(model.directions) == 6 and keep.all()
    assert all((batch["labels"] != batch["labels"][rows]).all() for rows in negatives)
    assert len({tuple(rows.tolist()) for rows in negatives}) == 6


def test_text_alone_is_what_sound_alone_is():
    sound = make(["audio"], audio_dim=8)
    text = make(["text"])
    assert dict(text.named_parameters()).keys() == {"classifier.weight", "classifier.bias"}
    batch = batch_of([0, 1, 2], ["text"])
    heard = {name.replace("text", "audio"): value for name, value in batch.items()}
    torch.testing.assert_close(text(batch)["logits"], sound(heard)["logits"], rtol=0, atol=0)
    assert list(text.losses(text(batch), batch)) == ["ce"]


def test_tokens_pass_an_encoder_that_is_trained_with_the_rest():
    class Words(nn.Embedding):
        output_dim = 8

        def forward(self, tokens, lengths):
            return super().forward(tokens[..., 0]), lengths

    model, batch = make(["audio", "text"], text_encoder=Words(20, 8), text_dim=None), batch_of([0, 1, 2, 0])
    batch["text"] = torch.arange(4 * 6 * 2).reshape(4, 6, 2) % 20
    losses = model.losses(model(batch), batch)
    sum(losses.values()).backward()
    texts = zip(batch["text"], batch["text_lengths"], strict=True)
    seen = {int(word) for text, length in texts for word in text[:length, 0]}
    moved = model.text_encoder.weight.grad.abs().sum(dim=1) > 0
    assert {word for word in range(20) if moved[word]} == seen


def test_the_recipes_settings_train_a_model_that_is_loaded_again(checkout, tmp_path):
    conf = checkout / "recipes/common/conf"
    files = [conf / "foal.yaml", conf / "foal/modalities/audio_video_text.yaml", conf / "foal/miniature.yaml"]
    settings = [
        *("data.inputs.audio={kind: features, max_seconds: null}", "data.inputs.video.max_seconds=null"),
        *("model.audio_encoder=null", "training.trackers=[]"),
        *("data.num_workers=0", "training.epochs=4", "optimizer.learning_rate=0.01"),
        *(f"model.text_encoder.weights={write_bert(tmp_path / 'bert')}", f"run.output_dir={tmp_path / 'run'}"),
    ]
    held_out = rows(12, 100)
    run = mertk.train(files, settings, train=rows(48, 0), validation=held_out)
    predictor = mertk.load(run.model_directory)
    right = [predictor.predict({name: row[name] for name in ALL}).label == row["label"] for row in held_out]
    assert sum(right) / 12 == run.metrics["wa"] > 0.6


def rows(count, first):
    """Utterances of two classes that their sound tells."""
    random = np.random.default_rng(first)
    found = []
    for number in range(first, first + count):
        made = {name: random.normal(size=(5, 16)).astype(np.float32) for name in ("audio", "video")}
        made["audio"] += 2 * (number % 2)
        made["text"] = np.stack([random.integers(1, 9, 4), np.zeros(4, int)], axis=1)
        found.append(made | {"utterance_id": f"u{number}", "label": "ab"[number % 2]})
    return found
