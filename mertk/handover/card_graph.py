"""What a model card says of an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertk.report.formatting import Table, join_paragraphs

if TYPE_CHECKING:
    from mertk.run.onnx import OnnxFacts

#: steps of the utterance in the example, by the unit of the axis
_SHOWN_STEPS = {"samples": 16000, "frames": 50, "tokens": 12}


def use_of_graph(name: str, graphs: Sequence[OnnxFacts]) -> dict[str, str]:
    """Lines of Python that run as they stand, and one of shell.

    Args:
        name: of a folder, or of a model of the hub.
        graphs: of each model, whose answers are averaged.
    """
    owner, _, revision = name.partition("@")
    is_on_hub = "/" in owner
    chosen = f'"{owner}"' + (f', revision="{revision}"' if revision else "")
    folder = f"huggingface_hub.snapshot_download({chosen})" if is_on_hub else f'"{name}"'
    output = graphs[0].outputs[0]["name"]
    lines = ["import huggingface_hub"] * is_on_hub + ["import numpy as np", "import onnxruntime", ""]
    lines += [f"folder = {folder}", "given = {", *(f"    {line}" for line in _examples(graphs[0].inputs)), "}"]
    if len(graphs) == 1:
        lines += ['session = onnxruntime.InferenceSession(f"{folder}/model.onnx")']
        lines += [f'print(session.run(["{output}"], given)[0])']
    else:
        lines.insert(0, "from pathlib import Path\n")
        lines += ['sessions = [onnxruntime.InferenceSession(path) for path in Path(folder).glob("*/model.onnx")]']
        lines += [f'print(np.mean([session.run(["{output}"], given)[0] for session in sessions], axis=0))']
    what = "A graph" if len(graphs) == 1 else f"{len(graphs)} graphs, whose answers are averaged,"
    return {
        "python": "\n".join(lines),
        "shell": "pip install onnxruntime" + " huggingface_hub" * is_on_hub,
        "before_use": f"{what} for ONNX Runtime, without mertk or PyTorch; onnx.json says all of it. Put in what you "
        "have in place of the zeros, which stand for one utterance:",
        "after_use": "",
    }


def _examples(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Values and lengths of one utterance, a line of Python each."""
    lines = []
    for values, lengths in zip(inputs[::2], inputs[1::2], strict=True):
        _, axis, *widths = values["shape"]
        steps = _SHOWN_STEPS[axis.rpartition("_")[2]]
        shape = ", ".join(map(str, (1, steps, *widths)))
        lines += [f'"{values["name"]}": np.zeros(({shape}), np.{values["dtype"]}),']
        lines += [f'"{lengths["name"]}": np.array([{steps}], np.{lengths["dtype"]}),']
    return lines


def tell_graph(graphs: Sequence[OnnxFacts]) -> str:
    """What goes in, what comes out, and what has to be done in front of it."""
    facts = graphs[0]
    rows = [
        [one["name"], one["dtype"], " x ".join(map(str, one["shape"])), one["meaning"]]
        for one in (*facts.inputs, *facts.outputs)
    ]
    largest = max(one.largest_difference for one in graphs)
    return join_paragraphs(
        [
            f"Opset {facts.opset}, written by {facts.exporter}. Its answers were compared with those of the model, and "
            f"differ by {largest:.1g} at most.",
            Table(["input or output", "type", "shape", "meaning"], rows, text_columns=4, ends_in_text=True),
            f"Left outside: {'; '.join(facts.outside) or 'nothing'}.",
            f"Inside, beside the model: {'; '.join(facts.inside) or 'nothing'}.",
        ]
    )


def in_words(names: Sequence[str]) -> str:
    """Names in a row.

    >>> in_words(["audio", "video", "text"]), in_words(["text"])
    ('audio, video and text', 'text')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
