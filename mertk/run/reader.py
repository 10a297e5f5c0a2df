"""What models take, read of recordings or given as arrays: the questions that they are asked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.recording import Recording
from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError
from mertk.features import Places, Source, open_source
from mertk.run.absent_inputs import find_absent, find_dispensable, tell_absent
from mertk.run.intakes import Intake, find_lacks, intakes_of, left_out, read_input
from mertk.run.questions import Question, make_question

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.training.model_directory import SavedModel


class Reader:
    """Reads for models of equal kinds of input, each of which may cut and standardise them in its own way.

    Encoders of features are loaded when the first recording needs them, or by `prepare`.

    Args:
        places, trusted: as of `mertk.run.prediction.Predictor`.
        device: where encoders compute.

    Attributes:
        intakes: of each model what it takes.
        modalities: that the models take.
        dispensable: those that all of them do without where they have to.
        sources: by `Intake.key` what reads it of a recording.
    """

    def __init__(
        self, models: Sequence[SavedModel], places: Places, device: torch.device, trusted: Sequence[str] = ()
    ) -> None:
        self.models = models
        self.intakes = [intakes_of(saved) for saved in models]
        self.modalities = tuple(models[0].config.data.inputs)
        self.dispensable = find_dispensable(self.intakes)
        self.sources: dict[str, Source] = {}
        self._places, self._device, self._trusted = places, device, trusted

    def prepare(self) -> None:
        """Load all that recordings need.

        Raises:
            MertkError: features that cannot be made of a recording, or whose encoder is not there or another one.
        """
        for intake in itertools.chain.from_iterable(self.intakes):
            self._source(intake)

    def _source(self, intake: Intake) -> Source:
        if intake.key not in self.sources:
            if not intake.is_of_recordings:
                raise MertkError(
                    f"the {intake.modality} features of this model were made by Python code, which nobody noted; give "
                    f'them as an array: predict({{"{intake.modality}": ...}}).'
                )
            made = open_source(intake.modality, intake.given, intake.record, self._places, self._device, self._trusted)
            self.sources[intake.key] = made
        return self.sources[intake.key]

    def read(self, recording: Recording) -> Question:
        """What the models take of a recording, which is a file.

        Raises:
            RecordingError: the recording cannot be read, or lacks what the models need.
        """
        from mertk.data.recording_file import check_file

        if {"audio", "video"} & set(self.modalities):  # words may be all that there is
            check_file(recording.file, "audio")
        absent = find_absent(recording, self.modalities, self.dispensable)
        arrays: dict[str, np.ndarray] = {}
        for intake in itertools.chain.from_iterable(self.intakes):
            if intake.key not in arrays and intake.modality not in absent:
                arrays[intake.key] = read_input(self._source(intake), intake.modality, recording)
        there = [name for name in self.modalities if name not in absent]
        lacks = [*find_lacks(recording, there), *tell_absent(absent)]
        if len(lacks) == len(self.modalities):
            raise RecordingError(f"{' and '.join(lacks)}, so there is nothing to judge by.", "empty")
        known = [recording.seconds(name) for name in there if name != "text"] if absent else []
        of_models = [{intake.modality: arrays.get(intake.key) for intake in intakes} for intakes in self.intakes]
        seconds = max(filter(None, known), default=None)
        question = make_question(recording.file.stem, self.models, self.intakes, of_models, seconds)
        unseen = [part for intakes in self.intakes for part in left_out(intakes, recording)]
        return replace(question, notes=[*unseen, *recording.notes, *question.notes, *lacks])

    def take(self, given: Mapping[str, Any]) -> Question:
        """What the models take of arrays, by modality as `Predictor.predict` has them.

        Raises:
            RecordingError: a modality is missing that the models need, or an array has another shape or type than they
                take.
        """
        needed = set(self.modalities) - set(self.dispensable)
        if not (given and needed <= given.keys() <= set(self.modalities)):
            expected = [f"{name} (or not)" if name in self.dispensable else name for name in self.modalities]
            raise RecordingError(
                f"arrays: got {', '.join(map(str, given)) or 'none'}, expected {', '.join(expected)}.", "shape"
            )
        rates = {intake.rate_hz for intakes in self.intakes for intake in intakes if intake.given.kind == "waveform"}
        if len(rates) > 1:
            raise RecordingError(f"the models take sound at {sorted(rates)} Hz; give a Recording, not arrays.", "shape")
        read: dict[str, np.ndarray] = {}  # what words came to, by what makes it of them: models share that
        words = Recording(Path("arrays"), given["text"] if isinstance(given.get("text"), str) else None)
        of_models = [
            {intake.modality: self._array(intake, given.get(intake.modality), words, read) for intake in intakes}
            for intakes in self.intakes
        ]
        lengths = [
            (len(array), intake.rate_hz)
            for intake in self.intakes[0]
            if (array := of_models[0][intake.modality]) is not None
        ]
        seconds = max((count / rate_hz for count, rate_hz in lengths if rate_hz), default=None)
        steps = max(count for count, _ in lengths)
        question = make_question("arrays", self.models, self.intakes, of_models, seconds, steps)
        absent = [name for name in self.modalities if name not in given]
        return replace(question, notes=[*words.notes, *question.notes, *tell_absent(absent)])

    def _array(self, intake: Intake, value: Any, words: Recording, read: dict[str, np.ndarray]) -> np.ndarray | None:
        """What is given of one modality as an array; made of `words` where it is what is said; None of nothing."""
        if intake.modality == "text" and isinstance(value, str):
            if intake.key not in read:
                read[intake.key] = read_input(self._source(intake), "text", words)
            return read[intake.key]
        return None if value is None else intake.check(value)
