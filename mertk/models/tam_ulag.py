"""TAM-ULAG: temporal attention, products of modalities, and unimodal labels that training generates; Self-MM with it.

Sun, Wang: "Self-supervised Multimodal Emotion Recognition Combining Temporal Attention Mechanism and Unimodal Label
Automatic Generation Strategy", JEIT 46(2), 2024, doi 10.11999/JEIT231107. Self-MM: Yu, Xu, Yuan, Wu, "Learning
Modality-Specific Representations with Self-Supervised Multi-Task Learning for Multimodal Sentiment Analysis", AAAI
2021.

Legend: `B` utterances of this process, `T` frames or tokens, `D` features, `C` classes, or labels that an utterance may
have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import nn

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.criterion import choose_criterion, output_width, prediction_losses
from mertk.losses.unimodal_labels import expert_labels, generated_label_loss
from mertk.models.base import Model, choose, feature_widths
from mertk.models.tam_ulag_attention import TemporalAttention
from mertk.models.tam_ulag_experts import ExpertConfidence
from mertk.models.tam_ulag_head import FeatureHead
from mertk.models.tam_ulag_label_banks import LabelBanks
from mertk.models.tam_ulag_recurrence import RecurrentBranch

CONFIDENCES = ("trained", "fixed")


class TamUlag(Model):
    """Sentiment intensity (or classes, or several labels at once) from audio, video and text, or some of them.

    Audio and video pass an LSTM, text (features, or the states of BERT) none; temporal attention makes a vector of
    each. One head predicts from all vectors (loss `fusion`), and in training one more from each (losses `audio`,
    `video`, `text`), towards labels of its own that `LabelBanks` generate from the heads' features, on the scale of
    intensities; with classes every head learns the true label.

    Forms of one model:

    - the paper's: as the arguments stand by default;
    - the released code's: `temporal_attention="last"`, `confidence="fixed"`, `products=False`;
    - Self-MM: `temporal_attention="none"`, `products=False`, `experts=False`.

    Args:
        num_train_utterances: rows of the label banks; needed with `generated_labels`.
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: of the heads that learn true labels; None for the usual one of the task (`mertk.losses.criterion`),
            the absolute error of intensities.
        text_encoder: turns `batch["text"]` (B, T, 2), tokens, with its lengths into states (B, T, D) and their lengths,
            and has `output_dim`; None when `batch["text"]` holds features already.
        audio_dim, video_dim, text_dim: widths of the features; `text_dim` is the encoder's where there is one.
        modalities: any of audio, video and text; what belongs to the others is not built.
        temporal_attention: `all`, `last` or `none`, see `TemporalAttention`; a text without it is its first state.
        products: whether the fusion also sees each vector times the sum of each other vector's elements.
        experts: whether half of a generated label is the expert label. Only with `generated_labels`.
        unimodal_heads: whether modalities have heads of their own in training; needed with `generated_labels`.
        generated_labels: False gives every head the true label; None is True where the task is `regression` and there
            are unimodal heads.
        confidence: `trained`, or `fixed` at its first values.
        audio_hidden_dim, video_hidden_dim: of the LSTMs.
        audio_output_dim, video_output_dim: of the vectors.
        audio_dropout, video_dropout: on what attention gives of the LSTM's states.
        post_fusion_dim, post_audio_dim, post_video_dim, post_text_dim: widths of the heads.
        post_fusion_dropout, post_audio_dropout, post_video_dropout, post_text_dropout: in front of the heads.
        expert_dim: width of the experts.
        label_limit: largest absolute value of a generated label, 3 for MOSI and MOSEI, 1 for SIMS.
        exclude_zero: whether utterances of label 0 are left out of the positive centre of the banks.

    Raises:
        MertkError: arguments that do not fit together.
    """

    task = "regression"

    def __init__(
        self,
        num_train_utterances: int | None = None,
        num_classes: int | None = None,
        task: str = "regression",
        criterion: nn.Module | None = None,
        text_encoder: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
        text_dim: int | None = None,
        modalities: Sequence[str] = MODALITIES,
        temporal_attention: str = "all",
        products: bool = True,
        experts: bool = True,
        unimodal_heads: bool = True,
        generated_labels: bool | None = None,
        confidence: str = "trained",
        audio_hidden_dim: int = 32,
        video_hidden_dim: int = 64,
        audio_output_dim: int = 16,
        video_output_dim: int = 32,
        audio_dropout: float = 0.0,
        video_dropout: float = 0.0,
        post_fusion_dim: int = 128,
        post_audio_dim: int = 16,
        post_video_dim: int = 32,
        post_text_dim: int = 64,
        post_fusion_dropout: float = 0.1,
        post_audio_dropout: float = 0.1,
        post_video_dropout: float = 0.1,
        post_text_dropout: float = 0.0,
        expert_dim: int = 16,
        label_limit: float = 3.0,
        exclude_zero: bool = True,
    ) -> None:
        super().__init__()
        self.task = task
        self.criterion = choose_criterion(task, criterion)
        self.num_outputs = output_width(task, num_classes)
        self.modalities = choose("modalities", modalities, MODALITIES)
        if confidence not in CONFIDENCES:
            raise MertkError(f"confidence: got {confidence!r}, expected one of {', '.join(CONFIDENCES)}.")
        generated_labels = _has_generated_labels(generated_labels, task, unimodal_heads)
        if generated_labels and num_train_utterances is None:
            raise MertkError("generated_labels needs num_train_utterances, the size of the label banks.")
        if not label_limit > 0:
            raise MertkError(f"label_limit: got {label_limit}, expected more than 0.")
        self.products = products
        self.text_encoder = text_encoder if "text" in self.modalities else None
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        input_dims = feature_widths(self.modalities, dims, {"text": text_encoder})
        hidden = {"audio": audio_hidden_dim, "video": video_hidden_dim}
        outputs = {"audio": audio_output_dim, "video": video_output_dim, "text": input_dims.get("text")}
        dropouts = {"audio": audio_dropout, "video": video_dropout}
        widths = {modality: outputs[modality] for modality in self.modalities}
        for modality, width in widths.items():
            if modality == "text":
                branch = TemporalAttention(width, temporal_attention, position="first")
            else:
                sizes = input_dims[modality], hidden[modality], width
                branch = RecurrentBranch(*sizes, dropouts[modality], temporal_attention)
            self.add_module(f"{modality}_branch", branch)
        # Every vector stands alone and, with products, once for each other modality.
        fused_width = sum(widths.values()) * (len(widths) if products else 1)
        widths = {"fusion": fused_width} | (widths if unimodal_heads else {})
        post = {
            "fusion": (post_fusion_dim, post_fusion_dropout),
            "audio": (post_audio_dim, post_audio_dropout),
            "video": (post_video_dim, post_video_dropout),
            "text": (post_text_dim, post_text_dropout),
        }
        self.heads = nn.ModuleDict(
            {name: FeatureHead(width, *post[name], self.num_outputs) for name, width in widths.items()}
        )
        feature_dims = {name: post[name][0] for name in self.heads}
        self.banks = self.experts = None
        if generated_labels:
            self.banks = LabelBanks(num_train_utterances, feature_dims, label_limit, exclude_zero)
        if generated_labels and experts:
            self.experts = ExpertConfidence(feature_dims, expert_dim, is_trained=confidence == "trained")

    @property
    def loss_names(self) -> list[str]:
        """Names of the loss terms in training, as they stand in `loss_weights`."""
        return list(self.heads)

    def forward(self, batch: Batch) -> Output:
        """Predict; in training also with each modality alone.

        Returns:
            `logits` (B, C). In training `values/HEAD` (B,) of intensities, (B, C) otherwise, and `features/HEAD` (B,
            width of the head) for the fusion and each modality, and with experts `confidence/MODALITY` (B,).
        """
        vectors = {modality: self._vector(batch, modality) for modality in self.modalities}
        fusion_features, logits = self.heads["fusion"](self._fuse(vectors))
        if not self.training:
            return {"logits": logits}
        features, values = {"fusion": fusion_features}, {"fusion": logits}
        for modality in [name for name in self.heads if name != "fusion"]:
            features[modality], values[modality] = self.heads[modality](vectors[modality])
        output = {"logits": logits}
        output |= {f"values/{name}": value.squeeze(1) for name, value in values.items()}
        output |= {f"features/{name}": value for name, value in features.items()}
        if self.experts is not None:
            output |= {f"confidence/{name}": value for name, value in self.experts(features).items()}
        return output

    def _vector(self, batch: Batch, modality: str) -> torch.Tensor:
        """One vector (B, width) of a modality."""
        sequences, lengths = batch[modality], batch[f"{modality}_lengths"]
        if modality == "text" and self.text_encoder is not None:
            sequences, lengths = self.text_encoder(sequences, lengths)
        return self.get_submodule(f"{modality}_branch")(sequences, lengths)

    def _fuse(self, vectors: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the fusion sees: all vectors side by side, and with products each pair's, x sum(y) and y sum(x)."""
        parts = list(vectors.values())
        if self.products:
            for first, second in combinations(vectors.values(), 2):
                parts += [first * second.sum(dim=1, keepdim=True), second * first.sum(dim=1, keepdim=True)]
        return torch.cat(parts, dim=1)

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms of `loss_names`; in evaluation what the prediction costs alone, as `fusion`."""
        labels = batch["labels"]
        if not self.training:
            with distributed.local_only():
                return {"fusion": self._true_label_loss(output["logits"], labels)}
        is_true = self.heads if self.banks is None else ["fusion"]
        terms = {name: self._true_label_loss(output[f"values/{name}"], labels) for name in is_true}
        if self.banks is None:
            return terms
        generated = self.banks.lookup(batch["indices"], labels)
        for name in self.modalities:
            expert = None if self.experts is None else expert_labels(labels, output[f"confidence/{name}"])
            terms[name] = generated_label_loss(output[f"values/{name}"], labels, generated[name], expert)
        return terms

    def _true_label_loss(self, values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        values = values.reshape(len(labels), self.num_outputs)
        return distributed.global_mean(prediction_losses(self.criterion, values, labels, self.num_outputs))

    @torch.no_grad()
    def after_step(self, output: Output, batch: Batch) -> None:
        """Update the label banks by the utterances of all processes."""
        if self.banks is None:
            return
        counts = distributed.row_counts(len(batch["indices"]), batch["indices"].device)
        features = torch.cat([output[f"features/{name}"] for name in self.heads], dim=1)
        rows = batch["indices"], batch["labels"], features
        self.banks.update(*(distributed.gather_rows(values, counts) for values in rows), batch["epoch"])


def _has_generated_labels(asked: bool | None, task: str, unimodal_heads: bool) -> bool:
    """Whether labels are generated, where the configuration says so (or, with None, nothing)."""
    if asked and task != "regression":
        raise MertkError(
            f"generated_labels: they are intensities, and the task is {task}; leave the argument out, or make it false."
        )
    if asked and not unimodal_heads:
        raise MertkError("generated_labels: they are those of the unimodal heads; set unimodal_heads=true.")
    return task == "regression" and unimodal_heads if asked is None else asked
