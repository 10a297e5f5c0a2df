"""MMIM: vectors of modalities that tell of each other, and a fusion that tells of all of them.

Han, Chen, Poria: "Improving Multimodal Fusion with Hierarchical Mutual Information Maximization for Multimodal
Sentiment Analysis", EMNLP 2021.

Legend: `B` utterances, `N` those of all processes, `T` steps of a sequence, `H` width of a state, `W` of a modality's
vector, `P` pairs of modalities, `K` width of what the entropy is measured on, `C` classes, or labels that an utterance
may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.contrastive import blockwise_alignment_loss
from mertk.losses.gaussian_entropy import Moments, find_moments, gaussian_entropies
from mertk.models.baseline import Baseline
from mertk.models.mmim_bounds import Bound, Memory
from mertk.nn.recurrence import BidirectionalLSTM

#: The order in which the released code joins vectors; and the first of those in use that the others are told from.
_JOINED = ("text", "audio", "video")
_SOURCES = ("text", "video", "audio")


class MMIM(Baseline):
    """Vectors predict one another, the fusion predicts the vectors, and a head on it the label.

        t = state of the first token,   m = W [LSTM forward; LSTM backward]     last states of audio, of video
        z = tanh(W2 tanh(W1 dropout([t; a; v]))),   output = W3 z               biases left out here
        likelihood = -E[log q(v|t) + log q(a|t)],   entropy = -H(v) - H(a)      equations 4 and 5
        contrast = -sum_m E[log exp(m . q_m) / sum_n exp(m . q_mn)]             equations 8 and 9

    q_m = W_m z, m and q_m of length 1, n over the utterances of the joined batch. H is the mean over groups of half the
    logarithm of the determinant of the covariance of tanh(P m), over the batch and those remembered. Groups are
    positive and negative utterances; of classes each class, of several labels those that have each.

    The loss terms are `task`, `contrast`, `likelihood` and `entropy`; with one modality the last two are not there.
    The entropy counts behind the first batches of a pass (`memory_size` and one more). q learns in turns of its own
    (`optimizer.turns`). Lengths rule: padding never changes a result, here and in the released code.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: None for the usual loss of the task (`mertk.losses.criterion`).
        audio_dim, video_dim, text_dim: widths of the features.
        text_encoder: of tokens, into states and their lengths; None when the text comes as features.
        modalities: those in use; what belongs to others is not built.
        audio_hidden_dim, video_hidden_dim: of the LSTMs, H.
        audio_output_dim, video_output_dim: of the vectors, W.
        fusion_dim: width of z.
        entropy_dim: K. A group with as few rows has no entropy, which then counts as 0.
        memory_size: batches whose rows the entropy sees beside those at hand.
        normalised: whether the density q is, as in the paper and not released. Vectors then shrink to what is told of
            them: nothing holds their size, since the entropy is that of trained projections.
        variance_floor: added to the variances, so that vectors that are all alike have an entropy; 0 as released.
        dropout: on [t; a; v].

    Raises:
        MertkError: arguments that do not fit together.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        task: str = "regression",
        criterion: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
        text_dim: int | None = None,
        text_encoder: nn.Module | None = None,
        modalities: Sequence[str] = MODALITIES,
        audio_hidden_dim: int = 16,
        video_hidden_dim: int = 16,
        audio_output_dim: int = 16,
        video_output_dim: int = 16,
        fusion_dim: int = 128,
        entropy_dim: int = 4,
        memory_size: int = 1,
        normalised: bool = False,
        variance_floor: float = 1e-6,
        dropout: float = 0.1,
    ) -> None:
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        steps = dict.fromkeys(MODALITIES)
        super().__init__(num_classes, task, criterion, dims, steps, text_encoder, modalities, "masked")
        if memory_size < 1:
            raise MertkError(f"memory_size: got {memory_size}, expected at least 1.")
        if variance_floor < 0:
            raise MertkError(f"variance_floor: got {variance_floor}, expected at least 0.")
        self.variance_floor = variance_floor
        hidden = {"audio": audio_hidden_dim, "video": video_hidden_dim}
        outputs = {"audio": audio_output_dim, "video": video_output_dim}
        widths = {one: outputs.get(one, self.dims[one]) for one in self.modalities}
        read = [one for one in self.modalities if one != "text"]
        self.readers = nn.ModuleDict({one: BidirectionalLSTM(self.dims[one], hidden[one]) for one in read})
        self.projections = nn.ModuleDict({one: nn.Linear(2 * hidden[one], outputs[one]) for one in read})
        self.dropout = nn.Dropout(dropout)
        self.linear_1 = nn.Linear(sum(widths.values()), fusion_dim)
        self.linear_2 = nn.Linear(fusion_dim, fusion_dim)
        self.linear_3 = nn.Linear(fusion_dim, self.num_outputs)
        self.predictors = nn.ModuleDict({one: nn.Linear(fusion_dim, width) for one, width in widths.items()})
        self.source, *targets = [one for one in _SOURCES if one in self.modalities]
        self.bounds = nn.ModuleDict(
            {one: Bound(widths[self.source], widths[one], entropy_dim, normalised) for one in targets}
        )
        num_groups = 2 if task == "regression" else self.num_outputs
        self.memory = Memory(memory_size, num_groups, len(targets), entropy_dim) if targets else None
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1 and not name.startswith("text_encoder."):
                nn.init.xavier_normal_(parameter)

    def forward(self, batch: Batch) -> Output:
        """Predict; in training also compute what the losses need.

        Returns:
            `logits` (B, C). In training by modality `vector/NAME` and `predicted/NAME` (B, W), of length 1; and with
            more than one `likelihood/NAME` (B,) of each that is told from the first, and `projected` (B, P, K).
        """
        vectors = {one: self._vector(one, *steps) for one, steps in self.sequences(batch).items()}
        joined = torch.cat([vectors[one] for one in _JOINED if one in vectors], dim=1)
        fusion = torch.tanh(self.linear_2(torch.tanh(self.linear_1(self.dropout(joined)))))
        output = {"logits": self.linear_3(fusion)}
        if not self.training:
            return output
        for one, vector in vectors.items():
            output[f"vector/{one}"] = functional.normalize(vector, dim=1)
            output[f"predicted/{one}"] = functional.normalize(self.predictors[one](fusion), dim=1)
        projected = []
        for one, bound in self.bounds.items():
            output[f"likelihood/{one}"], projection = bound(vectors[self.source], vectors[one])
            projected.append(projection)
        return output | ({"projected": torch.stack(projected, dim=1)} if projected else {})

    def _vector(self, one: str, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Of the steps (B, T, D) of a modality, of which so many count (B,): (B, W)."""
        if one == "text":
            return steps[:, 0]
        return self.projections[one](self.readers[one].last_states(steps, lengths))

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """All terms; in evaluation what the prediction costs alone, as `task`."""
        terms = super().losses(output, batch)
        if self.training:
            terms["contrast"] = sum(self.contrasts(output).values())
        if self.training and self.memory is not None:
            rows = sum(output[f"likelihood/{one}"] for one in self.bounds)
            terms["likelihood"] = -distributed.global_mean(rows)
            is_remembered = batch["position"] > self.memory.size
            terms["entropy"] = -self.entropies(output, batch).sum() if is_remembered else 0 * output["projected"].sum()
        return terms

    def contrasts(self, output: Output) -> dict[str, torch.Tensor]:
        """What it costs to tell each utterance's vector by its own prediction among those of all, by modality."""
        device, num_rows = output["logits"].device, len(output["logits"])
        counts = distributed.row_counts(num_rows, device)
        everybody = torch.arange(sum(counts), device=device)
        own = everybody[distributed.first_row(counts) :][:num_rows]
        costs = {}
        for one in self.modalities:
            predicted = distributed.gather_rows(output[f"predicted/{one}"], counts)
            rows = blockwise_alignment_loss(output[f"vector/{one}"], predicted, own, everybody, temperature=1.0)
            costs[one] = distributed.global_mean(rows)
        return costs

    def entropies(self, output: Output, batch: Batch) -> torch.Tensor:
        """(P,) of the utterances of all processes, and those remembered."""
        return gaussian_entropies(self.memory.with_batch(self._moments(output, batch)), self.variance_floor)

    @torch.no_grad()
    def after_step(self, output: Output, batch: Batch) -> None:
        """Remember the batch."""
        if self.memory is not None:
            self.memory.put(batch["position"], self._moments(output, batch))

    def _moments(self, output: Output, batch: Batch) -> Moments:
        counts = distributed.row_counts(len(output["projected"]), output["projected"].device)
        labels = distributed.gather_rows(batch["labels"], counts)
        return find_moments(distributed.gather_rows(output["projected"], counts), self._members(labels))

    def _members(self, labels: torch.Tensor) -> torch.Tensor:
        """Which utterances (N,) belong to which group, (N, G)."""
        if self.task == "regression":
            return torch.stack([labels > 0, labels < 0], dim=1)
        return labels > 0 if labels.dim() > 1 else functional.one_hot(labels, self.num_outputs)
