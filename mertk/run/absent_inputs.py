"""What becomes of a recording that lacks what its models take: used as absent where training knew that, else refused.

Absent means what modality dropout puts there in training (`mertk.data.variation`), and robustness is measured with
(`mertk.data.absence`): zeros, as the model gets them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mertk.data.recording import Recording
    from mertk.run.intakes import Intake

NAMES = {"audio": "sound", "video": "picture", "text": "words"}


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
        advice = f", or a model that was trained to do without (data.inputs.{needed}.dropout)"
        raise recording.lack_of(needed, advice if len(modalities) > 1 else "")
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
