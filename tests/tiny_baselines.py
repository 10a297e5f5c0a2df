"""The baselines in sizes that train in a moment, without dropout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mertk.models.baseline import Baseline
from mertk.models.ef_lstm import EfLstm
from mertk.models.late_fusion import LateFusion
from mertk.models.lf_dnn import LfDnn
from mertk.models.lmf import LMF
from mertk.models.mag_bert import MagBert
from mertk.models.misa import Misa
from mertk.models.mmim import MMIM
from mertk.models.mult import MulT
from mertk.models.tfn import TFN
from mertk.nn.pooling import masked_mean, zero_padding

SUBNETS = {"audio_hidden_dim": 8, "video_hidden_dim": 8, "text_hidden_dim": 8, "text_output_dim": 6}
KERNELS = {f"{modality}_kernel_size": 3 for modality in ("audio", "video", "text")}
BASELINES: dict[str, tuple[type[Baseline], dict[str, Any]]] = {
    "late_fusion": (LateFusion, {}),
    "lf_dnn": (LfDnn, SUBNETS | {"post_fusion_dim": 12}),
    "ef_lstm": (EfLstm, {"hidden_dim": 12, "num_layers": 2}),
    "tfn": (TFN, SUBNETS | {"post_fusion_dim": 16}),
    "lmf": (LMF, SUBNETS | {"rank": 2}),
    "mult": (MulT, KERNELS | {"width": 8, "num_heads": 2, "num_layers": 1}),
    "misa": (Misa, {"width": 16, "feed_forward_dim": 16}),
    "mag_bert": (MagBert, {}),
    "mmim": (MMIM, {"fusion_dim": 12, "entropy_dim": 2}),
}
#: modalities that one of them cannot do without
NEEDED = {"mag_bert": {"text"}}
#: loss terms of those that have others beside `task`
OTHER_TERMS = {
    "misa": {"difference", "similarity", "reconstruction"},
    "mmim": {"contrast", "likelihood", "entropy"},
}
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
    if name == "mag_bert":
        without["text_encoder"] = PooledFeatures(dims["text"], 8)
    return kind(**{f"{one}_dim": width for one, width in dims.items()}, **(sizes | without | arguments))


class PooledFeatures(nn.Module):
    """In the place of BERT, of features in place of tokens: embeddings are linear, the mean of them is pooled."""

    def __init__(self, input_dim: int, width: int) -> None:
        super().__init__()
        self.output_dim = width
        self.embeddings = nn.Linear(input_dim, width)
        self.pooler = nn.Linear(width, width)

    def pool(
        self,
        features: torch.Tensor,
        lengths: torch.Tensor,
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        embedded = self.embeddings(zero_padding(features, lengths))
        return self.pooler(masked_mean(embedded if change is None else change(embedded), lengths)).tanh()
