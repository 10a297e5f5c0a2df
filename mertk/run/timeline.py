"""Emotion over time: what models say of a long recording, one window after the other.

Windows begin every hop seconds until one reaches the end of the recording, with which the last one ends: that one may
be shorter, and so may the only one of a short recording. What would be shorter than a tenth of a second is left out. A
window gets the answer that a file of it alone would get.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mertk.data.recording_error import MachineError, RecordingError, border, to_keep
from mertk.data.recording_window import SHORTEST_WINDOW_SECONDS, LongRecording, Times
from mertk.errors import MertkError
from mertk.run.absent_inputs import find_absent
from mertk.run.wording import options_as_arguments
from mertk.tasks.answer import Answer, TimedAnswer

if TYPE_CHECKING:
    import torch

    from mertk.data.recording import Recording
    from mertk.data.recording_window import Window
    from mertk.run.prediction import Predictor
    from mertk.run.questions import Question

#: of a window
USUAL_SECONDS = 3.0

#: windows to a window's length, where no hop is given
USUAL_OVERLAP = 3

#: windows closer to each other than this are a slip of the hand
SHORTEST_HOP_SECONDS = 0.01

#: what is taken for speech is at least so long, and cut where it is longer, where no window is given
SHORTEST_SPEECH_SECONDS, LONGEST_SPEECH_SECONDS = 0.25, 30.0

#: windows that are answered at once: seconds of them on a GPU, and how many on a processor
USUAL_BATCH_SECONDS, USUAL_BATCH_ON_CPU = 96.0, 1

#: sound and picture of one recording may differ so much in length before it is told
_LEAST_TOLD_SECONDS = 0.1


@dataclass(frozen=True)
class Cutting:
    """How a recording is cut.

    Attributes:
        window_seconds: length of a window, by default `USUAL_SECONDS`; of the longest stretch of speech.
        hop_seconds: from one window's beginning to the next's; by default a third of the window.
        by_speech: each stretch of speech is a window.

    Raises:
        MertkError: lengths that are none, or what finds speech is not installed.
    """

    window_seconds: float | None = None
    hop_seconds: float | None = None
    by_speech: bool = False

    def __post_init__(self) -> None:
        shortest = {"window": SHORTEST_WINDOW_SECONDS, "hop": SHORTEST_HOP_SECONDS}
        for (name, least), seconds in zip(shortest.items(), (self.window_seconds, self.hop_seconds), strict=True):
            if seconds is not None and not least <= seconds < float("inf"):
                raise MertkError(f"{name}: got {seconds:g} s, expected {least:g} s or more.")
        if self.by_speech and self.hop_seconds is not None:
            raise MertkError("hop: stretches of speech follow each other as they are spoken; leave it out.")
        if self.by_speech:
            from mertk.data.speech import check_installed

            check_installed()

    def times(self, recording: Recording, end: Fraction) -> list[Times]:
        """Seconds [start, end) of each window of a recording that ends at `end`."""
        shortest = Fraction(str(SHORTEST_WINDOW_SECONDS))
        if self.by_speech:
            from mertk.data.speech import find_speech

            longest = self.window_seconds or LONGEST_SPEECH_SECONDS
            found = find_speech(recording, min(SHORTEST_SPEECH_SECONDS, longest / 2), longest)
            cut = ((start, min(stop, end)) for start, stop in found)
            return [(start, stop) for start, stop in cut if stop - start >= shortest]
        window = Fraction(str(self.window_seconds or USUAL_SECONDS))
        hop = window / USUAL_OVERLAP if self.hop_seconds is None else Fraction(str(self.hop_seconds))
        times = [(Fraction(0), min(window, end))]
        while times[-1][1] < end and end - (start := times[-1][0] + hop) >= shortest:
            times.append((start, min(start + window, end)))
        return times


class Timeline:
    """The answers to the windows of one recording, in their order; each is given as soon as it is there.

    It can be gone through once.

    Args:
        recording: a file; what is said in it, if that is known, is what is said in each of its windows.
        batch_size: windows that are answered at once; None for the usual number on the device.

    Attributes:
        batch_size: likewise.
        seconds: where the last window ends at the latest.
        num_windows: how many there are.
        notes: what is to be known of all answers, in words.

    Raises:
        RecordingError: the recording cannot be read, or lacks what the models need.
    """

    def __init__(
        self, predictor: Predictor, recording: Recording, cutting: Cutting, batch_size: int | None = None
    ) -> None:
        from mertk.data.recording_file import check_file

        self._predictor, self._recording = predictor, recording
        self.batch_size = batch_size or usual_batch_size(predictor.device, cutting)
        self.notes: list[str] = []
        with border(recording.file):
            check_file(recording.file, "audio")
            there = self._find_modalities()
            end = self._find_end(there)
            times = cutting.times(recording, end)
        if not times:
            self.notes.append("nobody speaks in it")
        if "text" in there and len(times) > 1:
            self.notes.append("when it is said is not known, so that each window is given all that is said")
        self.seconds, self.num_windows = float(end), len(times)
        self._long = LongRecording(recording, times)

    def _find_modalities(self) -> list[str]:
        """What the models get of the recording."""
        takes, spares = self._predictor.modalities, self._predictor.dispensable
        if self._recording.transcript is None and "text" in set(takes) - set(spares):
            raise RecordingError(
                "this model needs what is said, and when it is said; give a model that does without, or, of a short "
                "recording, all that is said in it (its text, or a file "
                f"{self._recording.file.with_suffix('.txt')}), by which each window is judged then.",
                "no_text",
            )
        absent = find_absent(self._recording, takes, spares)
        return [name for name in takes if name not in absent]

    def _find_end(self, there: Collection[str]) -> Fraction:
        """Seconds at which the first of what the models get ends; notes how long the other goes on."""
        from mertk.data.sound_file import measure_sound
        from mertk.data.video_frames import read_duration

        file, ends = self._recording.file, {}
        if "audio" in there:
            # Packets say roughly how long sound is: where samples are coded, they are decoded and counted.
            sound = measure_sound(file)
            ends["sound"] = Fraction(sound.num_samples, sound.sample_rate_hz)
        if "video" in there:
            ends["picture"] = read_duration(self._recording.video)
        if not ends:
            raise RecordingError("this model takes nothing but words, of which a recording has no timeline.", "no_text")
        first, last = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
        more = float(ends[last] - ends[first])
        if more >= _LEAST_TOLD_SECONDS:
            self.notes.append(f"its {first} ends {more:.1f} s before its {last}, and the timeline with it")
        return ends[first]

    def __iter__(self) -> Iterator[TimedAnswer]:
        """
        Raises:
            MertkError: the recording could be read no further, or the machine failed.
        """
        read: list[tuple[Window, Question | RecordingError]] = []
        try:
            for window in self._long.windows():
                try:
                    with border(window.file):
                        read.append((window, self._predictor.read(window)))
                except MertkError as error:
                    if self._long.is_broken or not isinstance(error, RecordingError):
                        yield from self._answer(read)
                        raise
                    read.append((window, to_keep(error)))
                if len(read) >= self.batch_size:
                    yield from self._answer(read)
                    read = []
            yield from self._answer(read)
        finally:
            self._long.close()

    def _answer(self, read: Sequence[tuple[Window, Question | RecordingError]]) -> Iterator[TimedAnswer]:
        """The answers to windows that were read, in their order."""
        questions = [question for _, question in read if not isinstance(question, RecordingError)]
        answers = iter(self._ask(questions) if questions else ())
        for window, question in read:
            start, end = map(float, window.times)
            answer = question if isinstance(question, RecordingError) else next(answers)
            if isinstance(answer, RecordingError):
                yield TimedAnswer(start_seconds=start, end_seconds=end, error=answer)
            else:
                yield TimedAnswer(**vars(answer), start_seconds=start, end_seconds=end)

    def _ask(self, questions: Sequence[Question]) -> list[Answer | RecordingError]:
        """What the models say; one by one where they cannot tell of all at once, for lack of memory perhaps."""
        try:
            with border(self._recording.file):
                return self._predictor.answer_together(questions)
        except (RecordingError, MachineError) as error:
            if len(questions) == 1 and isinstance(error, MachineError):
                raise
            if len(questions) == 1:
                return [to_keep(error)]
            return [answer for question in questions for answer in self._ask([question])]


def answer_windows(
    predictor: Predictor, recording: Recording, cutting: Cutting, batch_size: int | None = None
) -> Iterator[TimedAnswer]:
    """The answers of a `Timeline`, for those who call from Python; sound in memory is a recording, too."""
    with options_as_arguments(), recording.on_disk() as own:
        yield from Timeline(predictor, own, cutting, batch_size)


def usual_batch_size(device: torch.device, cutting: Cutting) -> int:
    """Windows that are answered at once where nobody says how many, so that what is held stays bounded."""
    if device.type == "cpu":
        return USUAL_BATCH_ON_CPU
    longest = cutting.window_seconds or (LONGEST_SPEECH_SECONDS if cutting.by_speech else USUAL_SECONDS)
    return max(1, int(USUAL_BATCH_SECONDS / longest))
