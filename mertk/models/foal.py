"""Foal-Net: audio and video aligned by emotion, fused by attention both ways, matched against hard negatives.

Li, Gao, Wen, Wang, Li: "Enhancing Modal Fusion by Alignment and Label Matching for Multimodal Emotion Recognition",
Interspeech 2024. Text, in the place of either or as a third modality, is ours (docs/foal.md).

Legend: `B` utterances of this process, `N` of all processes, `A` audio frames, `V` video frames, `T` frames of any
modality, tokens of text, `D` features, `C` classes, or labels that an utterance may have at once; 1 for intensities.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import nn
from torch.nn import functional

from mertk import distributed
from mertk.batch import MODALITIES, Batch, Output
from mertk.errors import MertkError
from mertk.losses.contrastive import POSITIVES, contrast_loss
from mertk.losses.criterion import choose_criterion, output_width, prediction_losses
from mertk.losses.label_relations import choose_groups, label_groups
from mertk.losses.matching import matching_accuracy, matching_loss
from mertk.losses.rows import check_rows, over_rows
from mertk.models.base import Model, choose, feature_widths
from mertk.models.foal_interaction import InteractionHead
from mertk.models.foal_pairs import Pool, attend_pairs, draw_negatives
from mertk.models.foal_projection import ProjectionHead
from mertk.nn.attention import CrossAttentionStack
from mertk.nn.pooling import Pooling, masked_mean, pooled_width, zero_padding

#: Similarities are never divided by less: cosines reach 100 then, beyond which softmax saturates and training blows up.
MIN_TEMPERATURE = 0.01

MATCHING_HEADS = ("pooled", "interaction")


class FoalNet(Model):
    """Emotion from speech, face and words, or from some of them.

    With two modalities, the pooled features are aligned across modalities (loss `avel`), each modality attends to the
    other, the attended features tell true pairs from mismatched ones of different emotion (loss `mem`), and both
    pooled vectors classify (loss `ce`; of intensities `task`). With three, that is done of each two of them, which
    share encoders, projections and temperature; losses are means over the pairs, and all six pooled vectors classify.
    With one modality: its mean over frames, dropout, and a linear layer.

    Two forms of one model: the paper's (`positives="mean"`, `temperature=0.07`), and that of the released code
    (`positives="sum"`, `temperature=2.659`, which is ln(1/0.07)).

    Args:
        num_classes: C; not for intensities.
        task: `classification`, as published, `multilabel` or `regression`.
        criterion: of the emotion; None for the usual one of the task (`mertk.losses.criterion`).
        groups: which utterances are of the same emotion to AVEL and MEM; None for the usual of the task: with classes
            those of equal labels, with intensities those of equal `sign` (or `rounded`, or `equal`; see
            `mertk.losses.label_relations`).
        audio_encoder: turns `batch["audio"]` (B, S) with its lengths into frames (B, A, D) and their lengths, and has
            `output_dim`; None when `batch["audio"]` holds features already.
        video_encoder: the same of frames `batch["video"]` (B, V, ...), to be trained with the model.
        text_encoder: the same of tokens `batch["text"]` (B, T, 2).
        audio_dim, video_dim, text_dim: widths of the features; the encoder's where there is one.
        modalities: `["audio", "video"]`, as published, or any of audio, video, text; what belongs to others is not
            built.
        alignment, matching: whether there is AVEL, MEM (the paper's ablations). Only with two modalities or more.
        matching_head: what tells true pairs from mismatched ones: `pooled`, as published, is linear in the pooled
            attended vector; `interaction` also sees its products with the pooled context (docs/matching.md says why).
        positives: `mean` or `sum` over the positives of AVEL.
        contrast_rows: how processes share AVEL, with the same result (`mertk.losses.rows`): `local` or `all`.
        temperature: initial value of the learned divisor of the similarities.
        projection_dim: width of the common space of AVEL, and of the products of an interaction head.
        num_heads, num_layers: of the attention, in each direction.
        hidden_dropout: on the frames of every modality before anything else; None, as published, for the
            `final_dropout` of the pretrained audio encoder (0 without one).
        projection_dropout: in the projections to the common space.
        attention_dropout: on what a cross-attention layer adds to its input.
        classifier_dropout: before the classifier.
        pooling: from frames to a vector: `mean`, as published, `attention` or `statistics` (`mertk.nn.pooling`).

    Raises:
        MertkError: arguments that do not fit together.
    """

    #: how true and mismatched pairs pass the attention (a benchmark replaces it by the published way)
    attend_pairs = staticmethod(attend_pairs)

    def __init__(
        self,
        num_classes: int | None = None,
        task: str = "classification",
        criterion: nn.Module | None = None,
        groups: str | None = None,
        audio_encoder: nn.Module | None = None,
        video_encoder: nn.Module | None = None,
        text_encoder: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
        text_dim: int | None = None,
        modalities: Sequence[str] = ("audio", "video"),
        alignment: bool = True,
        matching: bool = True,
        matching_head: str = "pooled",
        positives: str = "mean",
        contrast_rows: str = "local",
        temperature: float = 0.07,
        projection_dim: int = 512,
        num_heads: int = 4,
        num_layers: int = 2,
        hidden_dropout: float | None = None,
        projection_dropout: float = 0.5,
        attention_dropout: float = 0.1,
        classifier_dropout: float = 0.0,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        self.task = task
        self.criterion = choose_criterion(task, criterion)
        self.groups = choose_groups(task, groups)
        self.num_outputs = output_width(task, num_classes)
        self.modalities = choose("modalities", modalities, MODALITIES)
        #: each modality with each that it attends to; with audio and video audio to video, video to audio
        self.directions = [way for pair in combinations(self.modalities, 2) for way in (pair, pair[::-1])]
        if positives not in POSITIVES:
            raise MertkError(f"positives: got {positives!r}, expected one of {', '.join(POSITIVES)}.")
        if matching_head not in MATCHING_HEADS:
            raise MertkError(f"matching_head: got {matching_head!r}, expected one of {', '.join(MATCHING_HEADS)}.")
        if temperature < MIN_TEMPERATURE:
            raise MertkError(f"temperature: got {temperature}, expected at least {MIN_TEMPERATURE}.")
        self.positives = positives
        self.has_interaction = matching_head == "interaction"
        self.contrast_rows = check_rows(contrast_rows)
        self.is_fused = len(self.modalities) > 1
        self.has_alignment = alignment and self.is_fused
        self.has_matching = matching and self.is_fused
        self.audio_encoder = audio_encoder if "audio" in self.modalities else None
        self.video_encoder = video_encoder if "video" in self.modalities else None
        self.text_encoder = text_encoder if "text" in self.modalities else None
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        encoders = {"audio": audio_encoder, "video": video_encoder, "text": text_encoder}
        widths = feature_widths(self.modalities, dims, encoders)
        if hidden_dropout is None:
            hidden_dropout = getattr(audio_encoder, "final_dropout", 0.0)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.classifier_dropout = nn.Dropout(classifier_dropout)
        pools_inputs = self.has_alignment or (self.has_matching and self.has_interaction) or not self.is_fused
        for name in self.modalities if pools_inputs else ():
            self.add_module(f"{name}_pooling", Pooling(widths[name], pooling))
        for asking, other in self.directions:
            self.add_module(f"{asking}_to_{other}_pooling", Pooling(widths[asking], pooling))
        pooled = {name: pooled_width(widths[name], pooling) for name in self.modalities}
        vectors = [asking for asking, _ in self.directions] or self.modalities
        self.classifier = nn.Linear(sum(pooled[name] for name in vectors), self.num_outputs)
        for asking, other in self.directions:
            stack = CrossAttentionStack(widths[asking], widths[other], num_heads, num_layers, attention_dropout)
            self.add_module(f"{asking}_to_{other}", stack)
        if self.has_alignment:
            for name in self.modalities:
                projection = ProjectionHead(pooled[name], projection_dim, projection_dropout)
                self.add_module(f"{name}_projection", projection)
            self.temperature = nn.Parameter(torch.tensor(float(temperature)))
        for asking, other in self.directions if self.has_matching else ():
            head = (
                InteractionHead(pooled[asking], pooled[other], projection_dim, 2)
                if self.has_interaction
                else nn.Linear(pooled[asking], 2)
            )
            self.add_module(self._matching_name(asking, other), head)

    def _matching_name(self, asking: str, other: str) -> str:
        """What MEM's head on a direction of attention is called, and what it says; of two, the other goes unsaid."""
        return f"{asking}_matching" if len(self.modalities) == 2 else f"{asking}_to_{other}_matching"

    @property
    def loss_names(self) -> list[str]:
        """Names of the loss terms in training, as they stand in `loss_weights`."""
        emotion = "task" if self.task == "regression" else "ce"
        return [emotion] + ["avel"] * self.has_alignment + ["mem"] * self.has_matching

    @property
    def step_loss_names(self) -> list[str]:
        return ["avel"] * self.has_alignment

    def forward(self, batch: Batch) -> Output:
        """Classify; in training also compute what AVEL and MEM need.

        Returns:
            `logits` (B, C). With labels and alignment what `embed` gives. In training with matching `audio_matching`
            and `video_matching` (2 B, 2), first the true pairs, and `has_negative` (B,); of three modalities
            `audio_to_video_matching` and so on.
        """
        if self.training and "labels" not in batch:
            raise MertkError("training needs labels, and the batch has none; call .eval() to predict.")
        if not self.training:
            with distributed.local_only():
                return self._forward(batch)
        return self._forward(batch)

    def _forward(self, batch: Batch) -> Output:
        inputs = {modality: self._frames(batch, modality) for modality in self.modalities}
        if not self.is_fused:
            (pooled,) = (self._pool(name)(*given) for name, given in inputs.items())
            return {"logits": self.classifier(self.classifier_dropout(pooled))}
        output = self._align(inputs) if "labels" in batch and self.has_alignment else {}
        negatives: list[torch.Tensor | None] = [None] * len(self.directions)
        if self.training and self.has_matching:
            counts = distributed.row_counts(len(batch["labels"]), batch["labels"].device)
            *negatives, output["has_negative"] = self.draw_negatives(batch, output, counts)
        attended = [
            self.attend_pairs(
                getattr(self, f"{asking}_to_{other}"),
                inputs[asking],
                inputs[other],
                mismatched,
                self._pool(f"{asking}_to_{other}"),
                self._pool(other),
            )
            for (asking, other), mismatched in zip(self.directions, negatives, strict=True)
        ]
        if "has_negative" in output:
            for direction, (pooled, looked_at) in zip(self.directions, attended, strict=True):
                name = self._matching_name(*direction)
                output[name] = self._match(getattr(self, name), pooled, looked_at)
        size = batch[self.modalities[0]].shape[0]
        vectors = torch.cat([pooled[:size] for pooled, _ in attended], dim=1)
        return output | {"logits": self.classifier(self.classifier_dropout(vectors))}

    def _frames(self, batch: Batch, modality: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (B, T, D) with zeros as padding, and lengths (B,)."""
        frames, lengths = batch[modality], batch[f"{modality}_lengths"]
        encoder = getattr(self, f"{modality}_encoder")
        if encoder is not None:
            frames, lengths = encoder(frames, lengths)
        return zero_padding(self.hidden_dropout(frames), lengths), lengths

    def _pool(self, name: str) -> Pool:
        """What makes vectors of a modality's frames, or of those of a direction; their mean where no loss asks."""
        return getattr(self, f"{name}_pooling", masked_mean)

    def embed(self, batch: Batch) -> Output:
        """What AVEL contrasts: unit vectors, such as `audio_embedding` (B, E), of each modality; `temperature` ()."""
        return self._align({modality: self._frames(batch, modality) for modality in self.modalities})

    def _align(self, inputs: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Output:
        vectors = {
            name: getattr(self, f"{name}_projection")(self._pool(name)(*inputs[name])) for name in self.modalities
        }
        return {
            **{f"{name}_embedding": functional.normalize(vector, dim=1) for name, vector in vectors.items()},
            # The parameter is the divisor itself, as published. The guard adds a constant, so that a temperature below
            # it still gets its gradient and can come back; clamping would cut the gradient and leave it there for good.
            "temperature": self.temperature + (MIN_TEMPERATURE - self.temperature).clamp(min=0).detach(),
        }

    def representations(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Unit vectors, as AVEL compares them: `before AVEL/NAME`, means over frames, and `after AVEL/NAME`, projected.

        Of modalities of different widths the narrower are filled up with zeros, which changes no angle among their own.
        """
        inputs = {modality: self._frames(batch, modality) for modality in self.modalities}
        means = {name: functional.normalize(masked_mean(*given), dim=1) for name, given in inputs.items()}
        widest = max(mean.shape[1] for mean in means.values())
        found = {
            f"before AVEL/{name}": functional.pad(mean, (0, widest - mean.shape[1])) for name, mean in means.items()
        }
        if self.has_alignment:
            aligned = self._align(inputs)
            found |= {f"after AVEL/{name}": aligned[f"{name}_embedding"] for name in self.modalities}
        return found

    def draw_negatives(self, batch: Batch, output: Output, counts: list[int]) -> tuple[torch.Tensor, ...]:
        """What is mismatched in each direction of attention, see `mertk.models.foal_pairs.draw_negatives`.

        Without alignment the draw is uniform: nothing then trains a space in which similarities would mean anything.
        """
        seed = batch.get("shared_seed")
        if seed is None:
            if len(counts) > 1:
                raise MertkError("the batch has no 'shared_seed', which processes need to draw the same negatives.")
            seed = int(torch.randint(2**62, ()))
        return draw_negatives(self._emotions(batch), output, self.directions, seed, counts)

    def _emotions(self, batch: Batch) -> torch.Tensor:
        """Numbers (B,) that are the same for utterances of the same emotion."""
        return label_groups(batch["labels"], self.groups)

    def _match(self, head: nn.Module, pooled: torch.Tensor, looked_at: Callable[[], torch.Tensor]) -> torch.Tensor:
        return head(pooled, looked_at()) if self.has_interaction else head(pooled)

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms of `loss_names`; in evaluation without `mem` (no mismatched pairs are drawn there).

        In evaluation `avel` contrasts the utterances of one batch, so it depends on how the part was cut into batches.
        """
        with contextlib.nullcontext() if self.training else distributed.local_only():
            terms = super().losses(output, batch)
        return {name: terms[name] for name in self.loss_names if name in terms}

    def row_losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        emotion = self.loss_names[0]
        rows = prediction_losses(self.criterion, output["logits"], batch["labels"], self.num_outputs)
        terms = {emotion: distributed.global_mean(rows)}
        if "has_negative" in output:
            terms["mem"] = self._all_ways(matching_loss, output)
        return terms

    def figures(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """With MEM, in training: `matching_accuracy`, the share of true and mismatched pairs told; chance is 0.5."""
        return {"matching_accuracy": self._all_ways(matching_accuracy, output)} if "has_negative" in output else {}

    def _all_ways(self, measure: Callable[..., torch.Tensor], output: Output) -> torch.Tensor:
        """What `measure` says of MEM's answers, averaged over the directions of attention."""
        answers = [output[self._matching_name(*direction)] for direction in self.directions]
        return sum(measure(answer, output["has_negative"]) for answer in answers) / len(answers)

    def step_losses(self, embedded: Output, batch: Batch) -> dict[str, torch.Tensor]:
        if not self.has_alignment:
            return {}

        def contrast(first: torch.Tensor, second: torch.Tensor, emotions: torch.Tensor) -> torch.Tensor:
            return contrast_loss(first, second, emotions, embedded["temperature"], self.positives)

        emotions = self._emotions(batch)
        pairs = [[embedded[f"{name}_embedding"] for name in pair] for pair in combinations(self.modalities, 2)]
        terms = [over_rows(self.contrast_rows, contrast, *pair, emotions) for pair in pairs]
        return {"avel": sum(terms) / len(terms)}
