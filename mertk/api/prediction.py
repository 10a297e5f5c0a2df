"""Models for use on recordings."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.run.surroundings import as_found

if TYPE_CHECKING:
    from mertk.run.prediction import Predictor


def load(
    models: str | Path | Sequence[str | Path],
    device: str | None = None,
    *,
    clip: str | Path | None = None,
    speech: str | Path | None = None,
    bert: str | Path | None = None,
    trust: str | Sequence[str] = (),
) -> Predictor:
    """Load a model directory, or several whose answers are averaged; one of the hub by its name.

        predictor = mertk.load("exp/iemocap/foal/paper/session-clean/fold_1/seed_1234/best")
        answer = predictor.predict("interview.mp4", text="I did not expect that")
        answer.label, answer.probabilities
        predictor = mertk.load("owner/name@revision")

    Nothing that comes with a model is run. That a model is a miniature, whose answers mean nothing, is a warning.

    Args:
        models: a model directory, such as RUN/best, what `mertk.export` wrote, or `owner/name[@revision]` of the
            Hugging Face hub (a folder of that name comes first; `hub:owner/name` is always that of the hub); or
            several of one experiment.
        device: cpu, cuda, cuda:1, ...; by default the first GPU, or the CPU.
        clip, speech, bert: folders of the CLIP model, the speech encoder and the text encoder (or its tokenizer) that
            the features were made with, when they are not where they were then.
        trust: modules or packages besides mertk, such as `__main__`, whose classes the models may be made of; their
            code is run.

    Raises:
        MertkError: no such model, here or on the hub, or not for this user; one that is damaged, has a class that is
            not trusted or cannot be imported, or models that do not go together.
    """
    from mertk.features import Places
    from mertk.run.prediction import Predictor

    directories = [models] if isinstance(models, (str, Path)) else list(models)
    places = Places(*(None if place is None else str(place) for place in (speech, clip, bert)))
    trusted = (trust,) if isinstance(trust, str) else tuple(trust)
    with as_found():  # models are drawn before their weights are read
        predictor = Predictor(directories, device, places, trusted)
    for warning in predictor.warnings:
        warnings.warn(warning, stacklevel=2)
    return predictor
