"""HSCL: features split into what a modality alone says and what all say, kept consistent by structure.

Hierarchical structure consistency learning, IEEE Transactions on Multimedia 2026, doi 10.1109/TMM.2026.3694526.

Legend: `B` utterances, `T` steps of a sequence, `D` the common width, `M` modalities in use, `C` classes, or labels
that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.consistency import orthogonality_loss
from mertk.losses.criterion import choose_criterion, output_width, prediction_losses
from mertk.models.base import Model, choose, feature_widths
from mertk.models.hscl_flattened import PrefixLinear, ResidualEmbedding, ResidualHead
from mertk.models.hscl_projection import StepProjection
from mertk.models.hscl_terms import STEP_TERMS, TERMS, step_terms
from mertk.nn.pooling import masked_mean
from mertk.nn.transformer import PADDINGS, Transformer

#: The order in which the released code joins the modalities' vectors, and those that each attends to.
_JOINED = ("text", "video", "audio")
_CONTEXTS = {"audio": ("text", "video"), "video": ("text", "audio"), "text": ("audio", "video")}


class HSCL(Model):
    """Sentiment intensity (or classes, or several labels at once) from speech, face and words, or from some of them.

    Each modality is brought to a common width by a convolution over time and split by linear maps into exclusive and
    irrelevant features (modality-irrelevant: what all say). Exclusive features attend to those of the other modalities,
    and the result to itself; irrelevant ones attend to themselves. The last steps of all predict (`task`), helped by
    heads on the parts. The other terms ask of the features before the split, and of those reconstructed from its
    halves, that modalities lie together and relate utterances alike (`mertk.losses.consistency`).

    With one modality its exclusive features attend to themselves alone: the single modality to compare with.

    Args:
        num_classes: C; not for intensities.
        task: `regression`, as published, `classification` or `multilabel`.
        criterion: of all heads (loss `task`); None for the usual one of the task (`mertk.losses.criterion`), the
            absolute error of intensities.
        audio_dim, video_dim, text_dim: widths of the features.
        audio_steps, video_steps, text_steps: steps of the longest sequences; what is longer is cut.
        text_encoder: turns `batch["text"]`, tokens (B, T, 2), with its lengths into states (B, T, W) and their lengths,
            and has `output_dim`; None when `batch["text"]` holds features.
        modalities: those in use; what belongs to others is not built.
        terms: the losses to compute, `task` among them; what only others need is not built (the paper's Table IV).
        padding: `masked`: padding never changes a result. `fixed`, as released: all sequences are filled up with zeros
            to the longest, the zeros are attended to like any step, and the last of them is read.
        width: D.
        num_heads: of every attention; divides D.
        num_layers: of every transformer; those of the exclusive features behind the crossing have 3 at least.
        audio_kernel_size, video_kernel_size, text_kernel_size: steps under the convolutions over time.
        fusion_dim: width of the vectors that the geometric and semantic terms look at; None, as published, for D times
            the steps of the shortest modality behind its convolution.
        margin: in `margin_similarity`, for labels one apart: intensities, two classes, or one label of several.
        text_dropout: on the features of the text.
        audio_attention_dropout, video_attention_dropout, text_attention_dropout: by the modality attended to.
        embedding_dropout, residual_dropout, relu_dropout: in the transformers.
        fusion_dropout: in the fusion block.
        output_dropout: in the heads.

    Raises:
        MertkError: arguments that do not fit together.
    """

    task = "regression"

    def __init__(
        self,
        num_classes: int | None = None,
        task: str = "regression",
        criterion: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
        text_dim: int | None = None,
        audio_steps: int | None = None,
        video_steps: int | None = None,
        text_steps: int | None = None,
        text_encoder: nn.Module | None = None,
        modalities: Sequence[str] = MODALITIES,
        terms: Sequence[str] = TERMS,
        padding: str = "masked",
        width: int = 50,
        num_heads: int = 10,
        num_layers: int = 4,
        audio_kernel_size: int = 5,
        video_kernel_size: int = 5,
        text_kernel_size: int = 5,
        fusion_dim: int | None = None,
        margin: float = 0.15,
        text_dropout: float = 0.5,
        audio_attention_dropout: float = 0.2,
        video_attention_dropout: float = 0.0,
        text_attention_dropout: float = 0.3,
        embedding_dropout: float = 0.2,
        residual_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        fusion_dropout: float = 0.1,
        output_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.task = task
        self.criterion = choose_criterion(task, criterion)
        self.num_outputs = output_width(task, num_classes)
        self.modalities = choose("modalities", modalities, MODALITIES)
        self.terms = choose("terms", terms, TERMS)
        if "task" not in self.terms:
            raise MertkError(f"terms: got {self.terms}, which lack 'task': nothing would learn to predict.")
        if padding not in PADDINGS:
            raise MertkError(f"padding: got {padding!r}, expected one of {', '.join(PADDINGS)}.")
        self.padding = padding
        self.margin = margin
        self.text_encoder = text_encoder if "text" in self.modalities else None
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        dims = feature_widths(self.modalities, dims, {"text": text_encoder})
        steps = self._needed("steps", audio_steps, video_steps, text_steps)
        kernel_sizes = self._needed("kernel_size", audio_kernel_size, video_kernel_size, text_kernel_size)
        dropouts = self._needed(
            "attention_dropout", audio_attention_dropout, video_attention_dropout, text_attention_dropout
        )
        contexts = {one: [other for other in _CONTEXTS[one] if other in self.modalities] for one in self.modalities}
        exclusive_dim = max(len(self.modalities) - 1, 1) * width
        irrelevant_dim = len(self.modalities) * width

        def transformer(dim: int, layers: int, context: str) -> Transformer:
            others = relu_dropout, residual_dropout, embedding_dropout
            return Transformer(dim, num_heads, layers, padding, dropouts[context], *others)

        def head(dim: int, hidden_dim: int | None = None) -> ResidualHead:
            return ResidualHead(dim, hidden_dim, output_dropout, self.num_outputs)

        self.text_dropout = nn.Dropout(text_dropout)
        self.projections = self._for_each(
            lambda one: StepProjection(dims[one], width, kernel_sizes[one], steps[one], padding)
        )
        kept = {one: projection.kept_steps for one, projection in self.projections.items()}
        self.exclusive_encoders = self._for_each(lambda one: nn.Linear(width, width, bias=False))
        self.irrelevant_encoder = nn.Linear(width, width, bias=False)
        self.cross_attention = self._for_each(
            lambda one: nn.ModuleDict({other: transformer(width, num_layers, other) for other in contexts[one]})
        )
        self.exclusive_attention = self._for_each(lambda one: transformer(exclusive_dim, max(num_layers, 3), one))
        self.irrelevant_attention = self._for_each(lambda one: transformer(width, num_layers, one))
        self.low_heads = self._for_each(lambda one: head(kept[one] * width, width))
        self.high_heads = self._for_each(lambda one: head(exclusive_dim))
        self.irrelevant_head = head(irrelevant_dim)
        self.exclusive_gates = self._for_each(lambda one: nn.Linear(exclusive_dim, exclusive_dim))
        self.irrelevant_gate = nn.Linear(irrelevant_dim, irrelevant_dim)
        self.head = head(len(self.modalities) * exclusive_dim + irrelevant_dim)

        self.fuses_original = not {"geometric", "semantic_original"}.isdisjoint(self.terms)
        self.fuses_reconstructed = not {"geometric", "semantic_reconstructed"}.isdisjoint(self.terms)
        if self.fuses_original or self.fuses_reconstructed:
            fusion_dim = fusion_dim or min(kept.values()) * width
            self.fusion = self._for_each(lambda one: ResidualEmbedding(kept[one] * width, fusion_dim, fusion_dropout))
        if self.fuses_reconstructed:
            self.decoders = self._for_each(lambda one: nn.Linear(2 * width, width, bias=False))
        if "margin_similarity" in self.terms:
            self.alignments = self._for_each(lambda one: PrefixLinear(kept[one] * width, width))

    def forward(self, batch: Batch) -> Output:
        """Predict; in training also compute what the losses need.

        Returns:
            `logits` (B, C). In training `low_logits`, `high_logits` (B, M C), a modality's side by side, and
            `irrelevant_logits` (B, C) of the other heads; by modality `exclusive_NAME`, `irrelevant_NAME` (B, T, D);
            and as far as the terms ask for them `aligned` (B, M, D), `original` and `reconstructed` (B, M,
            `fusion_dim`).
        """
        features, lengths = self._features(batch)
        exclusive, irrelevant = self._split(features)
        shared = torch.cat(
            [
                self.irrelevant_attention[one](irrelevant[one], lengths[one], last_only=True)
                for one in _JOINED
                if one in self.modalities
            ],
            dim=1,
        )
        own = {one: self._attend(one, exclusive, lengths) for one in self.modalities}
        gated = [self.exclusive_gates[one](own[one]) for one in _JOINED if one in self.modalities]
        output = {"logits": self.head(torch.cat([*gated, self.irrelevant_gate(shared)], dim=1).sigmoid())}
        if not self.training:
            return output
        flat = {one: irrelevant[one].flatten(1) for one in self.modalities}
        output["low_logits"] = torch.cat([self.low_heads[one](flat[one]) for one in self.modalities], dim=1)
        output["high_logits"] = torch.cat([self.high_heads[one](own[one]) for one in self.modalities], dim=1)
        output["irrelevant_logits"] = self.irrelevant_head(shared)
        output |= {f"exclusive_{one}": exclusive[one] for one in self.modalities}
        output |= {f"irrelevant_{one}": irrelevant[one] for one in self.modalities}
        if "margin_similarity" in self.terms:
            output["aligned"] = torch.stack([self.alignments[one](flat[one]) for one in self.modalities], dim=1)
        return output | self._fuse(features, exclusive, irrelevant)

    @property
    def step_loss_names(self) -> list[str]:
        return [name for name in self.terms if name in STEP_TERMS]

    def embed(self, batch: Batch) -> Output:
        """What the terms over pairs of utterances compare: `aligned`, `original` and `reconstructed`, as needed."""
        output = self(batch)
        names = dict.fromkeys(name for term in self.step_loss_names for name in STEP_TERMS[term])
        return {name: output[name] for name in names}

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms chosen; in evaluation what the prediction costs alone, as `task`."""
        if not self.training:
            with distributed.local_only():
                return {"task": self._costs(output, ["logits"], batch["labels"])}
        terms = super().losses(output, batch)
        return {name: terms[name] for name in self.terms}

    def row_losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        names = ["logits", "low_logits", "high_logits", "irrelevant_logits"]
        terms = {"task": self._costs(output, names, batch["labels"])}
        if "orthogonality" in self.terms:
            halves = ([output[f"{half}_{one}"] for one in self.modalities] for half in ("exclusive", "irrelevant"))
            terms["orthogonality"] = orthogonality_loss(*halves)
        return terms

    def _costs(self, output: Output, names: list[str], labels: torch.Tensor) -> torch.Tensor:
        """The criterion's losses, summed over heads; mean over the utterances of all processes."""
        logits = torch.cat([output[name] for name in names], dim=1)
        return distributed.global_mean(prediction_losses(self.criterion, logits, labels, self.num_outputs))

    def step_losses(self, embedded: Output, batch: Batch) -> dict[str, torch.Tensor]:
        return step_terms(self.step_loss_names, embedded, batch["labels"], self.margin)

    def representations(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Means over the real steps, (B, D): `before/NAME`, `after/NAME exclusive` and `after/NAME irrelevant`."""
        features, lengths = self._features(batch)
        exclusive, irrelevant = self._split(features)
        found = {f"before/{one}": masked_mean(features[one], lengths[one]) for one in self.modalities}
        for one in self.modalities:
            found[f"after/{one} exclusive"] = masked_mean(exclusive[one], lengths[one])
            found[f"after/{one} irrelevant"] = masked_mean(irrelevant[one], lengths[one])
        return found

    def _features(self, batch: Batch) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """By modality (B, T, D), zeros behind the real steps, and how many steps are real (B,)."""
        features, lengths = {}, {}
        for one in self.modalities:
            steps, num_steps = batch[one], batch[f"{one}_lengths"]
            if one == "text":
                if self.text_encoder is not None:
                    steps, num_steps = self.text_encoder(steps, num_steps)
                steps = self.text_dropout(steps)
            features[one], lengths[one] = self.projections[one](steps, num_steps)
        return features, lengths

    def _split(self, features: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        exclusive = {one: self.exclusive_encoders[one](steps) for one, steps in features.items()}
        irrelevant = {one: self.irrelevant_encoder(steps) for one, steps in features.items()}
        return exclusive, irrelevant

    def _attend(self, one: str, exclusive: dict[str, torch.Tensor], lengths: dict[str, torch.Tensor]) -> torch.Tensor:
        """The last step of a modality's exclusive features that attended to the others', then to themselves."""
        steps = exclusive[one]
        if len(self.modalities) > 1:
            crossed = [
                cross(steps, lengths[one], exclusive[other], lengths[other])
                for other, cross in self.cross_attention[one].items()
            ]
            steps = torch.cat(crossed, dim=2)
        return self.exclusive_attention[one](steps, lengths[one], last_only=True)

    def _fuse(
        self, features: dict[str, torch.Tensor], exclusive: dict[str, torch.Tensor], irrelevant: dict[str, torch.Tensor]
    ) -> Output:
        """`original` and `reconstructed`, as far as needed; both pass in one batch, so that the weights, the largest of
        the model, are read once."""
        names = ["original"] * self.fuses_original + ["reconstructed"] * self.fuses_reconstructed
        if not names:
            return {}
        fused = []
        for one in self.modalities:
            versions = [features[one]] * self.fuses_original
            if self.fuses_reconstructed:
                versions.append(self.decoders[one](torch.cat([exclusive[one], irrelevant[one]], dim=2)))
            fused.append(self.fusion[one](torch.cat(versions).flatten(1)))
        return dict(zip(names, torch.stack(fused, dim=1).chunk(len(names)), strict=True))

    def _for_each(self, build: Callable[[str], nn.Module]) -> nn.ModuleDict:
        return nn.ModuleDict({modality: build(modality) for modality in self.modalities})

    def _needed(self, what: str, *values: int | float | None) -> dict[str, int | float]:
        """Values of the modalities in use, of those of all."""
        found = {one: value for one, value in zip(MODALITIES, values, strict=True) if one in self.modalities}
        for modality, value in found.items():
            if value is None:
                raise MertkError(f"{modality} is used but has no {modality}_{what}; give it, or leave {modality} out.")
        return found
