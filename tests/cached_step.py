"""One optimizer step by cached accumulation, as the trainer takes it, and batches of Foal-Net to take it on."""

from __future__ import annotations

import contextlib

import torch
from accelerate import Accelerator

from mertk.models.foal import FoalNet
from mertk.training.cached_accumulation import cache_step

WEIGHTS = {"ce": 1.0, "avel": 0.7, "mem": 0.1}


def make_foal(dtype=torch.float64, dropout=0.0, **arguments):
    torch.manual_seed(7)
    widths = {"audio_dim": 16, "video_dim": 12, "text_dim": 8, "projection_dim": 8}
    dropouts = {"projection_dropout": dropout, "attention_dropout": dropout, "hidden_dropout": dropout}
    return FoalNet(4, **widths | dropouts | {"matching": False} | arguments).to(dtype)


def make_batch(labels, dtype=torch.float64, num_samples=0):
    """Utterances of unequal lengths; features, or waveforms of about so many samples."""
    random = torch.Generator().manual_seed(11)
    count = len(labels)
    batch = {
        "utterance_ids": [f"u{number}" for number in range(count)],
        "indices": torch.arange(count),
        "audio": torch.randn(count, 9, 16, generator=random, dtype=torch.float64).to(dtype),
        "audio_lengths": torch.arange(count) % 7 + 3,
        "video": torch.randn(count, 8, 12, generator=random, dtype=torch.float64).to(dtype),
        "video_lengths": (torch.arange(count) * 3) % 8 + 1,
        "text": torch.randn(count, 6, 8, generator=torch.Generator().manual_seed(13), dtype=torch.float64).to(dtype),
        "text_lengths": (torch.arange(count) * 5) % 6 + 1,
        "labels": torch.tensor(labels),
        "shared_seed": 17,
        "epoch": 0,
    }
    if num_samples:
        batch["audio"] = torch.randn(count, num_samples, generator=random, dtype=torch.float64).to(dtype)
        batch["audio_lengths"] = num_samples - 400 * torch.arange(count)
    return batch


def take_rows(batch, rows):
    """Rows of a batch, padded to their own longest."""
    part = {name: value[rows] if isinstance(value, (torch.Tensor, list)) else value for name, value in batch.items()}
    for modality in ("audio", "video", "text"):
        part[modality] = part[modality][:, : int(part[f"{modality}_lengths"].max())]
    return part


def whole_step(model, batch):
    """The terms of one batch, with the gradient left in the model."""
    terms = model.losses(model(batch), batch)
    sum(WEIGHTS[name] * value for name, value in terms.items()).backward()
    return {name: value.detach() for name, value in terms.items()}


def cached_step(model, method, batches, watch=lambda number, output: None):
    """The same of several batches; `model` is the method, wrapped or not."""
    cached, means = cache_step(Accelerator(cpu=True), method, batches, WEIGHTS), {}
    for number, (batch, cache) in enumerate(zip(batches, cached, strict=True)):
        # As in the trainer, processes exchange their gradients with the last batch.
        is_last = number == len(batches) - 1
        with contextlib.nullcontext() if is_last or model is method else model.no_sync():
            cache.rewind()
            output = model(batch)
            watch(number, output)
            terms = cache.losses(output, batch)
            total = sum(WEIGHTS[name] * value for name, value in terms.items())
            (total / len(batches) + cache.pull(output)).backward()
        means = {name: means.get(name, 0) + value.detach() / len(batches) for name, value in terms.items()}
    return means


def compare_gradients(found, expected, tolerance):
    """Every gradient of two models of the same architecture."""
    expected = dict(expected.named_parameters())
    for name, parameter in found.named_parameters():
        if parameter.requires_grad:
            gradient = expected[name].grad
            torch.testing.assert_close(parameter.grad, gradient, rtol=tolerance, atol=tolerance, msg=name)
