"""What becomes of a recording that lacks what its models take: used as absent where training knew that, else refused.

Absent means what modality dropout puts there in training (`mertk.data.variation`), and robustness is measured with
(`mertk.data.absence`): zeros, as the model gets them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mertk.data.recording_error import RecordingError

if TYPE_CHECKING:
    from mertk.data.recording import Recording
    from mertk.run.intakes import Intake

NAMES = {"audio": "sound", "video": "picture", "text": "words"}

#: what a recording without it needs, and the reason that a ledger has for it
_NEEDED = {
    "audio": ("it has no sound, which this model needs; give a recording with sound", "no_audio"),
    "video": (
        "this model needs the picture too; give a video file, or put one of the same name beside",
        "no_video",
    ),
    "text": (
        "this model needs what is said; give mertk predict --text, a line of mertk predict --transcripts, or a file "
        "{text}",
        "no_text",
    ),
}


def find_dispensable(intakes_of: Sequence[Sequence[Intake]]) -> tuple[str, ...]:
    """Modalities that every model was trained to do without."""
    known = [{intake.modality for intake in intakes if intake.is_dispensable} for intakes in intakes_of]
    return tuple(intake.modality for intake in intakes_of[0] if all(intake.modality in names for names in known))


def find_absent(recording: Recording, modalities: Sequence[str], dispensable: Collection[str]) -> list[str]:
    """Modalities that a recording lacks and models do without.

    Raises:
        RecordingError: it lacks one that they need.
    """
    absent = [name for name in modalities if recording.is_without(name)]
    needed = next((name for name in absent if name not in dispensable), None)
    if needed is not None:
        told, reason = _NEEDED[needed]
        other = f", or a model that was trained to do without (data.inputs.{needed}.dropout)"
        advice = other if len(modalities) > 1 else ""
        raise RecordingError(f"{told.format(text=recording.file.with_suffix('.txt'))}{advice}.", reason)
    return absent


def tell_absent(modalities: Sequence[str]) -> list[str]:
    """What is to be known of an answer without them, in words.

    >>> tell_absent(["video"])
    ['no picture: zeros in its place, which the model was trained to do without']
    """
    verbs = {"text": "their"}
    return [
        f"no {NAMES[name]}: zeros in {verbs.get(name, 'its')} place, which the model was trained to do without"
        for name in modalities
    ]
