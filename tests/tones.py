"""Recordings of tones, several at once or none, and a model that tells which: several labels an utterance."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch.nn import functional

from mertk import distributed
from mertk.data.folds import Fold, write_folds
from mertk.data.manifest import write_manifest
from mertk.models.base import Model

RATE_HZ = 16000
TONES_HZ = {"high": 3200, "low": 400, "middle": 1200}
SETTINGS = (
    *("model={component: tests.tones.Ear}", "loss_weights.binary=1", "data.inputs.audio.kind=waveform"),
    *("training.epochs=12", "training.trackers=[]", "training.monitor=loss", "training.log_every=100"),
    *("optimizer.learning_rate=0.2", "sampler.batch_size=8", "data.num_workers=0"),
)


class Ear(Model):
    """A logit for each tone from the power at each of their frequencies."""

    task = "multilabel"

    def __init__(self, num_classes: int, class_counts: list[int] | None = None) -> None:
        super().__init__()
        self.class_counts = class_counts
        self.out = torch.nn.Linear(len(TONES_HZ), num_classes)

    def forward(self, batch):
        time = torch.arange(batch["audio"].shape[1], device=batch["audio"].device) / RATE_HZ
        angles = 2 * torch.pi * torch.tensor(list(TONES_HZ.values()), device=time.device)[:, None] * time
        means = [(batch["audio"] @ wave.T) / batch["audio_lengths"][:, None] for wave in (angles.sin(), angles.cos())]
        return {"logits": self.out(40 * torch.stack(means).norm(dim=0) - 2)}

    def losses(self, output, batch):
        values = functional.binary_cross_entropy_with_logits(output["logits"], batch["labels"], reduction="none")
        return {"binary": distributed.global_mean(values.mean(dim=1))}


def write_tones(file: Path, names, seed: int = 0) -> Path:
    """A recording of some of the tones, over a little noise."""
    random = np.random.default_rng(seed)
    time = np.arange(int(RATE_HZ * random.uniform(0.2, 0.3))) / RATE_HZ
    sound = random.normal(0, 0.02, len(time)) + sum(0.2 * np.sin(2 * np.pi * TONES_HZ[name] * time) for name in names)
    soundfile.write(file, sound, RATE_HZ)
    return file


def write_data(directory: Path, **corpus) -> list[str]:
    """A data directory of 24 recordings with all sets of tones, and one fold; the settings that name its parts."""
    sets = [names for size in range(4) for names in itertools.combinations(sorted(TONES_HZ), size)]
    label_of, file_of = {}, {}
    (directory / "wav").mkdir(parents=True)
    for number in range(24):
        utterance, names = f"u{number:03d}", sets[3 * number % len(sets)]
        file_of[utterance] = str(write_tones(directory / "wav" / f"{utterance}.wav", names, number))
        label_of[utterance] = ",".join(names) or "-"
    columns = {"utt2label": label_of, "wav.scp": file_of, "utt2spk": {name: name for name in label_of}}
    write_manifest(directory, columns, sorted(TONES_HZ), {"corpus": "tones", "task": "multilabel", **corpus})
    ids = list(label_of)
    fold = Fold(ids[8:], ids[4:8], ids[:4], {"cv": "session", "protocol": "clean", "fold": 1})
    write_folds(directory / "folds" / "session-clean", [fold])
    lists = directory / "folds" / "session-clean" / "1"
    parts = [f"data.{part}={lists / part}.ids" for part in ("train", "validation", "test")]
    return [f"data.directory={directory}", *parts]
