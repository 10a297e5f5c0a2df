"""The baselines in sizes that train in a moment, without dropout."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mertk.models.baseline import Baseline
from mertk.models.ef_lstm import EfLstm
from mertk.models.late_fusion import LateFusion
from mertk.models.lf_dnn import LfDnn
from mertk.models.lmf import LMF
from mertk.models.mmim import MMIM
from mertk.models.mult import MulT
from mertk.models.tfn import TFN

SUBNETS = {"audio_hidden_dim": 8, "video_hidden_dim": 8, "text_hidden_dim": 8, "text_output_dim": 6}
KERNELS = {f"{modality}_kernel_size": 3 for modality in ("audio", "video", "text")}
BASELINES: dict[str, tuple[type[Baseline], dict[str, Any]]] = {
    "late_fusion": (LateFusion, {}),
    "lf_dnn": (LfDnn, SUBNETS | {"post_fusion_dim": 12}),
    "ef_lstm": (EfLstm, {"hidden_dim": 12, "num_layers": 2}),
    "tfn": (TFN, SUBNETS | {"post_fusion_dim": 16}),
    "lmf": (LMF, SUBNETS | {"rank": 2}),
    "mult": (MulT, KERNELS | {"width": 8, "num_heads": 2, "num_layers": 1}),
    "mmim": (MMIM, {"fusion_dim": 12, "entropy_dim": 2}),
}
#: loss terms of those that have others beside `task`
OTHER_TERMS = {"mmim": {"contrast", "likelihood", "entropy"}}
#: those that can read padding like any step
PADDED = [name for name, (kind, _) in BASELINES.items() if "padding" in inspect.signature(kind).parameters]


def terms(name: str) -> set[str]:
    """Loss terms of one of them."""
    return {"task"} | OTHER_TERMS.get(name, set())


def dropouts(name: str) -> list[str]:
    """Arguments of one of them that are probabilities."""
    return [key for key in inspect.signature(BASELINES[name][0]).parameters if key.endswith("dropout")]


def make_baseline(name: str, dims: Mapping[str, int], **arguments: Any) -> Baseline:
    """One of them, for features of these widths."""
    kind, sizes = BASELINES[name]
    without = dict.fromkeys(dropouts(name), 0.0)
    return kind(**{f"{one}_dim": width for one, width in dims.items()}, **(sizes | without | arguments))
