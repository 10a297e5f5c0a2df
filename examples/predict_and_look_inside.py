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
# # Predict, and look inside
#
# A trained model gives an answer. This notebook asks four more questions of it: how sure is it, which modality does the
# answer come from, which moment, and what has the training done to the vectors inside?
#
# Nothing is downloaded: the "recordings" are invented here, so that we know what there is to be found. The model is a
# small Foal-Net, which takes some seconds to train on a processor. With a model of your own, `mertk.load` and all that
# follows are the same.
#
# Everything is written below `exp/examples/look_inside`, in the folder you start this from.

# %%
from pathlib import Path

import numpy as np
import torch

import mertk
from mertk.models.foal import FoalNet

FOLDER = Path("exp/examples/look_inside")
CLASSES = ["angry", "happy", "sad"]

# %% [markdown]
# ## Recordings with a secret
#
# Each has 40 frames of a voice (6 numbers a frame) and 20 frames of a face (8 numbers). The voice is noise, except for
# frames 10 to 19, where one of its first three numbers is raised: which one is the emotion. The face shows the emotion
# all the time, but faintly, and in other places: in one of its last three numbers.


# %%
def recording(number: int) -> dict:
    random = np.random.default_rng(number)
    emotion = number % len(CLASSES)
    voice, face = random.normal(size=(40, 6)), random.normal(size=(20, 8))
    voice[10:20, emotion] += 1.5
    face[:, 5 + emotion] += 0.25
    return {"utterance_id": f"u{number}", "audio": voice, "video": face, "label": CLASSES[emotion]}


recordings = [recording(number) for number in range(240)]
train, validation, test = recordings[:150], recordings[150:180], recordings[180:]

# %% [markdown]
# ## A model
#
# `mertk.train` takes a model and rows of one's own. With `dropout` on both inputs, training leaves out the voice of one
# utterance in four and the face of another: the model learns to do without, and we may ask it what it would say if one
# were missing.

# %%
torch.manual_seed(1)
model = FoalNet(num_classes=3, audio_dim=6, video_dim=8, projection_dim=16, num_heads=2, num_layers=1)
config = {
    "run": {"output_dir": str(FOLDER / "run")},
    "data": {
        "inputs": {"audio": {"kind": "features", "dropout": 0.25}, "video": {"kind": "features", "dropout": 0.25}}
    },
    "loss_weights": {"ce": 1.0, "avel": 1.0, "mem": 0.1},
    "optimizer": {"learning_rate": 0.005},
    "training": {"epochs": 12, "monitor": "ua", "trackers": []},
}
run = mertk.train(config, model=model, train=train, validation=validation, test=test, overwrite=True)
print(f"best epoch {run.best_epoch}; right of the test recordings: {run.test_metrics['wa']:.0%}")

# %% [markdown]
# ## What it says
#
# `predict` takes a file, sound in memory, or arrays as here. The answer has a label, the probability of each class, and
# notes: what the model did not see, or was not sure it could use.

# %%
predictor = mertk.load(run.model_directory)
one = {"audio": test[0]["audio"], "video": test[0]["video"]}
answer = predictor.predict(one)
print("true label:", test[0]["label"])
print("answer:    ", answer.label)
print("probabilities:", {name: round(value, 2) for name, value in answer.probabilities.items()})

# %% [markdown]
# A probability is only worth something if it comes true as often as it says. Over the test recordings: of the answers
# that the model is at least 80 % sure of, how many are right?

# %%
answers = predictor.predict([{"audio": row["audio"], "video": row["video"]} for row in test])
sure = [
    answer.label == row["label"]
    for answer, row in zip(answers, test, strict=True)
    if max(answer.probabilities.values()) >= 0.8
]
print(f"sure of {len(sure)} of {len(test)}; right in {np.mean(sure):.0%} of these")

# %% [markdown]
# ## Which modality?
#
# Leave one out and ask again. What the probability of the answer loses is what that modality contributed. It falls
# without the voice, and hardly without the face: the voice tells more, as we know, since we made it so.
#
# For whole corpora `mertk evaluate EXP --drop video` does this with intervals.

# %%
certainty = answer.probabilities[answer.label]
for absent in ("audio", "video"):
    rest = {name: frames for name, frames in one.items() if name != absent}
    without = predictor.predict(rest)
    print(f"without {absent}: {answer.label} {certainty:.2f} -> {without.probabilities[answer.label]:.2f}")
    print("  ", "; ".join(without.notes))

# %% [markdown]
# ## Which moment?
#
# The same idea in time: put nothing (the mean of the training data, which is 0 here) in the place of five frames of the
# voice, slide that over the recording, and watch the probability of the true class. To see more than the luck of one
# recording, we take the mean over all of them.

# %%
starts = range(0, 40, 5)
falls = []
for start in starts:
    hidden = []
    for row in test:
        voice = row["audio"].copy()
        voice[start : start + 5] = 0
        hidden.append({"audio": voice, "video": row["video"]})
    falls.append(
        np.mean(
            [
                before.probabilities[row["label"]] - after.probabilities[row["label"]]
                for before, after, row in zip(answers, predictor.predict(hidden), test, strict=True)
            ]
        )
    )
largest = max(falls)
for start, fall in zip(starts, falls, strict=True):
    print(f"frames {start:2} to {start + 4:2}: {fall:+.3f}  {'#' * round(30 * max(fall, 0) / largest)}")
told = sorted(start for _, start in sorted(zip(falls, starts, strict=True))[-2:])
print(f"the answers come from frames {told[0]} to {told[-1] + 4}")

# %% [markdown]
# ## What happened inside?
#
# Foal-Net aligns voice and face: its loss AVEL pulls the vectors of utterances of the same emotion together across
# modalities, and others apart. `representations` gives vectors before and after that step. Take the voice of each
# recording, and find the face whose vector is most like it: is it of the same emotion? By chance one in three would be.
#
# `mertk plot` draws such vectors of a trained experiment.

# %%
network = predictor.models[0].model
labels = np.array([row["label"] for row in test])
batch = {
    "audio": torch.tensor(np.stack([row["audio"] for row in test]), dtype=torch.float32),
    "video": torch.tensor(np.stack([row["video"] for row in test]), dtype=torch.float32),
    "audio_lengths": torch.full((len(test),), 40),
    "video_lengths": torch.full((len(test),), 20),
}
with torch.no_grad():
    vectors = network.representations(batch)
for stage in ("before AVEL", "after AVEL"):
    likeness = vectors[f"{stage}/audio"] @ vectors[f"{stage}/video"].T
    nearest = likeness.argmax(dim=1).numpy()
    print(
        f"{stage}: the nearest face is of the same emotion for {np.mean(labels[nearest] == labels):.0%} of the voices"
    )

# %% [markdown]
# ## From here
#
# - `mertk.load("exp/.../best").predict("interview.mp4")` asks a model that a recipe trained.
# - `predictor.timeline("lecture.mp4")` answers a long recording window by window.
# - docs/robustness.md: what a model copes with, modalities absent or noisy, over a whole test part.
