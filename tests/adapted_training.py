"""A small WavLM trained by adapters in front of a method, on sounds of two kinds; on any engine and device."""

from __future__ import annotations

import json
import os

import numpy as np
import torch

from mertk.config import load_config
from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import EvaluationLoader, TrainingLoader
from mertk.data.sampler import BatchPlan
from mertk.training import accelerator as accelerators
from mertk.training.building import build_model
from mertk.training.model_directory import save_model
from mertk.training.trainer import Trainer
from tests.raw_corpus import write_wavlm

#: 2 optimizer steps an epoch, the last of one batch
SETTINGS = (
    "model={component: mertk.models.late_fusion.LateFusion, task: classification, modalities: [audio]}",
    "model.audio_encoder={component: mertk.encoders.audio.PretrainedAudioEncoder, lora_rank: 2, lora_targets: [q_proj,"
    " v_proj, out_proj]}",
    "loss_weights.task=1",
    "data.inputs.audio.kind=waveform",
    "data.num_workers=0",
    "sampler.batch_size=6",
    "sampler.balanced=false",
    "optimizer.learning_rate=0.02",
    "optimizer.layer_decay=0.5",
    "optimizer.max_gradient_norm=1.0",
    "optimizer.accumulation_steps=2",
    "schedule.name=warmup_cosine",
    "training.epochs=2",
    "training.trackers=[]",
    "training.keep_checkpoints=9",
)
NUM_UTTERANCES = 20
FACTS = {"num_classes": 2}


class Sounds:
    """A tone, high or low by the label, in noise."""

    record = None

    def __init__(self) -> None:
        random = np.random.RandomState(5)
        self.waves = {}
        for number in range(NUM_UTTERANCES):
            times = np.arange(random.randint(900, 2600)) / 16000
            tone = np.sin(2 * np.pi * (200 + 600 * (number % 2)) * times)
            self.waves[f"u{number:03d}"] = (tone + random.standard_normal(len(times))).astype(np.float32)

    def has(self, utterance):
        return utterance in self.waves

    def length(self, utterance):
        return len(self.waves[utterance])

    def read(self, utterance):
        return self.waves[utterance]


def write_still_wavlm(folder, seed=0):
    """Weights without dropout and hidden frames, with which two processes are as one."""
    write_wavlm(folder, seed)
    path = folder / "config.json"
    names = ("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "final_dropout")
    still = dict.fromkeys(names, 0.0) | {"apply_spec_augment": False}
    path.write_text(json.dumps(json.loads(path.read_text()) | still))
    return folder


def make_adapted_trainer(run_dir, weights, *settings, start=None):
    """A trainer on whatever was launched.

    Args:
        start: in place of `mertk.training.accelerator.start_accelerator`.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    config = load_config([], [*SETTINGS, f"model.audio_encoder.weights={weights}", *settings])
    accelerator = (start or accelerators.start_accelerator)(config.training, run_dir)
    torch.manual_seed(config.training.seed)
    model = build_model(config.model, "model", FACTS, ("audio",))
    sounds = Sounds()
    dataset = UtteranceDataset(list(sounds.waves), {"audio": sounds}, np.arange(NUM_UTTERANCES) % 2)
    plan = BatchPlan(dataset.lengths(), None, config.sampler.batch_size, seed=config.training.seed)
    place = {"rank": accelerator.process_index, "world_size": accelerator.num_processes}
    info = {"task": "classification", "classes": list("ab"), "facts": FACTS, "miniature": True}
    info |= {"feature_records": {"audio": None}}
    return Trainer(
        accelerator,
        model,
        config,
        run_dir,
        TrainingLoader(dataset, plan, **place),
        EvaluationLoader(dataset, 32, **place, in_step=True),
        dataset.ids,
        lambda scores: {"ua": float((scores.logits.argmax(axis=1) == scores.labels).mean())},
        lambda weights, progress: save_model(run_dir / "best", model, weights, config, info),
    )


def train_adapted(run_dir, weights, settings=(), resume=False, start=None):
    """Train to the end; to be called on each process."""
    return make_adapted_trainer(run_dir, weights, *settings, start=start).fit(resume)


def use_zero(stage: int) -> None:
    """Have this process believe that a configuration of DeepSpeed launched it."""
    os.environ.pop("ACCELERATE_USE_CPU", None)
    os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)}
    os.environ |= {"ACCELERATE_DEEPSPEED_ZERO3_INIT": "false"}
