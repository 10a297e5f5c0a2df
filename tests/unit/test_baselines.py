"""What the baselines do beyond what all methods do: subsets of modalities, forms of padding, what is each one's own."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.nn import functional

from mertk.batch import MODALITIES
from mertk.config import load_config
from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError
from mertk.nn.pooling import pool_to_steps
from mertk.training.cached_accumulation import cache_step
from mertk.training.trainer import Trainer
from tests.cached_step import compare_gradients
from tests.given_batches import GivenBatches
from tests.tiny_baselines import BASELINES, NEEDED, PADDED, dropouts, make_baseline, terms

TINY_BERT = Path(__file__).resolve().parents[1] / "tiny_bert"
DIMS = {"audio": 5, "video": 4, "text": 6}
STEPS = {f"{one}_steps": steps for one, steps in (("audio", 9), ("video", 8), ("text", 7))}
FORMS = {"masked": {}, "fixed": {"padding": "fixed", **STEPS}}


def make_batch(count=4):
    random = torch.Generator().manual_seed(1)
    batch = {"labels": torch.linspace(-2, 2, count, dtype=torch.float64)}
    for place, (one, dim) in enumerate(DIMS.items()):
        batch[one] = torch.randn(count, 6, dim, generator=random, dtype=torch.float64)
        batch[f"{one}_lengths"] = (torch.arange(count) + place) % 6 + 1
    return batch


def build(name, **arguments):
    torch.manual_seed(2)
    return make_baseline(name, DIMS, **arguments).double()


def learn(model, batch):
    loss = sum(model.losses(model(batch), batch | {"position": 2}).values())
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in BASELINES for form in FORMS if form == "masked" or name in PADDED]
)
def test_a_batch_of_one_trains_and_scores(name, form):
    model, batch = build(name, **FORMS[form]), make_batch(1)
    assert learn(model, batch).isfinite()
    for weight, value in model.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), weight
    assert model.eval()(batch)["logits"].isfinite().all()
    assert all(value.isfinite().all() for value in model.buffers())


@pytest.mark.parametrize("name", BASELINES)
def test_an_utterance_is_scored_alike_in_any_batch(name):
    model, batch = build(name), make_batch(6)
    for _ in range(3):
        model(batch)  # running statistics
    together = model.eval()(batch)["logits"]
    for row in range(6):
        alone = {key: value[row : row + 1] for key, value in batch.items()}
        for one in DIMS:
            alone[one] = alone[one][:, : int(alone[f"{one}_lengths"])]
        torch.testing.assert_close(model(alone)["logits"][0], together[row], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", BASELINES)
def test_any_modalities_do_and_nothing_is_built_for_others(name):
    batch = make_batch()
    needed = NEEDED.get(name, set())
    for number in (1, 2):
        for chosen in [some for some in combinations(MODALITIES, number) if needed <= {*some}]:
            model = build(name, modalities=list(chosen))
            given = {key: value for key, value in batch.items() if key.partition("_")[0] in (*chosen, "labels")}
            learn(model, given)
            assert all(value.grad is not None for value in model.parameters()), chosen


@pytest.mark.parametrize("name", PADDED)
def test_fixed_padding_is_read_and_what_is_longer_is_cut(name):
    model, batch = build(name, **FORMS["fixed"]).eval(), make_batch()
    expected = model(batch)["logits"]
    filled = dict(batch)
    for one in DIMS:
        is_real = torch.arange(6) < batch[f"{one}_lengths"][:, None]
        frames = torch.zeros(4, 20, DIMS[one], dtype=torch.float64)
        frames[:, :6] = batch[one] * is_real[:, :, None]
        filled |= {one: frames, f"{one}_lengths": torch.full((4,), 20)}
    torch.testing.assert_close(model(filled)["logits"], expected)
    hidden = build(name).eval()
    if name != "ef_lstm":  # which has other statistics then
        hidden.load_state_dict(model.state_dict())
        assert not torch.allclose(hidden(batch)["logits"], expected)
    with pytest.raises(MertkError, match="audio is used, but has no audio_steps, which padding=fixed fills up to"):
        build(name, padding="fixed")
    with pytest.raises(MertkError, match="padding: got 'none', expected one of fixed, masked"):
        build(name, padding="none")


class Embedding(torch.nn.Embedding):
    """An encoder of text as small as can be."""

    output_dim = 8

    def forward(self, tokens, lengths):
        return super().forward(tokens[..., 0]), lengths


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in NEEDED])
def test_states_of_a_text_encoder_do_for_features(name):
    model = make_baseline(name, DIMS | {"text": None}, text_encoder=Embedding(5, 8)).double()
    assert model.dims["text"] == 8
    learn(model, make_batch() | {"text": torch.arange(48).reshape(4, 6, 2) % 5})
    assert model.text_encoder.weight.grad.any()


@pytest.mark.parametrize("name", BASELINES)
def test_a_training_that_was_cut_goes_on_to_the_same_bits(name, tmp_path):
    def train(folder, epochs, resume=False):
        settings = [f"training.epochs={epochs}", "training.trackers=[]", "optimizer.learning_rate=0.01"]
        config = load_config([], [*settings, *(f"loss_weights.{term}=1" for term in terms(name))])
        torch.manual_seed(config.training.seed)
        model = make_baseline(name, DIMS, **dict.fromkeys(dropouts(name), 0.3)).double()
        batches = GivenBatches([make_batch(count) | {"utterance_ids": list("abcde")[:count]} for count in (5, 3, 4)])
        trainer = Trainer(Accelerator(cpu=True), model, config, folder, batches, None, [], dict, lambda *_: None)
        trainer.fit(resume)
        return model.state_dict()

    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole = train(tmp_path / "whole", 3)
    train(tmp_path / "cut", 1)
    again = train(tmp_path / "cut", 3, resume=True)
    assert [key for key, value in whole.items() if not torch.equal(value, again[key])] == []


def test_late_fusion_is_a_linear_map_of_standardised_means():
    model, batch = build("late_fusion", modalities=["video"]), make_batch(6)
    lengths = batch["video_lengths"]
    means = torch.stack([frames[:count].mean(dim=0) for frames, count in zip(batch["video"], lengths, strict=True)])
    standard = (means - means.mean(dim=0)) / (means.var(dim=0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(model(batch)["logits"], model.votes["video"](standard))


def test_tfn_stays_within_the_limit_of_intensities_and_leaves_classes_alone():
    batch = make_batch()
    for limit in (1.0, 3.0):
        model = build("tfn", label_limit=limit)
        with torch.no_grad():
            model.layer_3.bias.fill_(50.0)
        torch.testing.assert_close(model(batch)["logits"], torch.full((4, 1), limit, dtype=torch.float64))
    model = build("tfn", task="classification", num_classes=2)
    with torch.no_grad():
        model.layer_3.bias.fill_(50.0)
    assert model(batch)["logits"].min() > 20
    with pytest.raises(MertkError, match=r"label_limit: got 0.0, expected more than 0"):
        build("tfn", label_limit=0.0)


def test_lmf_is_the_tensor_fusion_whose_weights_are_of_low_rank():
    model, batch = build("lmf"), make_batch()
    vectors = [model.subnets[one](*steps) for one, steps in model.sequences(batch).items()]
    audio, video, text = (torch.cat([torch.ones(4, 1, dtype=torch.float64), vector], dim=1) for vector in vectors)
    tensor = torch.einsum("bi,bj,bk->bijk", audio, video, text)
    factors = [model.factors[one][:, :, 0] for one in MODALITIES]
    weights = torch.einsum("r,ri,rj,rk->ijk", model.rank_weights[0], *factors)
    expected = torch.einsum("bijk,ijk->b", tensor, weights) + model.bias[0]
    torch.testing.assert_close(model(batch)["logits"][:, 0], expected)
    fixed = build("lmf", fusion_weights="fixed")
    assert [name for name, value in fixed.named_parameters() if not value.requires_grad] == ["rank_weights", "bias"]
    with pytest.raises(MertkError, match="fusion_weights: got 'none', expected one of trained, fixed"):
        build("lmf", fusion_weights="none")


def test_positions_tell_mult_the_order_of_steps_that_nothing_else_tells():
    """With kernels of one step and a single step that asks, only positions distinguish the steps looked at."""
    kernels = {f"{one}_kernel_size": 1 for one in DIMS}
    batch = make_batch() | {"audio_lengths": torch.full((4,), 1), "text_lengths": torch.full((4,), 6)}
    turned = batch | {"text": batch["text"].flip(1)}
    for positions, is_same in ((False, True), (True, False)):
        model = build("mult", modalities=["audio", "text"], positions=positions, **kernels).eval()
        memories = [model._remember("audio", self_features(model, given)) for given in (batch, turned)]
        assert torch.allclose(*memories) == is_same


def self_features(model, batch):
    return {one: model._project(one, *steps) for one, steps in model.sequences(batch).items()}


def test_misa_reads_as_many_frames_as_the_text_has_tokens_where_it_is_told_to():
    """As released: frames behind them are not read, and where there are fewer, zeros are."""
    all_frames, as_text = build("misa").eval(), build("misa", frames="text").eval()
    batch = make_batch()
    batch |= {"text_lengths": torch.tensor([4, 2, 3, 1]), "audio_lengths": torch.tensor([6, 3, 3, 2])}
    batch |= {"video_lengths": torch.tensor([4, 1, 3, 1])}
    cut = batch | {"audio": batch["audio"][:, :4], "audio_lengths": batch["text_lengths"]}
    filled = cut | {"video": batch["video"].clone(), "video_lengths": batch["text_lengths"]}
    filled["video"][1, 1:] = 0
    expected = all_frames(filled)["logits"]
    torch.testing.assert_close(as_text(batch)["logits"], expected)
    torch.testing.assert_close(as_text(cut)["logits"], expected)
    assert ((all_frames(batch)["logits"] - expected)[[0, 1, 3]].abs() > 1e-6).all()
    with pytest.raises(MertkError, match="frames: got 'none', expected one of all, text"):
        build("misa", frames="none")


def test_misa_begins_with_orthogonal_weights_between_states_unless_as_released():
    for released in (False, True):
        model = build("misa", orthogonal_start=not released)
        for name, weights in model.named_parameters():
            if ".weight_hh" in name:
                identity = torch.eye(weights.shape[1], dtype=torch.float64)
                assert torch.allclose(weights.t() @ weights, identity, atol=1e-5) != released, name


def test_misa_shows_what_it_split_its_vectors_into():
    found = build("misa", modalities=["audio", "text"]).representations(make_batch())
    kinds = {f"after/{one} {kind}" for one in ("audio", "text") for kind in ("private", "shared")}
    assert found.keys() == kinds | {"before/audio", "before/text"}
    assert all(vectors.shape == (4, 16) for vectors in found.values())


def test_misa_compares_all_utterances_of_a_step_whose_batches_pass_one_by_one():
    whole, parts = build("misa"), build("misa")
    batch = make_batch(6) | {"indices": torch.arange(6)}
    terms = whole.losses(whole(batch), batch)
    sum(terms.values()).backward()
    batches = [{key: value[rows] for key, value in batch.items()} for rows in (slice(0, 3), slice(3, 6))]
    for part, cached in zip(
        batches, cache_step(Accelerator(cpu=True), parts, batches, dict.fromkeys(terms, 1.0)), strict=True
    ):
        cached.rewind()
        output = parts(part)
        found = cached.losses(output, part)
        (sum(found.values()) / 2 + cached.pull(output)).backward()
    for name in ("difference", "similarity"):
        torch.testing.assert_close(found[name], terms[name].detach())
    compare_gradients(parts, whole, 1e-9)


def test_mag_bert_shifts_the_embeddings_of_words_with_frames_of_any_rate():
    """The frames of an utterance are brought to its tokens; as released, padding is brought there too."""
    batch = make_batch() | {"text": torch.randint(1, 40, (4, 6, 2)), "text_lengths": torch.tensor([6, 2, 3, 1])}
    batch["text"][..., 1] = 0
    bert = PretrainedTextEncoder(str(TINY_BERT), random_weights=True, pooler=True)
    real = build("mag_bert", text_encoder=bert).eval()
    aligned = dict(batch)
    for one in ("audio", "video"):
        frames = pool_to_steps(batch[one], batch[f"{one}_lengths"], batch["text_lengths"], 6)
        aligned |= {one: frames, f"{one}_lengths": batch["text_lengths"]}
    expected = real(batch)["logits"]
    torch.testing.assert_close(real(aligned)["logits"], expected)
    others = batch | {"audio": batch["audio"] + 1}
    assert ((real(others)["logits"] - expected).abs() > 1e-6).all()
    padded = build("mag_bert", text_encoder=bert, frames="padded", **STEPS).eval()
    padded.load_state_dict(real.state_dict())
    longer = batch | {one: functional.pad(batch[one], (0, 0, 0, 9)) for one in ("audio", "video")}
    torch.testing.assert_close(padded(longer)["logits"], padded(batch)["logits"])
    assert not torch.allclose(padded(batch)["logits"], expected)


def test_what_mag_bert_cannot_do_is_refused():
    with pytest.raises(MertkError, match=r"modalities: got \['audio', 'video'\], which lack text"):
        build("mag_bert", modalities=["audio", "video"])
    with pytest.raises(MertkError, match=r"text_encoder: got NoneType, expected one whose embeddings.* pooler: true"):
        build("mag_bert", text_encoder=None)
    with pytest.raises(MertkError, match="frames: got 'all', expected one of real, padded"):
        build("mag_bert", frames="all")
    with pytest.raises(MertkError, match="shift_limit: got 0, expected more than 0"):
        build("mag_bert", shift_limit=0)


def test_features_that_have_the_steps_already_are_not_pooled():
    frames = torch.randn(2, 5, 3)
    lengths = torch.tensor([5, 3])
    torch.testing.assert_close(pool_to_steps(frames, lengths, lengths, 5)[1, :3], frames[1, :3])


def test_fewer_frames_than_steps_end_in_copies_of_the_last():
    frames = torch.tensor([[[1.0], [4.0], [9.0]]])
    pooled = pool_to_steps(frames, torch.tensor([2]), torch.tensor([4]), 4)
    assert pooled.flatten().tolist() == [1.0, 4.0, 4.0, 4.0]
