"""Models of one experiment, and what turns a recording into their input."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.recording import Recording
from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError
from mertk.run.recording_inputs import Places, Source, longest_seconds, open_source

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.config import InputConfig
    from mertk.tasks import Task
    from mertk.training.model_directory import SavedModel


#: less is not worth a word, and may be what a codec adds
_LEAST_LEFT_OUT_SECONDS = 0.1

#: what must be equal of the features of models whose answers are averaged; each cuts and averages them in its own way
_KIND = ("extractor", "weights_fingerprint", "layer", "dimension")


@dataclass
class _Intake:
    """What one model takes of one modality.

    Attributes:
        record: of the feature directory that it was trained on; None for waveforms.
        key: equal for two models that can share what is read of a recording.
    """

    modality: str
    given: InputConfig
    record: dict[str, Any] | None

    @property
    def key(self) -> str:
        waveform = None if self.record else (self.given.sample_rate_hz, self.given.max_seconds)
        return json.dumps([self.modality, self.record, waveform], sort_keys=True)

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The array, cut off where the model's own inputs were."""
        longest = self.given.max_seconds
        if self.record is None or not longest or not self.record["rate_hz"]:
            return array
        return array[: round(longest * self.record["rate_hz"])]


class Predictor:
    """Models of equal task, classes and kinds of input, whose answers are averaged.

    Args:
        models: model directories.
        device: name of where to compute; None for the first GPU, or the CPU.
        places: where encoders and tokenizer are, when they are not where the features were made.
        trusted: modules, besides mertk's own, whose classes the models may be made of.

    Attributes:
        task: of the models; it says what an answer comes to.
        classes: class names; None when the task has none.

    Raises:
        MertkError: no such model, models that do not go together, features that cannot be made again.
    """

    def __init__(self, models: Sequence[Path], device: str | None, places: Places, trusted: Sequence[str] = ()) -> None:
        import torch

        from mertk.numerics import compute_in_full_float32
        from mertk.tasks import find_task
        from mertk.training.model_directory import load_model

        compute_in_full_float32()
        self.device = open_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.models: list[SavedModel] = [load_model(directory, trusted) for directory in models]
        first = self.models[0]
        for directory, saved in zip(models, self.models, strict=True):
            _check_alike(directory, saved, models[0], first)
            saved.model.to(self.device)
        miniatures = [saved.info for saved in self.models if saved.info["miniature"]]
        if miniatures:
            what = ", ".join(miniatures[0].get("invented") or ["corpus"])
            print(f"note: a model is a miniature (invented: {what}); its answers mean nothing", file=sys.stderr)
        self.task: Task = find_task(first.info["task"])
        self.classes: list[str] | None = first.info["classes"]
        self.intakes = [_intakes(saved) for saved in self.models]
        self.modalities = first.config.data.inputs.keys()
        self.sources: dict[str, Source] = {}
        for intake in itertools.chain.from_iterable(self.intakes):
            if intake.key not in self.sources:
                made = open_source(intake.modality, intake.given, intake.record, places, self.device)
                self.sources[intake.key] = made

    def predict(self, recording: Recording) -> np.ndarray:
        """What the models say on average (C,), as their task has it: probabilities, or the intensity.

        Raises:
            RecordingError: the recording cannot be read, lacks what the models need, or has no answer that is a number.
        """
        import numpy as np

        from mertk.data.recording_file import check_file

        if {"audio", "video"} & self.modalities:  # words may be all that there is
            check_file(recording.file, "audio")
        arrays: dict[str, np.ndarray] = {}
        for intake in itertools.chain.from_iterable(self.intakes):
            if intake.key not in arrays:
                arrays[intake.key] = _read(self.sources[intake.key], intake.modality, recording)
        lacks = _lacks(recording, self.modalities)
        if len(lacks) == len(self.modalities):
            raise RecordingError(f"{' and '.join(lacks)}, so there is nothing to judge by.", "empty")
        answers = [
            self._answer(saved, {intake.modality: intake.cut(arrays[intake.key]) for intake in intakes}, recording)
            for saved, intakes in zip(self.models, self.intakes, strict=True)
        ]
        return np.mean(answers, axis=0)

    def _answer(self, saved: SavedModel, arrays: dict[str, np.ndarray], recording: Recording) -> np.ndarray:
        """What one model says, (C,) or (1,)."""
        import numpy as np
        import torch

        from mertk.batch import to_device
        from mertk.data.dataset import collate

        for modality, most in getattr(saved.model, "steps", {}).items():  # of a model that cuts off what is longer
            if len(arrays[modality]) > most:
                recording.notes.append(f"the model sees {most} of the {len(arrays[modality])} steps of its {modality}")
        row: dict[str, Any] = {"utterance_id": recording.file.stem, "index": 0}
        row |= {modality: _standardized(saved, modality, array) for modality, array in arrays.items()}
        with torch.inference_mode():
            logits = saved.model(to_device(collate([row]), self.device))["logits"].float()
        answer = self.task.answer(logits)[0].cpu().numpy()
        if not np.isfinite(answer).all():
            raise RecordingError("the model's answer is NaN or infinite; look at the recording.", "not_finite")
        return answer

    def notes(self, recording: Recording) -> list[str]:
        """What is to be known of an answer: what the recording has and the models do not see, or lacks."""
        left_out = [part for intakes in self.intakes for part in _left_out(intakes, recording)]
        return list(dict.fromkeys([*left_out, *recording.notes, *_lacks(recording, self.modalities)]))


