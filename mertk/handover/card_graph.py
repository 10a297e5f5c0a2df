"""What a model card says of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mertk.report.formatting import Table, join_paragraphs

if TYPE_CHECKING:
    from mertk.run.onnx import OnnxFacts


def use_of_graph(name: str, facts: OnnxFacts) -> dict[str, str]:
    """Three lines of Python and one of shell."""
    given = ", ".join(f'"{one["name"]}": {one["name"]}' for one in facts.inputs)
    output = facts.outputs[0]["name"]
    return {
        "python": f'import onnxruntime\n\nsession = onnxruntime.InferenceSession("{name}/model.onnx")\n'
        f'print(session.run(["{output}"], {{{given}}}))',
        "shell": "pip install onnxruntime",
        "before_use": "A graph for ONNX Runtime, without mertk or PyTorch; onnx.json says all of it:",
        "after_use": "",
    }


def tell_graph(facts: OnnxFacts) -> str:
    """What goes in, what comes out, and what has to be done in front of it."""
    rows = [
        [one["name"], one["dtype"], " x ".join(map(str, one["shape"])), one["meaning"]]
        for one in (*facts.inputs, *facts.outputs)
    ]
    return join_paragraphs(
        [
            f"Opset {facts.opset}, written by {facts.exporter}. Its answers were compared with those of the model, and "
            f"differ by {facts.largest_difference:.1g} at most.",
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
