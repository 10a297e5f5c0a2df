"""What a trained model makes of every utterance of a part: vectors by stage, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.models.base import Model

#: vectors (N, D) by name, by stage
Stages = dict[str, dict[str, "np.ndarray"]]


def represent(config: Config, model: Model, part: Part) -> tuple[Stages, list[str]]:
    """Representations of every utterance of a part, and the names of their labels.

    Raises:
        MertkError: the model has no representations, too few for a picture, or one that is not a number; said at the
            first batch that shows it.
    """
    import numpy as np
    import torch

    from mertk.batch import to_device
    from mertk.data.loader import EvaluationLoader
    from mertk.distributed import local_only
    from mertk.numerics import compute_in_full_float32
    from mertk.progress_bar import progress

    compute_in_full_float32()
    check_represents(model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.eval().to(device)
    loader = EvaluationLoader(part.dataset, config.training.evaluation_batch_size, config.data.num_workers)
    found: dict[str, list[np.ndarray]] = {}
    labels: list[str] = []
    with torch.inference_mode(), local_only():
        for batch in progress(loader, description="represent"):
            vectors = model.representations(to_device(batch, device))
            rows = {name: row.float().cpu().numpy() for name, row in vectors.items()}
            check_rows(rows, model, len(part.dataset))
            for name, row in rows.items():
                found.setdefault(name, []).append(row)
            labels += label_names(batch, part)
    return by_stage({name: np.concatenate(rows) for name, rows in found.items()}), labels


def check_represents(model: Model) -> None:
    """Raise MertkError when a model does not say how it represents anything."""
    from mertk.models.base import Model as Method

    if type(model).representations is Method.representations:
        raise no_representations(model)


def no_representations(model: Model) -> MertkError:
    return MertkError(
        f"{type(model).__name__} has no representations to show; a model gives them by `representations` "
        "(see mertk/models/base.py), as mertk.models.hscl.HSCL and mertk.models.foal.FoalNet do."
    )


def check_rows(rows: dict[str, np.ndarray], model: Model, num_utterances: int) -> None:
    """Raise MertkError when no picture can come of the vectors (B, D) of a batch, by `STAGE/NAME`."""
    import numpy as np

    if not rows:
        raise no_representations(model)
    for stage, named in by_stage(rows).items():
        if len(named) * num_utterances < 2:
            raise MertkError(f"{stage}: one vector has no principal components; look at a part of more utterances.")
    broken = [name for name, vectors in rows.items() if not np.isfinite(vectors).all()]
    if broken:
        raise MertkError(f"the model's representation {broken[0]} is NaN or infinite for some utterances; train again.")


def label_names(batch: dict[str, Any], part: Part) -> list[str]:
    """What each utterance of a batch was labelled, in a word."""
    if "labels" not in batch:
        return ["no label"] * len(batch["utterance_ids"])
    return part.task.label_names(batch["labels"].numpy(), part.classes)


def by_stage(vectors: dict[str, np.ndarray]) -> Stages:
    """Take `STAGE/NAME` apart; the vectors of a stage must be comparable."""
    stages: Stages = {}
    for key, rows in vectors.items():
        stage, slash, name = key.partition("/")
        assert slash and name, f"representation {key!r}: expected STAGE/NAME"
        stages.setdefault(stage, {})[name] = rows
    for stage, named in stages.items():
        shapes = {name: rows.shape for name, rows in named.items()}
        assert len(set(shapes.values())) == 1, f"representations of {stage!r} have different shapes: {shapes}"
    return stages
