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
# # From a table of your own to a report
#
# You have recordings, and a table that says what they are. This notebook goes from there to a page of results. Is the
# table sound, into which parts is it cut, what does a model learn from it, how sure is that, what does it get wrong?
#
# So that it runs anywhere, the recordings are made here: beeps of six "speakers", shrill and unsteady when "excited",
# dull and even when "calm". Put your own table in their place. Each cell says the command that does the same in a
# terminal; one command, `bash recipes/own/run.sh --csv clips.csv`, does all of it.
#
# Everything is written below `exp/examples/own_csv`, in the folder you start this from.

# %%
import csv
import json
import shlex
from pathlib import Path

import numpy as np
import soundfile

import mertk
from mertk.command import main

FOLDER = Path("exp/examples/own_csv")
RATE_HZ = 16000


def command(line: str) -> int:
    """What `mertk LINE` does in a terminal; returns its exit code."""
    return main(shlex.split(line))


# %% [markdown]
# ## The table
#
# A row a recording: its file, its label, who speaks. Other columns may say what is said, where in the file it is, or
# which part it belongs to; `mertk prepare csv --help` has them all. As in real tables, something is wrong: somebody
# wrote "Calm" for "calm", and one file is missing.


# %%
def beep(path: Path, random: np.random.Generator, is_excited: bool, pitch_hz: float) -> None:
    """Half a second of a tone in noise, with overtones that the excited have more of; a speaker has a pitch."""
    seconds = np.arange(RATE_HZ // 2) / RATE_HZ
    excitement = random.normal(1.0 if is_excited else 0.0, 0.3)
    pitch_hz *= 2 ** random.normal(0, 0.1)
    overtones = range(1, 20)
    tone = sum(np.sin(2 * np.pi * pitch_hz * n * seconds) / n ** (2 - excitement) for n in overtones)
    tone = tone * (1 + 0.5 * excitement * np.sin(2 * np.pi * 8 * seconds))
    soundfile.write(path, 0.05 * (tone + random.normal(0, 0.3, len(seconds))), RATE_HZ)


clips = FOLDER / "clips"
clips.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(1)
rows = []
for number, speaker in enumerate(["Ada", "Bo", "Cy", "Di", "Eve", "Flo"]):
    for take in range(12):
        label = ["calm", "excited"][take % 2]
        path = clips / f"{speaker}_{label}_{take}.wav"
        beep(path, random, label == "excited", 100 + 30 * number)
        rows.append([f"clips/{path.name}", "Calm" if take == 0 else label, speaker])
rows.append(["clips/lost.wav", "calm", "Ada"])
with (FOLDER / "clips.csv").open("w", encoding="utf-8", newline="") as file:
    csv.writer(file).writerows([["file", "label", "speaker"], *rows])

# %% [markdown]
# ## A data directory
#
#     mertk prepare csv clips.csv --out data/mine --folds 3
#
# It reads the table and every file, says all that is wrong at once, joins "Calm" with "calm" and tells it, leaves the
# lost file out and keeps a ledger of that, and cuts the rest into three folds. Nobody who is tested was trained on: the
# folds keep a speaker together.

# %%
data = FOLDER / "data"
command(f"prepare csv {FOLDER}/clips.csv --out {data} --folds 3")

# %% [markdown]
# `excluded.tsv` is the ledger. `mertk.read_manifest` gives the directory as a table of pandas.

# %%
print((data / "excluded.tsv").read_text(encoding="utf-8"))
table = mertk.read_manifest(data)
print(table.groupby("label").size().to_string())

# %% [markdown]
# ## Training
#
#     mertk cross-validate --config audio.yaml --data data/mine --exp exp/mine --cv speaker training.epochs=8
#
# A small encoder of log-mel frames, trained from nothing: once a fold, each in a process of its own, and scored on the
# speakers that it never heard. The best epoch is chosen on a third group of speakers. What is finished is kept: call it
# again, and nothing is trained twice.

# %%
config = {
    "run": {"recipe": "own", "variant": "log_mel", "ablation": "audio"},
    "data": {
        "inputs": {"audio": {"kind": "waveform", "sample_rate_hz": RATE_HZ, "max_seconds": 1.0}},
        "num_workers": 0,
    },
    "sampler": {"batch_size": 8},
    "model": {
        "component": "mertk.models.foal.FoalNet",
        "modalities": ["audio"],
        "alignment": False,
        "matching": False,
        "audio_encoder": {"component": "mertk.encoders.log_mel.LogMelEncoder"},
    },
    "loss_weights": {"ce": 1.0},
    "optimizer": {"learning_rate": 1e-3},
    "training": {"epochs": 8, "monitor": "ua", "trackers": []},
}
results = mertk.cross_validate(config, data, FOLDER / "exp", cv="speaker")
print(results[["fold", "seed", "ua", "wa"]].to_string(index=False))

# %% [markdown]
# ## How sure is that?
#
# Three folds give three numbers. `mertk report` joins them, and draws six speakers anew, with replacement, ten thousand
# times: 95 % of the figures that come of it lie in the interval. Six speakers are few, and the interval says so.
#
#     mertk report exp/mine --out exp/mine/report

# %%
command(f"report {FOLDER}/exp --out {FOLDER}/report")

# %% [markdown]
# `report/report.html` is one page to open, send or print; `RESULTS.md` has the same tables as text, `results.json` for
# programs.

# %%
found = json.loads((FOLDER / "report/results.json").read_text(encoding="utf-8"))
low, high = found["intervals"]["figures"]["ua"]
print(f"UA {found['pooled']['ua']:.0%}, 95 % interval {low:.0%} to {high:.0%}; chance is 50 %")

# %% [markdown]
# ## What does it get wrong?
#
# `mertk.read_results(..., predictions=True)` has a row for each recording that was tested.

# %%
predictions = mertk.read_results(FOLDER / "exp", predictions=True)
wrong = predictions[predictions.truth != predictions.prediction]
print(f"{len(wrong)} of {len(predictions)} are wrong")
print(wrong[["utterance", "truth", "prediction"]].head().to_string(index=False))

# %% [markdown]
# ## A new recording
#
#     mertk predict --model exp/mine/speaker-clean/fold_*/seed_*/best new.wav
#
# The models of all folds are averaged.

# %%
beep(FOLDER / "new.wav", random, True, 150)
models = sorted((FOLDER / "exp").glob("speaker-clean/fold_*/seed_*/best"))
answer = mertk.load(models).predict(FOLDER / "new.wav")
print(answer.label, {name: round(value, 2) for name, value in answer.probabilities.items()})
