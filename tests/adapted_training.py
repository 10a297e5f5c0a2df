"""A small WavLM or CLIP trained by adapters in front of a method, on clips of two kinds; on any engine and device."""

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
from tests.held_input import HeldInput
from tests.raw_corpus import write_wavlm
from tests.tiny_encoders import SIDE

#: by modality, the encoder, and what it takes
ENCODERS = {
    "audio": "{component: mertk.encoders.audio.PretrainedAudioEncoder, lora_rank: 2, lora_targets: [q_proj, v_proj,"
    " out_proj]}",
    "video": "{component: mertk.encoders.pretrained_pictures.PretrainedPictureEncoder, lora_rank: 2,"
    " lora_targets: [q_proj, v_proj, out_proj], frames_at_once: 3}",
}
KINDS = {"audio": "waveform", "video": "features"}
#: 2 optimizer steps an epoch, the last of one batch
SETTINGS = (
    "loss_weights.task=1",
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


class Sounds(HeldInput):
    """A tone, high or low by the label, in noise."""

    def __init__(self) -> None:
        random = np.random.RandomState(5)
        super().__init__()
        for number in range(NUM_UTTERANCES):
            times = np.arange(random.randint(900, 2600)) / 16000
            tone = np.sin(2 * np.pi * (200 + 600 * (number % 2)) * times)
            self.frames[f"u{number:03d}"] = (tone + random.standard_normal(len(times))).astype(np.float32)


class Pictures(HeldInput):
    """Bytes, darker at the top by the label; of one frame up to five."""

    def __init__(self) -> None:
        random = np.random.RandomState(5)
        super().__init__()
        for number in range(NUM_UTTERANCES):
            frames = random.randint(0, 256, (random.randint(1, 6), 3 * SIDE**2))
            frames[:, : SIDE**2] //= 1 + 3 * (number % 2)
            self.frames[f"u{number:03d}"] = frames.astype(np.uint8)


def write_still_wavlm(folder, seed=0):
    """Weights without dropout and hidden frames, with which two processes are as one."""
    write_wavlm(folder, seed)
    path = folder / "config.json"
    names = ("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "final_dropout")
    still = dict.fromkeys(names, 0.0) | {"apply_spec_augment": False}
    path.write_text(json.dumps(json.loads(path.read_text()) | still))
    return folder


def make_adapted_trainer(run_dir, weights, *settings, start=None, modality="audio"):
    """A trainer on whatever was launched.

    Args:
        start: in place of `mertk.training.accelerator.start_accelerator`.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    model = f"{{component: mertk.models.late_fusion.LateFusion, task: classification, modalities: [{modality}]}}"
    own = [f"model={model}", f"model.{modality}_encoder={ENCODERS[modality]}"]
    own += [f"data.inputs.{modality}.kind={KINDS[modality]}", f"model.{modality}_encoder.weights={weights}"]
    config = load_config([], [*own, *SETTINGS, *settings])
    accelerator = (start or accelerators.start_accelerator)(config.training, run_dir)
    torch.manual_seed(config.training.seed)
    model = build_model(config.model, "model", FACTS, (modality,))
    source = Sounds() if modality == "audio" else Pictures()
    names = [f"u{number:03d}" for number in range(NUM_UTTERANCES)]
    dataset = UtteranceDataset(names, {modality: source}, np.arange(NUM_UTTERANCES) % 2)
    plan = BatchPlan(dataset.lengths(), None, config.sampler.batch_size, seed=config.training.seed)
    place = {"rank": accelerator.process_index, "world_size": accelerator.num_processes}
    info = {"task": "classification", "classes": list("ab"), "facts": FACTS, "miniature": True}
    info |= {"feature_records": {modality: None}}
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


def train_adapted(run_dir, weights, settings=(), resume=False, start=None, modality="audio"):
    """Train to the end; to be called on each process."""
    return make_adapted_trainer(run_dir, weights, *settings, start=start, modality=modality).fit(resume)


def use_zero(stage: int) -> None:
    """Have this process believe that a configuration of DeepSpeed launched it."""
    os.environ.pop("ACCELERATE_USE_CPU", None)
    os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)}
    os.environ |= {"ACCELERATE_DEEPSPEED_ZERO3_INIT": "false"}
