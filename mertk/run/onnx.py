"""A trained model as a graph for ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mertk.errors import MertkError

OnnxFacts = Any


def export_onnx(saved: Any, directory: Path) -> OnnxFacts:
    raise MertkError("this version of mertk does not write ONNX; leave --format out.")
