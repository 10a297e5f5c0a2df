"""A model and data small enough to know the answers, on the real training loop."""

import numpy as np
import torch
from accelerate import Accelerator
from torch.nn import functional

from mertk import distributed
from mertk.config import load_config
from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import EvaluationLoader, TrainingLoader
from mertk.data.sampler import BatchPlan
from mertk.models.base import Model
from mertk.training.trainer import Trainer
from tests.held_input import HeldInput


class Frames(HeldInput):
    """Features that tell the class of an utterance: the mean of its frames is near +1 or -1."""

    width = 4

    def __init__(self, count, bad=None):
        random = np.random.RandomState(3)
        super().__init__()
        for number in range(count):
            frames = random.standard_normal((random.randint(2, 9), 4)) + (1 if number % 2 else -1)
            self.frames[f"u{number:03d}"] = frames.astype(np.float32)
        if bad is not None:
            self.frames[bad][:] = 3e38  # finite, but the sum over frames is not


class Classifier(Model):
    def __init__(self, dropout=0.2, width=8):
        super().__init__()
        self.hidden = torch.nn.Linear(4, width)
        self.dropout = torch.nn.Dropout(dropout)
        self.out = torch.nn.Linear(width, 2)

    def forward(self, batch):
        pooled = batch["video"].sum(dim=1) / batch["video_lengths"][:, None]
        return {"logits": self.out(self.dropout(torch.tanh(self.hidden(pooled))))}

    def losses(self, output, batch):
        values = functional.cross_entropy(output["logits"], batch["labels"], reduction="none")
        return {"ce": distributed.global_mean(values)}


class Listener(Model):
    """Hears a waveform and sees frames; a change of any sample changes its output."""

    def __init__(self):
        super().__init__()
        self.out = torch.nn.Linear(5, 2)

    def forward(self, batch):
        seen = batch["video"].sum(dim=1) / batch["video_lengths"][:, None]
        return {"logits": self.out(torch.cat([batch["audio"].abs().mean(dim=1)[:, None], seen], dim=1))}

    def losses(self, output, batch):
        values = functional.cross_entropy(output["logits"], batch["labels"], reduction="none")
        return {"ce": distributed.global_mean(values)}


def make_trainer(run_dir, *settings, bad=None, dropout=0.2, width=8, count=48, asked_to_stop=lambda: False):
    run_dir.mkdir(parents=True, exist_ok=True)
    defaults = ["loss_weights.ce=1", "training.epochs=4", "optimizer.learning_rate=0.02", "training.trackers=[]"]
    config = load_config([], ["data.num_workers=0", *defaults, *settings])
    torch.manual_seed(config.training.seed)
    model = Classifier(dropout, width)
    frames = Frames(count, bad)
    dataset = UtteranceDataset(list(frames.frames), {"video": frames}, np.arange(count) % 2)
    plan = BatchPlan(dataset.lengths(), None, config.sampler.batch_size, seed=config.training.seed)
    best = {}

    def measure(scores):
        return {"ua": float((scores.logits.argmax(axis=1) == scores.labels).mean())}

    accelerator = Accelerator(cpu=True)
    place = {
        "num_workers": config.data.num_workers,
        "rank": accelerator.process_index,
        "world_size": accelerator.num_processes,
    }
    trainer = Trainer(
        accelerator,
        model,
        config,
        run_dir,
        TrainingLoader(dataset, plan, **place),
        EvaluationLoader(dataset, 16, **place),
        dataset.ids,
        measure,
        lambda weights, progress: best.update(weights=weights, epoch=progress.best_epoch),
        asked_to_stop,
    )
    return trainer, best