def _intakes(saved: SavedModel) -> list[_Intake]:
    records = saved.info["feature_records"]
    return [_Intake(modality, given, records.get(modality)) for modality, given in saved.config.data.inputs.items()]


def _read(source: Source, modality: str, recording: Recording) -> np.ndarray:
    """The array of one modality; RecordingError when it is none of numbers."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # what becomes of it is looked at
        array = source(recording)
    if not np.isfinite(array).all():
        raise RecordingError(
            f"its {modality} gives NaN or infinite values; look at the recording (samples beyond 1, damage).",
            "not_finite",
        )
    return array


def _lacks(recording: Recording, modalities: Collection[str]) -> list[str]:
    """What is there and empty, in words."""
    lacks = []
    if "audio" in modalities and recording.is_silent:
        lacks.append("its sound is nothing but silence")
    if "text" in modalities and not (recording.transcript or "").strip():
        lacks.append("no word of it was given")
    return lacks


def _left_out(intakes: list[_Intake], recording: Recording) -> list[str]:
    """What a recording that could be read has and a model does not see, in words."""
    cut: dict[tuple[str, str], list[str]] = {}
    for intake in intakes:
        if intake.modality not in ("audio", "video"):
            continue
        seen = longest_seconds(intake.given, intake.record)
        there = recording.seconds(intake.modality)
        if seen and there and there - seen >= _LEAST_LEFT_OUT_SECONDS:
            cut.setdefault((f"{seen:g}", f"{there - seen:.1f}"), []).append(intake.modality)
    return [
        f"the model sees the first {seen} s of {' and '.join(sorted(names))}; the last {rest} s are left out"
        for (seen, rest), names in sorted(cut.items())
    ]


def _check_alike(directory: Path, saved: SavedModel, first_directory: Path, first: SavedModel) -> None:
    if any(saved.info[key] != first.info[key] for key in ("task", "classes")) or _kinds(saved) != _kinds(first):
        raise MertkError(
            f"{directory}: another task, other classes or other features than {first_directory}; give models of one "
            "experiment."
        )


def _kinds(saved: SavedModel) -> dict[str, list[Any]]:
    """By modality, what the model takes."""
    return {
        intake.modality: [intake.given.kind, *((intake.record or {}).get(key) for key in _KIND)]
        for intake in _intakes(saved)
    }


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
