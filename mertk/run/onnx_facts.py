"""What is to be known of a graph in model.onnx: what goes in, what comes out, and what has to be done around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mertk.nn.exported_graph import Graph, GraphInput


@dataclass(frozen=True)
class OnnxFacts:
    """Content of onnx.json.

    Attributes:
        opset: version of the operators.
        exporter: what wrote the graph, with versions.
        task: which kind of answer it gives.
        classes: in the order of the outputs; None of intensities.
        inputs, outputs: of each its `name`, `dtype`, `shape` (numbers, or names of what differs between batches) and
            `meaning`; of features the `features` that they have to be.
        inside: what the graph does itself.
        outside: what has to be done in front of it.
        files: names of the files that belong together, model.onnx first.
        tolerance, largest_difference: how far the answers of the graph may be, and are, from those of the model, on
            batches of other sizes and lengths than it was made with; of numbers above 1, relative to them.
        miniature: whether it was trained on an invented corpus, or has weights that were never trained.
    """

    opset: int
    exporter: str
    task: str
    classes: list[str] | None
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    inside: list[str]
    outside: list[str]
    files: list[str]
    tolerance: float
    largest_difference: float
    miniature: bool
    format: int = 1

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_inputs(graph: Graph) -> list[dict[str, Any]]:
    """Names, types, shapes and meaning of what the graph takes."""
    described = []
    for one, shapes in zip(graph.inputs, _pairs(graph.dynamic_shapes()), strict=True):
        shape = ["batch", shapes[0][1], *([] if one.width is None else [one.width])]
        values = {"name": one.modality, "dtype": one.dtype, "shape": shape, "meaning": _meaning(one)}
        unit = str(shape[1]).removeprefix(f"{one.modality}_")
        seen = f"; the first {one.longest} are seen" if one.longest else ""
        most = f"; at most {one.num_positions}" if one.num_positions else ""
        lengths = f"{unit} of each utterance, at least 1{seen}{most}; what stands behind them has no effect"
        described.append(values | _features_of(one))
        described.append(
            {"name": f"{one.modality}_lengths", "dtype": "int64", "shape": ["batch"], "meaning": lengths},
        )
    return described


def describe_outputs(graph: Graph, classes: Sequence[str] | None) -> list[dict[str, Any]]:
    """The same of what it gives."""
    meanings = dict.fromkeys(graph.output_names, graph.task.meaning) | {"logits": "what the probabilities are made of"}
    width = graph.task.num_outputs(classes)
    shape = ["batch", width]
    return [
        {"name": name, "dtype": "float32", "shape": shape, "meaning": meanings[name]} for name in graph.output_names
    ]


def tell_inside(graph: Graph, encoders: Mapping[str, Any]) -> list[str]:
    """What the graph does beside the model itself, in words."""
    told = [f"{modality}: encoder {_class_of(encoder)}" for modality, encoder in encoders.items()]
    for one in graph.inputs:
        if one.longest:
            told.append(f"{one.modality}: what is longer is cut off")
        if one.is_standardised:
            told.append(f"{one.modality}: standardised by mean and standard deviation of the training part")
    return [*told, graph.task.activation] if graph.task.activation else told


def tell_outside(graph: Graph, encoders: Mapping[str, tuple[Any, str]]) -> list[str]:
    """What has to be done in front of the graph, in words.

    Args:
        encoders: of the model, that are left outside, and why they are.
    """
    told = []
    for one in graph.inputs:
        features = _features_of(one).get("features")
        if one.modality in encoders:
            encoder, reason = encoders[one.modality]
            told.append(f"{one.modality}: encoder {_class_of(encoder)} of the model; {reason}")
        elif features:
            weights = f", {features['weights']}" if features["weights"] else ""
            told.append(f"{one.modality}: {one.kind} by {features['extractor']}{weights}")
        elif one.kind == "features":
            told.append(f"{one.modality}: features, which Python code made that nobody noted")
        elif one.kind == "waveform":
            told.append(f"{one.modality}: decoding, one channel, {one.intake.given.sample_rate_hz} Hz")
    return told


def _meaning(one: GraphInput) -> str:
    if one.kind == "waveform":
        return f"samples between -1 and 1 of one channel at {one.intake.given.sample_rate_hz} Hz"
    if one.kind == "tokens":
        return "id and segment of each token, as the tokenizer of the encoder gives them"
    if one.kind == "frames":
        return "what the encoder of the model gives, which is not in the graph"
    if one.intake.is_of_pictures:
        return "a picture in colour for each frame, row by row, of each pixel red, green and blue, from 0 to 255"
    return "features of each frame, as they were extracted" + ", not standardised" * one.is_standardised


def _features_of(one: GraphInput) -> dict[str, Any]:
    """By what the features, or tokens, were made; paths of the machine that did are left out."""
    record = one.intake.record
    if record is None or one.kind == "frames":
        return {}
    weights = record["weights"]
    name = Path(weights).name if weights.startswith(("/", ".", "~")) else weights
    kept = {key: record[key] for key in ("extractor", "weights_fingerprint", "layer", "rate_hz")}
    return {"features": kept | {"weights": name}}


def _class_of(encoder: Any) -> str:
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"


def _pairs(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))
