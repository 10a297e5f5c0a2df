"""What the user wants of an export."""

from __future__ import annotations

from dataclasses import dataclass, field

from mertk.features import Places
from mertk.handover.members import ALL


@dataclass(frozen=True)
class Wishes:
    """How models are handed on.

    Attributes:
        run: of an experiment, which models (`mertk.handover.members`).
        kind: mertk or onnx (`mertk.run.exported.KINDS`).
        with_encoders: copy encoders that were frozen, too.
        places: what others shall call the encoders, when that is not where they were in training.
        licence: of the weights, as the hub abbreviates it.
        corpus_licence: of a corpus that nobody but the user knows, in words.
        trusted: modules, besides mertk's own, whose classes the models may be made of.
        overwrite: replace a model card that was edited, too.
    """

    run: str = ALL
    kind: str = "mertk"
    with_encoders: bool = False
    places: Places = field(default_factory=Places)
    licence: str | None = None
    corpus_licence: str | None = None
    trusted: tuple[str, ...] = ()
    overwrite: bool = False
