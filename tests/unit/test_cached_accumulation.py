"""Cached accumulation: the gradient of one large batch, in the memory of a small one."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from accelerate import Accelerator

from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.log_mel import LogMelEncoder
from mertk.errors import MertkError
from mertk.losses.rows import ROWS
from mertk.training.cached_accumulation import cache_step, check_cached
from tests.cached_step import WEIGHTS, cached_step, compare_gradients, make_batch, make_foal, take_rows, whole_step
from tests.raw_corpus import write_wavlm
from tests.toy import Classifier

LABELS = (0, 1, 2, 3, 0, 0, 1, 3, 1, 2, 2, 0)
CHUNKS = (slice(0, 4), slice(4, 8), slice(8, 12))


def chunks_of(batch):
    return [take_rows(batch, rows) for rows in CHUNKS]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("modalities", [("audio", "video"), ("audio", "video", "text")], ids="+".join)
def test_chunks_give_the_terms_and_gradients_of_one_batch(rows, modalities):
    whole, chunked = (make_foal(contrast_rows=rows, modalities=modalities) for _ in range(2))
    batch = make_batch(LABELS)
    expected = whole_step(whole, batch)
    torch.testing.assert_close(cached_step(chunked, chunked, chunks_of(batch)), expected, rtol=1e-12, atol=1e-12)
    compare_gradients(chunked, whole, 1e-10)
    assert chunked.temperature.grad.abs() > 1e-3


def test_accumulation_by_mean_does_not():
    """What the cached form is for: the loss of each batch alone is another one."""
    batch = make_batch(LABELS)
    expected = whole_step(make_foal(), batch)["avel"]
    alone = [whole_step(make_foal(), chunk)["avel"] for chunk in chunks_of(batch)]
    assert (sum(alone) / len(alone) - expected).abs() > 0.1


def test_chunks_of_waveforms_through_a_pretrained_encoder(tmp_path):
    folder = write_wavlm(tmp_path / "wavlm")
    config = json.loads((folder / "config.json").read_text())
    still = {name: 0.0 for name in config if name.endswith("dropout")}
    (folder / "config.json").write_text(json.dumps(config | still))
    # Normalised waveforms would carry the roundings of float32, in which the encoder takes them.
    encoder = PretrainedAudioEncoder(str(folder), spec_augment=False, normalize=False)
    encoder.model.feature_extractor.register_forward_pre_hook(lambda _, waveforms: (waveforms[0].double(),))
    whole = make_foal(audio_encoder=encoder)
    chunked = copy.deepcopy(whole)
    batch = make_batch(LABELS[:6], num_samples=6000)
    chunks = [take_rows(batch, slice(start, start + 2)) for start in (0, 2, 4)]
    whole_step(whole, batch)
    cached_step(chunked, chunked, chunks)
    compare_gradients(chunked, whole, 1e-10)


@pytest.mark.parametrize("matching", [False, True])
def test_features_are_the_same_both_times_with_everything_random(matching):
    """Dropout, augmentation and batch normalisation in the encoder, dropout behind it."""
    encoder = LogMelEncoder(dimension=16, num_blocks=1)
    model = make_foal(torch.float32, 0.3, audio_encoder=encoder, matching=matching)
    batch = make_batch(LABELS, torch.float32, num_samples=8000)
    embed, seen = model.embed, []
    model.embed = lambda batch: seen.append(embed(batch)) or seen[-1]

    def watch(number, output):
        for name, value in seen[number].items():
            torch.testing.assert_close(output[name].detach(), value, rtol=0, atol=0, msg=f"{name} of batch {number}")

    cached_step(model, model, chunks_of(batch), watch)
    assert len(seen) == len(CHUNKS)
    assert not torch.equal(seen[0]["audio_embedding"], embed(chunks_of(batch)[0])["audio_embedding"])


def test_running_statistics_count_each_batch_once():
    encoder = LogMelEncoder(
        dimension=16, num_blocks=1, dropout=0.0, stretch=0, warp=0, gain=0, time_masks=0, mel_masks=0
    )
    plain = make_foal(torch.float32, audio_encoder=encoder)
    cached = copy.deepcopy(plain)
    chunks = chunks_of(make_batch(LABELS, torch.float32, num_samples=8000))
    for chunk in chunks:
        plain(chunk)
    cached_step(cached, cached, chunks)
    expected = dict(plain.named_buffers())
    assert expected["audio_encoder.norm_in.running_mean"].abs().max() > 0
    for name, buffer in cached.named_buffers():
        torch.testing.assert_close(buffer, expected[name], rtol=0, atol=0, msg=name)


def test_unequal_chunks_share_the_terms_over_the_step():
    batch, model = make_batch(LABELS[:7]), make_foal()
    chunks = [take_rows(batch, rows) for rows in (slice(0, 4), slice(4, 7))]
    expected = whole_step(make_foal(), batch)["avel"]
    torch.testing.assert_close(cached_step(model, model, chunks)["avel"], expected, rtol=1e-12, atol=1e-12)


def test_memory_of_the_graph_is_that_of_one_batch():
    """Nothing of the first pass keeps a graph."""
    for cache in cache_step(Accelerator(cpu=True), make_foal(), chunks_of(make_batch(LABELS)), WEIGHTS):
        assert set(cache.gradients) == {"audio_embedding", "video_embedding", "temperature"}
        assert not any(value.requires_grad for value in (cache.terms | cache.gradients).values())


def test_a_method_without_losses_over_the_step_is_refused():
    for method in (Classifier(), make_foal(alignment=False), make_foal(modalities=["audio"])):
        with pytest.raises(MertkError, match=rf"cached.*{type(method).__name__}.*mean"):
            check_cached(Accelerator(cpu=True), method, is_compiled=False)


def test_compiled_code_is_refused():
    with pytest.raises(MertkError, match=r"training\.compile"):
        check_cached(Accelerator(cpu=True), make_foal(), is_compiled=True)
    check_cached(Accelerator(cpu=True), make_foal(), is_compiled=False)
