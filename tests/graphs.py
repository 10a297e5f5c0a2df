"""Models that are written as ONNX, and what they say themselves."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mertk.batch import Batch, Output
from mertk.config import Config, load_config
from mertk.models.base import Model
from mertk.nn.exported_graph import Graph, GraphInput, encoders_of
from mertk.nn.exporting import exporting
from mertk.nn.pooling import masked_mean
from mertk.run.intakes import intakes_of
from mertk.tasks import find_task
from mertk.training.model_directory import SavedModel
from tests.listening_model import CLASSES

DIMS = {"audio": 6, "video": 5, "text": 4}
FEATURES = {"kind": "features"}


class Plain(Model):
    """A linear map of the means of what encoders make: few operators, since each takes time to be written."""

    def __init__(self, **encoders: torch.nn.Module) -> None:
        super().__init__()
        for modality, encoder in encoders.items():
            setattr(self, f"{modality}_encoder", encoder)
        self.heads = torch.nn.ModuleDict(
            {modality: torch.nn.Linear(encoder.output_dim, len(CLASSES)) for modality, encoder in encoders.items()}
        )

    def forward(self, batch: Batch) -> Output:
        logits = 0.0
        for one, head in self.heads.items():
            frames = getattr(self, f"{one}_encoder")(batch[one], batch[f"{one}_lengths"])
            logits = logits + head(masked_mean(*frames))
        return {"logits": logits}

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        return {}


def build(maker: Callable[..., Model], *given: Any, **arguments: Any) -> Model:
    """A model whose weights and running statistics are the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = maker(*given, **arguments)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_variance"):
                buffer.uniform_(0.5, 2)
    return model


@functools.cache
def _config_of(inputs: str) -> Config:
    """A configuration that has these inputs, of any model: to check one takes longer than to ask the model."""
    content = {"model": {"component": "tests.graphs.Plain"}, "data": {"inputs": json.loads(inputs)}}
    return load_config([content | {"loss_weights": {"ce": 1}}])


def saved_model(model: Model, inputs: Mapping[str, Any], **info: Any) -> SavedModel:
    """As it is loaded from a model directory."""
    classes = None if model.task == "regression" else CLASSES
    facts = {f"{one}_dim": DIMS[one] for one, given in inputs.items() if given["kind"] == "features"}
    known = {"task": model.task, "classes": classes, "facts": facts, "feature_records": {}, "miniature": True}
    return SavedModel(model.eval(), _config_of(json.dumps(inputs)), known | info)


def graph_of(saved: SavedModel) -> Graph:
    """The model with its encoders, between arrays and answers."""
    encoders = encoders_of(saved.model, list(saved.config.data.inputs))
    inputs = [GraphInput(one, encoders.get(one.modality), is_encoded=False) for one in intakes_of(saved)]
    return Graph(saved.model, find_task(saved.info["task"]), inputs)


def arrays_of(saved: SavedModel, lengths: Sequence[int], seed: int) -> dict[str, np.ndarray]:
    """A batch for the graph; what stands behind a length is no number, where its type has that."""
    graph = graph_of(saved)
    arrays = graph.pad(graph.invent(lengths, seed))
    for name in graph.input_names[::2]:
        if arrays[name].dtype == np.float32:
            for row, length in zip(arrays[name], arrays[f"{name}_lengths"], strict=True):
                row[length:] = np.nan
    return arrays


def expected_of(saved: SavedModel, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the model itself says of each utterance alone."""
    answers = []
    task, intakes = find_task(saved.info["task"]), intakes_of(saved)
    for row in range(len(arrays[f"{intakes[0].modality}_lengths"])):
        batch = {}
        for intake in intakes:
            own = arrays[intake.modality][row, : arrays[f"{intake.modality}_lengths"][row]]
            own = intake.standardized(intake.cut(own))
            batch[intake.modality] = torch.from_numpy(own)[None]
            batch[f"{intake.modality}_lengths"] = torch.tensor([len(own)])
        with torch.inference_mode():
            answers.append(task.answer(saved.model(batch)["logits"])[0].numpy())
    return np.stack(answers)


def written_form(saved: SavedModel, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the model says of a batch by the operators that a graph is made of, in torch: nothing is written."""
    graph = graph_of(saved)
    with exporting(), torch.inference_mode():
        return graph(*(torch.from_numpy(arrays[name]) for name in graph.input_names))[0].numpy()


def run_graph(folder: Path, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime says."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, dict(arrays))
