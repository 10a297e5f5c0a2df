"""A trained model as a file that runs without Python: model.onnx, and what is to be known of it in onnx.json.

The graph takes features (or sound, or tokens) of any number of utterances of any lengths, and gives what `mertk
predict` tells. It is compared with the model before it is left anywhere. docs/onnx.md has how to use it.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.atomic import building
from mertk.errors import MertkError, first_line
from mertk.installing import installing_extra
from mertk.numerics import keeping_precision
from mertk.run.onnx_facts import OnnxFacts, describe_inputs, describe_outputs, tell_inside, tell_outside

if TYPE_CHECKING:
    from mertk.nn.exported_graph import Graph
    from mertk.training.model_directory import SavedModel

GRAPH_FILE, WEIGHTS_FILE, FACTS_FILE = "model.onnx", "model.onnx.data", "onnx.json"

OPSET = 20
TOLERANCE = 1e-5

#: A file of Protocol Buffers ends at 2 GB; weights of larger graphs are a file of their own.
LARGEST_FILE_BYTES = 1_500_000_000

#: steps of the utterances that the graph is made with, and of the batches that it is tried with
_MADE_WITH = (6, 4)
_TRIED_WITH = ((1,), (13, 1, 6), (5,), (1, 1, 1, 1, 2))

#: who tell of the work of exporting what no user can act on
_LOGGERS = ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")


def export_onnx(
    saved: SavedModel,
    directory: Path,
    encoders: bool | None = None,
    apart: Collection[str] = (),
    tolerance: float = TOLERANCE,
    largest_file_bytes: int = LARGEST_FILE_BYTES,
) -> OnnxFacts:
    """Write model.onnx and onnx.json into a directory; what else is there stays.

    Args:
        saved: on the CPU.
        encoders: whether encoders inside the model are in the graph. None: where they can be, else the graph begins
            behind them, and the facts say why.
        apart: modalities whose encoders are left outside all the same: those that were frozen, and others have.
        tolerance: how far its answers may be from those of the model; of numbers above 1, relative to them.
        largest_file_bytes: weights that are larger together go into model.onnx.data.

    Returns:
        the content of onnx.json.

    Raises:
        MertkError: packages are not there, the model has an operation that ONNX does not have, or the graph's answers
            are others. Nothing is left behind then.
    """
    _check_packages()
    from mertk.nn.exported_graph import encoders_of

    inner = encoders_of(saved.model, list(saved.config.data.inputs))
    outside = {one: "frozen, with the weights that it is named by" for one in inner if one in apart}
    if encoders is False:
        outside = dict.fromkeys(inner, "left out as asked for")
    try:
        return _export(saved, directory, outside, tolerance, largest_file_bytes)
    except MertkError as error:
        if encoders is not None or len(outside) == len(inner):
            raise
        outside = {one: outside.get(one, str(error)) for one in inner}
    return _export(saved, directory, outside, tolerance, largest_file_bytes)


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MertkError(
            f"a model is written as ONNX by packages that are not all there ({first_line(error)}); "
            f"{installing_extra('onnx')}"
        ) from error


def _export(
    saved: SavedModel,
    directory: Path,
    outside: Mapping[str, str],
    tolerance: float,
    largest_file_bytes: int,
) -> OnnxFacts:
    """Write the graph that begins behind the encoders of some modalities, left outside for a reason, if it is right."""
    from mertk.nn.exported_graph import Graph, GraphInput, encoders_of, without_encoders
    from mertk.run.intakes import intakes_of
    from mertk.tasks import find_task

    model, intakes = saved.model.eval(), intakes_of(saved)
    found = encoders_of(model, [intake.modality for intake in intakes])
    inputs = [GraphInput(one, found.get(one.modality), one.modality in outside) for one in intakes]
    with without_encoders(model, list(outside)):
        graph = Graph(model, find_task(saved.info["task"]), inputs)
        program = _translate(graph)
        classes = saved.info["classes"]
        described = {"inputs": describe_inputs(graph), "outputs": describe_outputs(graph, classes)}
        program.model.metadata_props.update(
            {name: json.dumps(value) for name, value in {"classes": classes, **described}.items()}
        )
        with building(directory, (GRAPH_FILE, WEIGHTS_FILE, FACTS_FILE)) as folder:
            _save(program, folder / GRAPH_FILE, largest_file_bytes)
            difference = _measure_difference(graph, folder / GRAPH_FILE)
            if not difference <= tolerance:
                raise MertkError(
                    f"{GRAPH_FILE} would give answers that differ by {difference:.2g} from those of the model, more "
                    f"than {tolerance:.2g}; it is not written. Allow more if that is little to you, or leave the "
                    "encoders of the model out."
                )
            facts = OnnxFacts(
                opset=OPSET,
                exporter=_tell_exporter(),
                task=graph.task.name,
                classes=classes,
                **described,
                inside=tell_inside(graph, {name: one for name, one in found.items() if name not in outside}),
                outside=tell_outside(graph, {name: (found[name], reason) for name, reason in outside.items()}),
                files=[path.name for path in sorted(folder.iterdir())],
                tolerance=tolerance,
                largest_difference=difference,
                miniature=saved.info["miniature"],
            )
            facts.write(folder / FACTS_FILE)
    return facts


def _translate(graph: Graph) -> Any:
    """The program of torch.onnx."""
    import torch

    from mertk.nn.exporting import exporting

    arrays = graph.pad(graph.invent(_MADE_WITH, seed=0))
    given = tuple(torch.from_numpy(arrays[name]) for name in graph.input_names)
    try:
        with _quiet(), askable_precision(), torch.no_grad(), exporting():
            program = torch.onnx.export(
                graph,
                given,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=graph.input_names,
                output_names=graph.output_names,
                dynamic_shapes=(tuple(graph.dynamic_shapes()),),
            )
    except Exception as error:  # whatever an operation that cannot be written down is met with, deep inside torch
        told = _tell_cause(error.__cause__ or error)
        raise MertkError(f"{type(graph.model).__name__} cannot be written as ONNX ({told}).") from error
    return program


def _tell_cause(error: BaseException) -> str:
    """What torch says, which may head a list with a line that tells nothing."""
    lines = str(error).strip().splitlines()
    if any("inferred a static shape" in line for line in lines):
        return (
            "a number of utterances, or of steps, became that of the batch that it is made with: len() of a tensor, "
            "max() or an if of its shape; take shape[0], torch.sym_max"
        )
    return first_line(error)


def _save(program: Any, path: Path, largest_file_bytes: int) -> None:
    """Write the program, without what torch notes of the files that it came from."""
    import onnx
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    kept = dict(program.model.metadata_props)
    ClearMetadataAndDocStringPass()(program.model)
    program.model.metadata_props.update(kept)
    size = sum(one.const_value.nbytes for one in program.model.graph.initializers.values())
    with _quiet():
        program.save(path, external_data=size > largest_file_bytes)
    onnx.checker.check_model(str(path))


def _measure_difference(graph: Graph, path: Path) -> float:
    """How far the graph in a file is from the model at most, on batches that it was not made with."""
    import numpy as np
    import onnxruntime
    import torch

    from mertk.data.dataset import collate

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    largest = 0.0
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for seed, lengths in enumerate(_TRIED_WITH, start=1):
            rows = graph.invent(lengths, seed)
            answers = session.run(graph.output_names, graph.pad(rows))
            own = [{one.modality: one.prepared(row[one.modality]) for one in graph.inputs} for row in rows]
            batch = collate([{"utterance_id": f"{number}", "index": number} | row for number, row in enumerate(own)])
            with torch.inference_mode():
                expected = [value.numpy() for value in graph.answer(batch)]
            for told, right in zip(answers, expected, strict=True):
                distance = float(np.max(np.abs(told - right) / np.maximum(1, np.abs(right))))
                largest = max(largest, distance) if np.isfinite(distance) else float("inf")
    except MertkError:
        raise
    except Exception as error:  # onnxruntime has kinds of its own, which derive from Exception alone
        told = first_line(error)
        raise MertkError(f"{GRAPH_FILE} cannot be run by onnxruntime ({told}); it is not written.") from error
    return largest


def _tell_exporter() -> str:
    from importlib.metadata import version

    return f"torch.onnx.export (dynamo) of torch {version('torch')}, onnxscript {version('onnxscript')}"


@contextmanager
def askable_precision() -> Iterator[None]:
    """Within, torch's exporter can ask about TF32 in the old way, which is an error where it was set in the new one."""
    from torch import backends

    with keeping_precision():
        backends.cudnn.allow_tf32 = True  # on the CPU, of no effect
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, libraries say nothing of what no user can act on."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
