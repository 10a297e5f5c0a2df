"""Foal-Net on random features, small enough to train in a test on any engine."""

import numpy as np
import torch

from mertk.config import load_config
from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import EvaluationLoader, TrainingLoader
from mertk.data.sampler import BatchPlan
from mertk.models.foal import FoalNet
from mertk.training.accelerator import start_accelerator
from mertk.training.engines import engine_name
from mertk.training.model_directory import save_model
from mertk.training.trainer import Trainer
from tests.held_input import HeldInput

FACTS = {"num_classes": 4, "audio_dim": 16, "video_dim": 12}
#: 5 optimizer steps an epoch, the last of one batch; groups of parameters with rates of their own; a limit that bites
SETTINGS = (
    "model={component: mertk.models.foal.FoalNet, projection_dim: 8, projection_dropout: 0.0, attention_dropout: 0.0}",
    "loss_weights={ce: 1.0, avel: 1.0, mem: 0.1}",
    "sampler.batch_size=10",
    "sampler.balanced=false",
    "optimizer.learning_rate=0.001",
    "optimizer.groups=[{pattern: classifier, learning_rate: 0.01}, {pattern: temperature, weight_decay: 0.0}]",
    "optimizer.max_gradient_norm=2.0",
    "optimizer.accumulation_steps=2",
    "schedule.name=warmup_cosine",
    "training.epochs=4",
    "training.trackers=[]",
    "training.log_every=1",
    "training.keep_checkpoints=9",
    "data.num_workers=0",
)
NUM_UTTERANCES = 90


class Features(HeldInput):
    """Frames of one modality; their mean leans to the label."""

    def __init__(self, width, seed):
        random = np.random.RandomState(seed)
        self.width = width
        super().__init__()
        for number in range(NUM_UTTERANCES):
            frames = random.standard_normal((random.randint(3, 9), width)) + 0.5 * (number % 4 == np.arange(width) % 4)
            self.frames[f"u{number:03d}"] = frames.astype(np.float32)


def make_foal_trainer(run_dir, *settings):
    """A trainer on whatever the launcher asked for; it writes `run_dir`, best model included."""
    run_dir.mkdir(parents=True, exist_ok=True)
    config = load_config([], [*SETTINGS, *settings])
    accelerator = start_accelerator(config.training, run_dir)
    torch.manual_seed(config.training.seed)
    arguments = {name: value for name, value in config.model.items() if name != "component"}
    model = FoalNet(**FACTS, **arguments)
    audio, video = Features(16, 3), Features(12, 4)
    dataset = UtteranceDataset(list(audio.frames), {"audio": audio, "video": video}, np.arange(NUM_UTTERANCES) % 4)
    plan = BatchPlan(dataset.lengths(), None, config.sampler.batch_size, seed=config.training.seed)
    place = {"rank": accelerator.process_index, "world_size": accelerator.num_processes}
    info = {"task": "classification", "classes": list("abcd"), "facts": FACTS, "miniature": True}
    info |= {"feature_records": {"audio": None, "video": None}}
    return Trainer(
        accelerator,
        model,
        config,
        run_dir,
        TrainingLoader(dataset, plan, **place),
        # Three batches: on two processes one has none to score in the end, unless it keeps in step.
        EvaluationLoader(dataset, 32, **place, in_step=engine_name(accelerator) != "ddp"),
        dataset.ids,
        lambda scores: {"ua": float((scores.logits.argmax(axis=1) == scores.labels).mean())},
        lambda weights, progress: save_model(run_dir / "best", model, weights, config, info),
    )


def train_foal(run_dir, settings=(), resume=False):
    """Train to the end; to be called on each process."""
    return make_foal_trainer(run_dir, *settings).fit(resume)
