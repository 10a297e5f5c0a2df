"""HSCL: what padding may change, what each configuration builds, and what the user is told."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import nn

from mertk.batch import MODALITIES
from mertk.errors import MertkError
from mertk.models.hscl import HSCL, TERMS

STEPS = {"audio": 11, "video": 9, "text": 7}
DIMS = {"audio": 4, "video": 3, "text": 5}
CONSISTENCY = TERMS[1:]


def build(**changes) -> HSCL:
    torch.manual_seed(5)
    arguments = {f"{modality}_dim": dim for modality, dim in DIMS.items()}
    arguments |= {f"{modality}_steps": steps for modality, steps in STEPS.items()}
    arguments |= {f"{modality}_kernel_size": size for modality, size in (("audio", 1), ("video", 3), ("text", 5))}
    return HSCL(**arguments | {"width": 8, "num_heads": 2, "num_layers": 2} | changes).double()


def without_dropout(model: HSCL) -> HSCL:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0
    return model


def make_batch(num_rows: int = 6, **lengths: list[int]) -> dict:
    """Utterances of the lengths given (all steps by default), padded with zeros to the longest."""
    random = torch.Generator().manual_seed(2)
    batch = {"labels": (torch.arange(num_rows) % 3).float(), "utterance_ids": [f"u{row}" for row in range(num_rows)]}
    for modality, dim in DIMS.items():
        own = torch.tensor(lengths.get(modality, [STEPS[modality]] * num_rows))
        steps = torch.randn(num_rows, int(own.max()), dim, generator=random, dtype=torch.float64)
        batch[modality] = steps * (torch.arange(steps.shape[1]) < own[:, None])[:, :, None]
        batch[f"{modality}_lengths"] = own
    return batch


def row_of(batch: dict, row: int) -> dict:
    """One utterance, without any padding."""
    found = {name: value[row : row + 1] for name, value in batch.items()}
    return found | {one: found[one][:, : max(int(found[f"{one}_lengths"]), 1)] for one in MODALITIES}


#: some longer than the kernels (1, 3, 5), some shorter, one empty; none as long as can be
RAGGED = {"audio": [10, 1, 4, 7, 2, 9], "video": [1, 8, 2, 5, 3, 4], "text": [6, 2, 5, 0, 1, 3]}


@pytest.mark.parametrize("modalities", [MODALITIES, ["text", "audio"], ["video"]])
def test_a_padded_batch_equals_its_utterances_one_by_one(modalities):
    model = without_dropout(build(padding="masked", modalities=modalities)).train()
    batch = make_batch(**RAGGED)
    together = model(batch)
    assert together.keys() > {"logits", "low_logits", "high_logits", "irrelevant_logits", "original", "aligned"}
    for row in range(6):
        for name, value in model(row_of(batch, row)).items():
            whole = together[name][row : row + 1]
            if name.startswith(("exclusive_", "irrelevant_")) and value.dim() == 3:
                assert not whole[:, value.shape[1] :].any()
                whole = whole[:, : value.shape[1]]
            torch.testing.assert_close(value, whole, rtol=1e-12, atol=1e-12, msg=f"{name} of row {row}")
    together = model.eval()(batch)["logits"]
    alone = torch.cat([model(row_of(batch, row))["logits"] for row in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_nothing_behind_the_lengths_has_an_effect():
    model = without_dropout(build(padding="masked")).train()
    batch = make_batch(**RAGGED)
    dirty = dict(batch)
    for one in MODALITIES:
        longer = nn.functional.pad(batch[one], (0, 0, 0, 5))
        is_real = torch.arange(longer.shape[1]) < batch[f"{one}_lengths"][:, None]
        dirty[one] = longer.masked_fill(~is_real[:, :, None], torch.nan)
    gradients = []
    for given in (batch, dirty):
        model.zero_grad()
        sum(model.losses(model(given), given).values()).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_fixed_padding_is_padding_to_the_longest_and_counts():
    model = without_dropout(build(padding="fixed")).eval()
    batch = make_batch(**RAGGED)
    full = dict(batch)
    for one in MODALITIES:
        full[one] = nn.functional.pad(batch[one], (0, 0, 0, STEPS[one] - batch[one].shape[1]))
    torch.testing.assert_close(model(batch)["logits"], model(full)["logits"], rtol=1e-12, atol=1e-12)
    masked = without_dropout(build(padding="masked")).eval()
    masked.load_state_dict(model.state_dict())
    assert (masked(batch)["logits"] - model(batch)["logits"]).abs().max() > 1e-3


@pytest.mark.parametrize("padding", ["fixed", "masked"])
def test_what_is_longer_than_the_steps_is_cut(padding):
    model = without_dropout(build(padding=padding)).train()
    batch = make_batch()
    longer = dict(batch)
    for one in MODALITIES:
        longer[one] = torch.cat([batch[one], torch.ones_like(batch[one])], dim=1)
        longer[f"{one}_lengths"] = 2 * batch[f"{one}_lengths"]
    torch.testing.assert_close(model(longer)["original"], model(batch)["original"], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model(longer)["logits"], model(batch)["logits"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["fixed", "masked"])
@pytest.mark.parametrize(
    "modalities", [[one] for one in MODALITIES] + [list(two) for two in combinations(MODALITIES, 2)]
)
def test_every_parameter_learns_with_fewer_modalities(modalities, padding):
    check_gradients(build(modalities=modalities, padding=padding))


@pytest.mark.parametrize("count", range(6))
def test_every_parameter_learns_with_fewer_terms(count):
    for chosen in combinations(CONSISTENCY, count):
        check_gradients(build(terms=["task", *chosen]))


def check_gradients(model: HSCL) -> None:
    model = without_dropout(model).train()
    batch = make_batch()
    losses = model.losses(model(batch), batch)
    assert list(losses) == model.terms
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    still = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert still == []


def test_terms_left_out_leave_out_what_only_they_need():
    names = {name.split(".")[0] for name, _ in build(terms=["task", "orthogonality"]).named_parameters()}
    assert names.isdisjoint({"fusion", "decoders", "alignments"})
    names = {name.split(".")[0] for name, _ in build(terms=["task", "semantic_original"]).named_parameters()}
    assert "fusion" in names and "decoders" not in names


@pytest.mark.parametrize("labels", [[1.0] * 6, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
def test_terms_without_pairs_still_reach_every_parameter(labels):
    model, batch = build().train(), make_batch()
    batch["labels"] = torch.tensor(labels)
    losses = model.losses(model(batch), batch)
    sum(losses.values()).backward()
    assert all(value.grad is not None for value in model.parameters())


def test_one_utterance_has_finite_losses_and_gradients():
    model, batch = build().train(), make_batch(1)
    sum(model.losses(model(batch), batch).values()).backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())


def test_evaluation_has_the_mean_absolute_error_alone_and_needs_no_labels_to_predict():
    model, batch = build().eval(), make_batch()
    labels = batch.pop("labels")
    output = model(batch)
    assert output.keys() == {"logits"} and output["logits"].shape == (6, 1)
    losses = model.losses(output, batch | {"labels": labels})
    assert losses.keys() == {"task"}
    assert losses["task"].item() == pytest.approx((output["logits"][:, 0] - labels).abs().mean().item())


def test_training_is_repeated_by_its_seed_and_random_without():
    model, batch = build().train(), make_batch()
    torch.manual_seed(1)
    first, second = model(batch)["logits"], model(batch)["logits"]
    torch.manual_seed(1)
    assert model(batch)["logits"].equal(first)
    assert not second.equal(first)


def test_representations_are_means_over_real_steps():
    model = build().eval()
    found = model.representations(make_batch(**RAGGED))
    assert list(found)[:4] == ["before/audio", "before/video", "before/text", "after/audio exclusive"]
    assert len(found) == 9
    assert all(value.shape == (6, 8) for value in found.values())
    alone = model.representations(row_of(make_batch(**RAGGED), 2))
    torch.testing.assert_close(found["after/text irrelevant"][2:3], alone["after/text irrelevant"])


@pytest.mark.parametrize("padding", ["fixed", "masked"])
def test_mixed_precision_stays_close(padding):
    model, batch = without_dropout(build(padding=padding)).float().train(), make_batch()
    batch |= {one: batch[one].float() for one in MODALITIES}
    exact = model.losses(model(batch), batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.losses(model(batch), batch)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.05, abs=0.02), name
    sum(losses.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


class TokenEncoder(nn.Module):
    output_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 6)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.embedding(tokens[:, :, 0]), lengths


def test_tokens_pass_the_text_encoder_which_learns():
    model = build(text_encoder=TokenEncoder(), text_dim=None).train()
    batch = make_batch()
    batch["text"] = torch.randint(30, (6, STEPS["text"], 2))
    sum(model.losses(model(batch), batch).values()).backward()
    assert model.text_encoder.embedding.weight.grad.any()
    assert build(text_encoder=TokenEncoder(), modalities=["audio"]).text_encoder is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 39, "num_heads": 10}, "num_heads: got 10, which does not divide the width 39"),
        ({"width": 2, "num_heads": 1}, "width: got 2, expected at least 4"),
        ({"modalities": ["sound"]}, "modalities: got .'sound'., expected some of audio, video, text"),
        ({"modalities": []}, "modalities"),
        ({"terms": ["task", "semantic"]}, "terms: got .'task', 'semantic'., expected some of task, geometric"),
        ({"terms": ["geometric"]}, "lack 'task'"),
        ({"padding": "none"}, "padding: got 'none', expected one of fixed, masked"),
        ({"video_dim": None}, "video is used but has no video_dim"),
        ({"text_steps": None}, "text is used but has no text_steps"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(MertkError, match=message):
        build(**changes)
