"""Small feature files in the layout of the published ones, for the tests of their import."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from mertk.data_prep import mmsa

STEPS = {"audio": 7, "vision": 6, "text": 5}
WIDTHS = {"audio": 5, "vision": 20, "text": 8}
COUNTS = {"train": 6, "valid": 3, "test": 4}


def make_part(name: str, count: int, sims: bool = False) -> dict:
    """Features that are never 0 within their lengths, tokens that tell part and row."""
    rng = np.random.default_rng(len(name))
    part = {
        "id": np.array([f"{name}{row // 2}$_${row % 2 + 1}" for row in range(count)], dtype="<U20"),
        "raw_text": np.array([f"words {row}  of {name}" for row in range(count)]),
        "regression_labels": np.linspace(-1, 1, count, dtype=np.float32),
        "classification_labels": np.zeros(count),
        "annotations": ["Neutral"] * count,
        "audio_lengths": [row % STEPS["audio"] + 1 for row in range(count)],
        "vision_lengths": [row % STEPS["vision"] + 1 for row in range(count)],
    }
    tokens = np.zeros((count, 3, STEPS["text"]), dtype=np.float32)
    for row in range(count):
        length = row % 4 + 2
        tokens[row, 0, :length] = 100 * row + np.arange(length)
        tokens[row, 1, :length] = 1
        tokens[row, 2, 1:length] = 1
    part["text_bert"] = tokens
    for key, steps in STEPS.items():
        part[key] = rng.uniform(0.5, 1.5, (count, steps, WIDTHS[key])).astype(np.float32)
        if key != "text":
            for row, length in enumerate(part[f"{key}_lengths"]):
                part[key][row, length:] = 0
    if sims:
        for letter, shift in zip("TAV", (0.1, 0.2, -0.1), strict=True):
            part[f"regression_labels_{letter}"] = np.clip(part["regression_labels"] + shift, -1, 1)
    return part


def make_content(sims: bool = False) -> dict:
    return {name: make_part(name, count, sims) for name, count in COUNTS.items()}


def make_aligned() -> dict:
    content = make_content()
    for part in content.values():
        del part["audio_lengths"], part["vision_lengths"]
        part["audio"], part["vision"] = part["audio"][:, :5] + 0.1, part["vision"][:, :5] + 0.1
        for row, mask in enumerate(part["text_bert"][:, 1]):
            part["audio"][row, mask == 0] = part["vision"][row, mask == 0] = 0
    return content


def write(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def run(folder: Path, content: object, *options: str, corpus: str = "mosi", protocol: int = 4) -> int:
    path = write(folder / "features.pkl", content, protocol)
    return mmsa.main(["--features", str(path), "--corpus", corpus, "--out", str(folder / "data"), *options])


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
