# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A new fusion method, and is it better?
#
# You have an idea how voice and face should be joined. This notebook writes it down, in some forty lines, trains it and
# Foal-Net on the same folds with the same seeds, and asks whether the difference is more than chance.
#
# The idea: in a noisy room trust the face, in the dark the voice. A **gate** looks at both and says how much each
# counts.
#
# Everything is written below `exp/examples/new_fusion`, in the folder you start this from.

# %%
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import mertk
from mertk.command import main
from mertk.data.data_directory import building_data_directory
from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
from mertk.distributed import global_mean
from mertk.nn.pooling import masked_mean

FOLDER = Path("exp/examples/new_fusion")

# %% [markdown]
# ## The method
#
# A method is a `mertk.Model`. Arguments of the constructor are keys of the configuration; widths and the number of
# classes are filled in from the data. `forward` gets a batch, sequences filled up to equal length with their true
# `_lengths` beside them, and gives `logits`. `losses` gives the terms of the loss by name; `global_mean` makes them
# right on any number of GPUs, too. That is all of the contract: the training loop, engines, checkpoints, scoring and
# `mertk predict` need nothing else.


# %%
class GatedFusion(mertk.Model):
    """Means over frames of voice and face, each classified; a gate weighs the two answers.

    Args:
        num_classes: C.
        audio_dim, video_dim: widths of the features.
        hidden_dim: of what both are mapped to.
        dropout: on it.
    """

    def __init__(
        self, num_classes: int, audio_dim: int, video_dim: int, hidden_dim: int = 32, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.audio = self._layers(audio_dim, hidden_dim, dropout)
        self.video = self._layers(video_dim, hidden_dim, dropout)
        self.audio_answer = nn.Linear(hidden_dim, num_classes)
        self.video_answer = nn.Linear(hidden_dim, num_classes)
        self.gate = nn.Sequential(nn.Linear(2 * hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2))

    @staticmethod
    def _layers(width: int, hidden_dim: int, dropout: float) -> nn.Module:
        return nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, hidden_dim), nn.ReLU(), nn.Dropout(dropout))

    @staticmethod
    def _summary(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Mean and spread over frames: (B, T, D) to (B, 2 D). Noise shows in the spread."""
        mean = masked_mean(frames, lengths)
        return torch.cat([mean, (masked_mean(frames**2, lengths) - mean**2).clamp(min=1e-6).sqrt()], dim=1)

    def forward(self, batch):
        voice = self.audio(self._summary(batch["audio"], batch["audio_lengths"]))
        face = self.video(self._summary(batch["video"], batch["video_lengths"]))
        weights = self.gate(torch.cat([voice, face], dim=1)).softmax(dim=1)  # (B, 2)
        answers = torch.stack([self.audio_answer(voice), self.video_answer(face)], dim=1)  # (B, 2, C)
        return {"logits": (weights[:, :, None] * answers).sum(dim=1), "weights": weights}

    def losses(self, output, batch):
        return {"ce": global_mean(functional.cross_entropy(output["logits"], batch["labels"], reduction="none"))}


# %% [markdown]
# Try it on a batch before anything is trained: shapes, and a gradient for every parameter.

# %%
batch = {
    "audio": torch.randn(4, 9, 6),
    "audio_lengths": torch.tensor([9, 7, 5, 9]),
    "video": torch.randn(4, 5, 8),
    "video_lengths": torch.tensor([5, 5, 2, 3]),
    "labels": torch.tensor([0, 1, 2, 0]),
}
untrained = GatedFusion(num_classes=3, audio_dim=6, video_dim=8)
output = untrained(batch)
untrained.losses(output, batch)["ce"].backward()
print("logits", tuple(output["logits"].shape), "weights", tuple(output["weights"].shape))
print("parameters without a gradient:", [name for name, one in untrained.named_parameters() if one.grad is None])

# %% [markdown]
# ## Data to compare on
#
# Twelve invented speakers, three emotions. In each recording either the voice is buried in noise or the face is: just
# what the gate is for, so do not wonder if it wins here. What it is worth on people is for real recordings to say.
#
# A data directory has a column a file, features, and folds. Yours is made by `mertk prepare` and `mertk extract` (see
# `own_csv_to_report.py`); here we write one from Python.

# %%
CLASSES = ["angry", "happy", "sad"]
random = np.random.default_rng(3)
columns = {"utt2label": {}, "utt2spk": {}}
features = {"audio": {}, "video": {}}
for speaker in range(12):
    accent = {"audio": random.normal(0, 0.5, 6), "video": random.normal(0, 0.5, 8)}
    for take in range(18):
        name, emotion = f"s{speaker:02}_{take:02}", take % 3
        columns["utt2label"][name], columns["utt2spk"][name] = CLASSES[emotion], f"s{speaker:02}"
        noisy = random.choice(["audio", "video"])
        for modality, (num_frames, width) in {"audio": (12, 6), "video": (8, 8)}.items():
            frames = random.normal(accent[modality], 4.0 if modality == noisy else 0.7, (num_frames, width))
            frames[:, emotion] += 1.0
            features[modality][name] = frames.astype(np.float32)

data = FOLDER / "data"
corpus = {"corpus": "invented", "source": "new_fusion_method.py"}
if not data.exists():
    with building_data_directory(data, columns, corpus, CLASSES) as directory:
        directory.add_folds("speaker", 3)
    for modality, matrices in features.items():
        folder = data / "features" / modality
        width = next(iter(matrices.values())).shape[1]
        record = FeatureRecord(modality, "invented", "none", "none", "none", 10.0, width)
        with FeatureWriter(folder, record) as writer:
            for name, frames in matrices.items():
                writer.write(name, frames)
        merge_parts(folder, list(matrices))

# %% [markdown]
# ## The same folds, the same seeds
#
# Two configurations that differ in the model alone. Each is trained on three folds (nobody who is tested was trained
# on) with two seeds; the epoch is chosen on a third group of speakers.
#
# `mertk.cross_validate` would do this loop, with a process for each training. A process cannot import a class out of a
# notebook, so here we train in this one. Once the class is in a file of its own, `component: my_module.GatedFusion` is
# all that recipes, `mertk tune` and `mertk export` need to use it.

# %%
SHARED = {
    "run": {"cv": "speaker", "protocol": "clean"},
    "data": {
        "directory": str(data),
        "inputs": {"audio": {"kind": "features"}, "video": {"kind": "features"}},
        "num_workers": 0,
    },
    "optimizer": {"learning_rate": 5e-3},
    "training": {"epochs": 8, "monitor": "ua", "trackers": []},
}
METHODS = {
    "gated": {
        "run": {"variant": "gated"},
        "model": {"component": f"{__name__}.GatedFusion"},
        "loss_weights": {"ce": 1.0},
    },
    "foal": {
        "run": {"variant": "foal"},
        "model": {"component": "mertk.models.foal.FoalNet", "projection_dim": 16, "num_heads": 2, "num_layers": 1},
        "loss_weights": {"ce": 1.0, "avel": 1.0, "mem": 0.1},
    },
}


def train_and_score(method: str) -> None:
    runs = []
    for fold in (1, 2, 3):
        lists = data / "folds/speaker-clean" / str(fold)
        for seed in (1, 2):
            run = FOLDER / method / f"speaker-clean/fold_{fold}/seed_{seed}"
            settings = [f"data.{part}={lists}/{part}.ids" for part in ("train", "validation", "test")]
            settings += [f"run.output_dir={run}", f"run.fold={fold}", f"training.seed={seed}"]
            merged = {key: {**SHARED.get(key, {}), **METHODS[method].get(key, {})} for key in SHARED | METHODS[method]}
            mertk.train(merged, settings, overwrite=True)
            runs.append(run)
    scores = mertk.evaluate(runs, trust=__name__, again=True)
    print(f"{method}: UA {scores.ua.mean():.1%} ± {scores.ua.std():.1%} over {len(scores)} runs")


for method in METHODS:
    train_and_score(method)

# %% [markdown]
# ## Is the difference more than chance?
#
# Two means and their spreads do not tell: both methods find the same speakers hard. A **paired** test asks what would
# happen if, speaker by speaker, the answers of the two methods changed sides. `mertk compare` does that, gives the
# difference with a 95 % interval by drawing speakers anew, and refuses to compare what was not measured on the same
# utterances.
#
#     mertk compare exp/gated exp/foal

# %%
main(["compare", str(FOLDER / "gated"), str(FOLDER / "foal")])

# %% [markdown]
# ## Does the gate do what we meant?
#
# A better figure does not say why. Ask the model for its weights: the voice should count for less where it is noisy. It
# does, a little; most of the gain must come from elsewhere (the spread over frames, perhaps). That is the next
# experiment: the same class without its gate.

# %%
model = mertk.load(FOLDER / "gated/speaker-clean/fold_1/seed_1/best", trust=__name__).models[0].model
tested = (data / "folds/speaker-clean/1/test.ids").read_text(encoding="utf-8").split()
sides = {"voice": [], "face": []}
for name in tested:
    given = {}
    for modality in ("audio", "video"):
        given[modality] = torch.from_numpy(features[modality][name])[None]
        given[f"{modality}_lengths"] = torch.tensor([given[modality].shape[1]])
    with torch.no_grad():
        weight_of_voice = float(model(given)["weights"][0, 0])
    noisy = "voice" if features["audio"][name].std() > features["video"][name].std() else "face"
    sides[noisy].append(weight_of_voice)
for noisy, weights in sides.items():
    print(f"weight of the voice where the {noisy} is noisy: {np.mean(weights):.2f}")
