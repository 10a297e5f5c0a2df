"""Handing trained models on, from Python."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mertk.run.surroundings import as_found

log = logging.getLogger("mertk.export")


def export(
    model: str | Path,
    to: str | Path,
    *,
    run: str = "all",
    format: str = "mertk",
    with_encoders: bool = False,
    clip: str | None = None,
    speech: str | None = None,
    bert: str | None = None,
    licence: str | None = None,
    corpus_licence: str | None = None,
    private: bool = False,
    revision: str | None = None,
    overwrite: bool = False,
    trust: str | Sequence[str] = (),
) -> str:
    """Hand a trained model on, to a directory or to the Hugging Face hub (docs/export.md).

        mertk.export("exp/iemocap/foal/paper/session-clean", "hub:owner/name", private=True)
        mertk.load("owner/name")

    Args:
        model: an experiment of one protocol, a run, or a model directory.
        to: a new directory, or `hub:owner/name`.
        run: of an experiment, `all`, whose answers are averaged; `best` on its validation part; or a run, such as
            fold_1/seed_1234.
        format: mertk, or onnx.
        with_encoders: copy encoders that were frozen, too, not their names and fingerprints alone.
        clip, speech, bert: what others shall take for the encoders, an id of the hub.
        licence: of the weights, as the hub abbreviates it; `corpus_licence`: of a corpus of your own, in words.
        private, revision: of the repository on the hub, and a branch of it.
        overwrite: replace a model card that was edited since it was written, too.
        trust: modules or packages besides mertk whose classes the model may be made of; their code is run.

    Returns:
        what `mertk.load` takes.

    Raises:
        MertkError: no such model, a place that is in use, or that is refused; nothing is left half-written.
    """
    from mertk.features import Places
    from mertk.handover.handing_on import hand_on
    from mertk.handover.wishes import Wishes

    trusted = (trust,) if isinstance(trust, str) else tuple(trust)
    places = Places(speech, clip, bert)
    wishes = Wishes(run, format, with_encoders, places, licence, corpus_licence, trusted, overwrite)
    with as_found():
        return hand_on(Path(model), str(to), wishes, private, revision, log.info)
