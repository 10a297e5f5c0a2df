"""Models of one experiment, and what turns recordings into their answers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mertk.data.columns import HALVES
from mertk.data.recording import Recording
from mertk.data.recording_error import RecordingError, border, to_keep
from mertk.errors import MertkError
from mertk.features import Places
from mertk.numerics import full_float32
from mertk.run.device import open_device
from mertk.run.given_recording import check_choice, open_recording, tell_unknown
from mertk.run.intakes import Intake
from mertk.run.model_search import find_models
from mertk.run.questions import Question, ask
from mertk.run.reader import Reader
from mertk.run.saved_model import open_model
from mertk.run.wording import options_as_arguments

if TYPE_CHECKING:
    import numpy as np

    from mertk.tasks import Task
    from mertk.tasks.answer import Answer, TimedAnswer
    from mertk.training.model_directory import SavedModel

#: one thing to predict: a file, a recording, or arrays by modality
Item = str | Path | Recording | Mapping[str, Any]


class Predictor:
    """Models of equal task, classes and kinds of input, whose answers are averaged.

    Encoders of features are loaded when the first recording needs them, or by `prepare`. Several threads may use one
    predictor, which answers one after the other; a copy in another process (by pickle) loads the models again.

    Args:
        models: model directories, exported ones, or models of the hub (`mertk.run.model_search`).
        device: name of where to compute; None for the first GPU, or the CPU.
        places: where encoders and tokenizer are, when they are not where the features were made.
        trusted: modules, besides mertk's own, whose classes the models may be made of.

    Attributes:
        task: of the models; it says what an answer comes to.
        classes: class names; None when the task has none.
        modalities: what the models take.
        dispensable: those of them that a recording may lack, since training left them out now and then.
        warnings: what is to be known of all answers, in words.
        notes: which commit a model of the hub is.

    Raises:
        MertkError: no such model, or models that do not go together.
    """

    def __init__(
        self,
        models: Sequence[str | Path],
        device: str | None = None,
        places: Places | None = None,
        trusted: Sequence[str] = (),
    ) -> None:
        import torch

        from mertk.tasks import find_task

        found = find_models(models)
        self._directories, self._device = found.directories, device
        self._places, self._trusted = (places or Places()).over(found.places), tuple(trusted)
        self.device = open_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.models: list[SavedModel] = [open_model(one, trusted, self._places) for one in self._directories]
        self.reader = Reader(self.models, self._places, self.device, trusted)
        first = self.models[0]
        intakes = self.reader.intakes
        for number, (directory, saved) in enumerate(zip(self._directories, self.models, strict=True)):
            alike = all(saved.info[key] == first.info[key] for key in ("task", "classes"))
            if not alike or _kinds(intakes[number]) != _kinds(intakes[0]):
                raise MertkError(
                    f"{directory}: another task, other classes or other features than {self._directories[0]}; "
                    "give models of one experiment."
                )
            saved.model.to(self.device)
        self.task: Task = find_task(first.info["task"])
        self.classes: list[str] | None = first.info["classes"]
        self.modalities, self.dispensable = self.reader.modalities, self.reader.dispensable
        self.warnings, self.notes = [*found.warnings, *_tell_of_miniatures(self.models)], found.notes
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, (self._directories, self._device, self._places, self._trusted)

    def __repr__(self) -> str:
        takes, tells = " and ".join(self.modalities), ", ".join(self.classes or [self.task.name])
        return f"<Predictor of {len(self.models)} model(s) on {self.device}: {takes} -> {tells}>"

    def prepare(self) -> None:
        """Load all that recordings need.

        Raises:
            MertkError: features that cannot be made of a recording, or whose encoder is not there or another one.
        """
        with self._lock:
            self.reader.prepare()

    def check_faces(self) -> None:
        """Refuse models that look at the whole picture, or at none.

        Raises:
            MertkError: names the first of them.
        """
        for directory, intakes in zip(self._directories, self.reader.intakes, strict=True):
            if not any(intake.is_of_faces for intake in intakes):
                raise MertkError(
                    f"{directory}: this model was not trained on faces cut out of pictures; leave --crop out, or give "
                    "one whose features were made by mertk extract video --crop face."
                )

    @overload
    def predict(  # type: ignore[overload-overlap]  # text is a sequence of text, too
        self, given: Item, text: str | None = None, half: str = "whole"
    ) -> Answer: ...

    @overload
    def predict(
        self, given: Iterable[Item], text: Iterable[str | None] | None = None, half: str = "whole"
    ) -> list[Answer]: ...

    @overload
    def predict(
        self, given: Iterable[Item], text: Iterable[str | None] | None = None, half: str = "whole", *, on_error: str
    ) -> list[Answer | MertkError]: ...

    def predict(
        self,
        given: Item | Iterable[Item],
        text: str | Iterable[str | None] | None = None,
        half: str = "whole",
        on_error: str = "raise",
    ) -> Answer | Sequence[Answer | MertkError]:
        """What the models say of a recording, or of each of a list.

        Args:
            given: an audio or video file of one speaker; a `Recording`, such as `Recording.of_samples(samples, 44100)`
                of sound in memory, which is resampled; or arrays by modality as the models take them, before they are
                standardised: `audio` (S,) at the models' rate or (T, D), `video` (T, D), `text` (T, D), tokens (T, 2),
                or what is said. What is `dispensable` may be left out.
            text: what is said in a file or in the sound of a `Recording`, or in each of a list; by default what a
                `Recording` says, or a file of the same name that ends in .txt.
            half: of the picture with the speaker: whole, left, right.
            on_error: what happens to an item of a list that has no answer: `raise`, or `return` the error in its place.

        Raises:
            MertkError: the recording cannot be read, lacks what the models need, or has no answer that is a number.
        """
        check_choice("half", half, HALVES)
        check_choice("on_error", on_error, ("raise", "return"))
        if isinstance(given, (str, Path, Recording, Mapping)):
            if not (text is None or isinstance(text, str)):
                raise MertkError("text: got several, expected what is said in this one recording.")
            return self._predict(given, text, half)
        if isinstance(given, bytes) or hasattr(given, "detach") or not hasattr(given, "__iter__"):
            raise MertkError(tell_unknown(given))
        items, texts = list(given), text if text is None or isinstance(text, str) else list(text)
        if isinstance(texts, str) or (texts is not None and len(texts) != len(items)):
            raise MertkError(
                f"text: expected as many as there are recordings ({len(items)}), None where there is none."
            )
        answers: list[Answer | MertkError] = []
        for item, words in zip(items, texts or [None] * len(items), strict=True):
            try:
                answers.append(self._predict(item, words, half))
            except MertkError as error:
                if on_error == "raise":
                    raise
                answers.append(to_keep(error))
        return answers

    @options_as_arguments()
    def _predict(self, given: Item, text: str | None, half: str) -> Answer:
        if not (text is None or isinstance(text, str)):
            raise MertkError(f"text: got {text!r:.40}, expected what is said, or None where nothing is.")
        if isinstance(given, Mapping):
            if half != "whole":
                raise MertkError(f"half: got {half}, but arrays are given, not a picture.")
            with border("the arrays"):
                return self.answer_arrays(given if text is None else {**given, "text": text})
        if not isinstance(given, (str, Path, Recording)):
            raise MertkError(tell_unknown(given))
        recording = open_recording(given, text, half)
        with border(recording.file):
            if recording.transcript is None and "text" in set(self.modalities) - set(self.dispensable):
                raise RecordingError(
                    f"{recording.file}: this model needs what is said; give text=..., or a file of the same name that "
                    "ends in .txt.",
                    "no_text",
                )
            return self.answer(recording)

    def timeline(
        self,
        given: str | Path | Recording,
        window_seconds: float = 3.0,
        hop_seconds: float | None = None,
        text: str | None = None,
        half: str = "whole",
        batch_size: int | None = None,
    ) -> Iterator[TimedAnswer]:
        """What the models say of one window of a long recording after the other, each as soon as it is there.

        The recording is read as it goes, so that hours of it need no more memory than a window. A window without an
        answer, in which nothing is heard perhaps, has an `error` (see `mertk.run.timeline` for the last window).

        Args:
            given: an audio or video file of one speaker, or a `Recording`.
            hop_seconds: from one window's beginning to the next's; by default a third of the window.
            text: what is said in all of it, which each window is given.
            half: of the picture with the speaker: whole, left, right.
            batch_size: windows that are answered at once; None for what suits the device (docs/predict.md).

        Raises:
            MertkError: the recording cannot be read, or lacks what the models need; the answers before were given.
        """
        from mertk.run.timeline import Cutting, answer_windows

        cutting = Cutting(window_seconds, hop_seconds)
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise MertkError(f"batch_size: got {batch_size!r}, expected a whole number from 1.")
        check_choice("half", half, HALVES)
        if not isinstance(given, (str, Path, Recording)):
            raise MertkError(f"got a {type(given).__name__}, expected a file or a mertk.Recording.")
        recording = open_recording(given, text, half)
        return answer_windows(self, recording, cutting, batch_size)

    def answer(self, recording: Recording) -> Answer:
        """What the models say of one recording.

        Raises:
            RecordingError: the recording cannot be read, lacks what the models need, or has no answer that is a number.
        """
        with self._lock:
            (answer,) = self.answer_together([self.read(recording)])
        if isinstance(answer, RecordingError):
            raise answer
        return answer

    def read(self, recording: Recording) -> Question:
        """What the models take of a recording.

        Raises:
            RecordingError: the recording cannot be read, or lacks what the models need.
        """
        with self._lock, full_float32(), recording.on_disk() as own:
            return self.reader.read(own)

    def answer_together(self, questions: Sequence[Question]) -> list[Answer | RecordingError]:
        """What the models say of what was read, or why there is no answer; those of equal shapes are one batch."""
        with self._lock, full_float32():
            told = ask(self.models, self.task, questions, self.device)
        return [
            values if isinstance(values, RecordingError) else self._make(values, question.notes)
            for question, values in zip(questions, told, strict=True)
        ]

    def answer_arrays(self, given: Mapping[str, Any]) -> Answer:
        """What the models say of arrays, by modality as they take them (see `predict`).

        Raises:
            RecordingError: a modality is missing that the models need, or an array has another shape or type than they
                take.
        """
        with self._lock, full_float32():
            (answer,) = self.answer_together([self.reader.take(given)])
        if isinstance(answer, RecordingError):
            raise answer
        return answer

    def _make(self, values: np.ndarray, notes: Sequence[str]) -> Answer:
        return self.task.tell(values, self.classes, list(dict.fromkeys(notes)))


def _kinds(intakes: Sequence[Intake]) -> dict[str, list[Any]]:
    """By modality, what a model takes."""
    return {intake.modality: intake.kind for intake in intakes}


def _tell_of_miniatures(models: Sequence[SavedModel]) -> list[str]:
    miniatures = [saved.info for saved in models if saved.info["miniature"]]
    what = ", ".join(miniatures[0].get("invented") or ["corpus"]) if miniatures else ""
    return [f"a model is a miniature (invented: {what}); its answers mean nothing"] if miniatures else []
