"""TFN, LMF and MulT as their equations stand, for `benchmarks.methods` to measure others against.

Every sequence is as long as the corpus' longest. Means are over all of its steps, the LSTM of the text is torch's,
tensors of products are formed in full, every transformer computes every step and keeps all scores of its attention.
Parameters are those of `mertk.models`, by name and shape.

Legend: `B` utterances, `T` steps, `H` width of a modality's vector, `R` rank, `C` outputs.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from benchmarks.straightforward_hscl import last, run
from mertk.batch import Batch, Output
from mertk.models.baseline import Baseline
from mertk.models.lmf import LMF
from mertk.models.mult import MulT
from mertk.models.tfn import TFN

#: contexts of each modality as MulT joins them
CONTEXTS = {"text": ("audio", "video"), "audio": ("text", "video"), "video": ("text", "audio")}


class StraightforwardTFN(TFN):
    """All modalities, intensities, full utterances; the constructor is TFN's."""

    def forward(self, batch: Batch) -> Output:
        audio, video, text = (with_one(vector) for vector in read(self, batch))
        products = torch.bmm(audio[:, :, None], video[:, None, :]).flatten(1)
        products = torch.bmm(products[:, :, None], text[:, None, :]).flatten(1)
        hidden = functional.relu(self.layer_1(self.dropout(products)))
        scores = self.layer_3(functional.relu(self.layer_2(hidden)))
        return {"logits": self.label_limit * (2 * scores.sigmoid() - 1)}


class StraightforwardLMF(LMF):
    """All modalities, full utterances; the constructor is LMF's."""

    def forward(self, batch: Batch) -> Output:
        vectors = zip(("audio", "video", "text"), read(self, batch), strict=True)
        audio, video, text = (torch.matmul(with_one(vector), self.factors[one]) for one, vector in vectors)  # (R, B, C)
        products = (audio * video * text).permute(1, 0, 2)
        return {"logits": torch.matmul(self.rank_weights, products).squeeze(1) + self.bias}


class StraightforwardMulT(MulT):
    """All modalities, full utterances; the constructor is MulT's."""

    def forward(self, batch: Batch) -> Output:
        features, lengths = {}, {}
        for one in CONTEXTS:
            steps = self.text_dropout(batch[one]) if one == "text" else batch[one]
            features[one] = self.projections[one](steps.transpose(1, 2)).transpose(1, 2)
            lengths[one] = torch.full_like(batch[f"{one}_lengths"], features[one].shape[1])
        memories = []
        for one, contexts in CONTEXTS.items():
            crossed = [
                run(self.cross_attention[one][other], features[one], lengths[one], features[other], lengths[other])
                for other in contexts
            ]
            memories.append(last(run(self.memories[one], torch.cat(crossed, dim=2), lengths[one]), lengths[one]))
        return {"logits": self.head(torch.cat(memories, dim=1))}


#: by the method whose parameters they have
FORMS: dict[str, type[Baseline]] = {"tfn": StraightforwardTFN, "lmf": StraightforwardLMF, "mult": StraightforwardMulT}


def read(method: Baseline, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The vectors (B, H) of audio, video and text that TFN and LMF fuse."""
    vectors = []
    for one in ("audio", "video"):
        subnet = method.subnets[one]
        norm = subnet.norm
        statistics = norm.running_mean, norm.running_variance, norm.weight, norm.bias
        means = batch[one].mean(dim=1)
        hidden = functional.batch_norm(means, *statistics, norm.training, norm.momentum, norm.epsilon)
        hidden = subnet.dropout(hidden)
        for linear in (subnet.linear_1, subnet.linear_2, subnet.linear_3):
            hidden = functional.relu(linear(hidden))
        vectors.append(hidden)
    text = method.subnets["text"]
    _, (state, _) = nn.LSTM.forward(text.lstm, batch["text"])
    return vectors[0], vectors[1], text.linear(state[0])


def with_one(vectors: torch.Tensor) -> torch.Tensor:
    """A 1 in front of each of the vectors (B, H)."""
    return torch.cat([vectors.new_ones(len(vectors), 1), vectors], dim=1)
