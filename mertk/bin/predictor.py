"""Models of one experiment, and what turns a recording into their input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.bin.recording_inputs import Places, Recording, longest_seconds, open_source
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.training.model_directory import SavedModel


#: less is not worth a word, and may be what a codec adds
_LEAST_LEFT_OUT_SECONDS = 0.1


class Predictor:
    """Models of equal task, classes and inputs, whose answers are averaged.

    Args:
        models: model directories.
        device: name of where to compute; None for the first GPU, or the CPU.
        places: where encoders and tokenizer are, when they are not where the features were made.

    Attributes:
        classes: class names; None when the models tell an intensity.

    Raises:
        MertkError: no such model, models that do not go together, features that cannot be made again.
    """

    def __init__(self, models: Sequence[Path], device: str | None, places: Places) -> None:
        import torch

        from mertk.arithmetic import compute_in_full_float32
        from mertk.training.model_directory import load_model

        compute_in_full_float32()
        self.device = open_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.models: list[SavedModel] = [load_model(directory) for directory in models]
        first = self.models[0]
        for directory, saved in zip(models, self.models, strict=True):
            _check_alike(directory, saved, models[0], first)
            saved.model.to(self.device)
        if first.info["miniature"]:
            what = ", ".join(first.info.get("invented") or ["corpus"])
            print(f"note: this model is a miniature (invented: {what}); its answers mean nothing", file=sys.stderr)
        self.classes: list[str] | None = first.info["classes"]
        self.inputs = first.config.data.inputs
        records = first.info["feature_records"]
        self.records = {modality: records.get(modality) for modality in self.inputs}
        self.sources = {
            modality: open_source(modality, given, self.records[modality], places, self.device)
            for modality, given in self.inputs.items()
        }

    def predict(self, recording: Recording) -> np.ndarray:
        """Probabilities (C,) of the classes, or the intensity (1,).

        Raises:
            MertkError: the recording cannot be read, or lacks what the models need.
        """
        import numpy as np
        import torch

        from mertk.batch import to_device
        from mertk.data.dataset import collate

        arrays = {modality: self._read(modality, recording) for modality in self.inputs}
        answers = []
        for saved in self.models:
            row: dict[str, Any] = {"utterance_id": recording.file.stem, "index": 0}
            row |= {modality: _standardized(saved, modality, array) for modality, array in arrays.items()}
            with torch.inference_mode():
                logits = saved.model(to_device(collate([row]), self.device))["logits"].float()
            answers.append((logits if self.classes is None else torch.softmax(logits, dim=1))[0].cpu().numpy())
        return np.mean(answers, axis=0)

    def left_out(self, recording: Recording) -> list[str]:
        """What a recording that could be read has and the models do not see, in words."""
        cut: dict[tuple[str, str], list[str]] = {}
        for modality in {"audio", "video"} & self.inputs.keys():
            seen = longest_seconds(self.inputs[modality], self.records[modality])
            there = recording.seconds(modality)
            if seen and there and there - seen >= _LEAST_LEFT_OUT_SECONDS:
                cut.setdefault((f"{seen:g}", f"{there - seen:.1f}"), []).append(modality)
        return [
            f"the model sees the first {seen} s of {' and '.join(sorted(names))}; the last {rest} s are left out"
            for (seen, rest), names in sorted(cut.items())
        ]

    def _read(self, modality: str, recording: Recording) -> np.ndarray:
        """The input of one modality, cut off where the model's own inputs were."""
        array, record = self.sources[modality](recording), self.records[modality]
        longest = self.inputs[modality].max_seconds
        if record is None or not longest or not record["rate_hz"]:
            return array
        return array[: round(longest * record["rate_hz"])]


def _check_alike(directory: Path, saved: SavedModel, first_directory: Path, first: SavedModel) -> None:
    if any(saved.info[key] != first.info[key] for key in ("task", "classes", "feature_records")):
        raise MertkError(
            f"{directory}: another task, other classes or other features than {first_directory}; give models of one "
            "experiment."
        )


def _standardized(saved: SavedModel, modality: str, array: np.ndarray) -> np.ndarray:
    from mertk.data.inputs import standardize

    statistics = (saved.info.get("normalization") or {}).get(modality)
    return array if statistics is None else standardize(array, statistics)


def open_device(name: str) -> torch.device:
    """The device to compute on.

    Raises:
        MertkError: there is none of this name here.
    """
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # torch says AssertionError where it was built without CUDA, RuntimeError elsewhere.
    except (RuntimeError, AssertionError) as error:
        told = str(error).splitlines()[0]
        raise MertkError(
            f"--device {name}: cannot be used here ({told}); expected cpu, or cuda:N with a GPU."
        ) from error
    return device
