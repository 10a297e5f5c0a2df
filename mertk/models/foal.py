"""Foal-Net: audio and video aligned by emotion, fused by attention both ways, matched against hard negatives.

Li, Gao, Wen, Wang, Li: "Enhancing Modal Fusion by Alignment and Label Matching for Multimodal Emotion Recognition",
Interspeech 2024.

Legend: `B` utterances of this process, `N` of all processes, `A` audio frames, `V` video frames, `D` features,
`C` classes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from mertk import distributed
from mertk.batch import Batch, Output
from mertk.errors import MertkError
from mertk.losses.contrastive import POSITIVES, contrast_loss, similarities
from mertk.losses.matching import hard_negatives, matching_accuracy, matching_loss, shared_uniforms
from mertk.losses.rows import check_rows, over_rows
from mertk.models.base import Model, choose
from mertk.models.foal_interaction import InteractionHead
from mertk.nn.attention import CrossAttentionStack
from mertk.nn.pooling import masked_mean, zero_padding
from mertk.nn.projection import ProjectionHead

#: Similarities are never divided by less: cosines reach 100 then, beyond which softmax saturates and training blows up.
MIN_TEMPERATURE = 0.01

#: Where the released code starts its temperature: the logarithm of an inverse temperature, used as a divisor.
RELEASED_TEMPERATURE = math.log(1 / 0.07)

MATCHING_HEADS = ("pooled", "interaction")


class FoalNet(Model):
    """Emotion from speech and face, or from one of them.

    With both modalities, the pooled features are aligned across modalities (loss `avel`), each modality attends to the
    other, the attended features tell true pairs from mismatched ones of different emotion (loss `mem`), and both
    pooled vectors classify (loss `ce`). With one modality: its mean over frames, dropout, and a linear layer.

    Two forms of one model: the paper's (`positives="mean"`, `temperature=0.07`), and that of the released code
    (`positives="sum"`, `temperature=2.659`, which is ln(1/0.07)).

    Args:
        num_classes: C.
        audio_encoder: turns `batch["audio"]` (B, S) with its lengths into frames (B, A, D) and their lengths, and has
            `output_dim`; None when `batch["audio"]` holds features already.
        video_encoder: the same of frames `batch["video"]` (B, V, ...), to be trained with the model.
        audio_dim, video_dim: widths of the features; the encoder's where there is one.
        modalities: `["audio", "video"]`, or one of them; what belongs to the other is then not built.
        alignment, matching: whether there is AVEL, MEM (the paper's ablations). Only with both modalities.
        matching_head: what tells true pairs from mismatched ones: `pooled`, as published, is linear in the pooled
            attended vector; `interaction` also sees its products with the pooled context (docs/foal.md says why).
        positives: `mean` or `sum` over the positives of AVEL.
        contrast_rows: how processes share AVEL, with the same result (`mertk.losses.rows`): `local` or `all`.
        temperature: initial value of the learned divisor of the similarities.
        projection_dim: width of the common space of AVEL, and of the products of an interaction head.
        num_heads, num_layers: of the attention, in each direction.
        hidden_dropout: on the frames of both modalities before anything else; None, as published, for the
            `final_dropout` of the pretrained audio encoder (0 without one).
        projection_dropout: in the projections to the common space.
        attention_dropout: on what a cross-attention layer adds to its input.
        classifier_dropout: before the classifier.

    Raises:
        MertkError: arguments that do not fit together.
    """

    def __init__(
        self,
        num_classes: int,
        audio_encoder: nn.Module | None = None,
        video_encoder: nn.Module | None = None,
        audio_dim: int | None = None,
        video_dim: int | None = None,
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
    ) -> None:
        super().__init__()
        self.modalities = choose("modalities", modalities, ("audio", "video"))
        if positives not in POSITIVES:
            raise MertkError(f"positives: got {positives!r}, expected one of {', '.join(POSITIVES)}.")
        if matching_head not in MATCHING_HEADS:
            raise MertkError(f"matching_head: got {matching_head!r}, expected one of {', '.join(MATCHING_HEADS)}.")
        if temperature < MIN_TEMPERATURE:
            raise MertkError(f"temperature: got {temperature}, expected at least {MIN_TEMPERATURE}.")
        self.positives = positives
        self.has_interaction = matching_head == "interaction"
        self.contrast_rows = check_rows(contrast_rows)
        self.is_fused = len(self.modalities) == 2
        self.has_alignment = alignment and self.is_fused
        self.has_matching = matching and self.is_fused
        self.audio_encoder = audio_encoder if "audio" in self.modalities else None
        self.video_encoder = video_encoder if "video" in self.modalities else None
        widths = {
            "audio": audio_dim if audio_encoder is None else audio_encoder.output_dim,
            "video": video_dim if video_encoder is None else video_encoder.output_dim,
        }
        for modality in self.modalities:
            if widths[modality] is None:
                message = f"{modality} is used but has no width; give {modality}_dim or an encoder, {modality}_encoder."
                raise MertkError(message)
        if hidden_dropout is None:
            hidden_dropout = getattr(audio_encoder, "final_dropout", 0.0)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.classifier_dropout = nn.Dropout(classifier_dropout)
        self.classifier = nn.Linear(sum(widths[modality] for modality in self.modalities), num_classes)
        if self.is_fused:
            audio, video = widths["audio"], widths["video"]
            self.audio_to_video = CrossAttentionStack(audio, video, num_heads, num_layers, attention_dropout)
            self.video_to_audio = CrossAttentionStack(video, audio, num_heads, num_layers, attention_dropout)
        if self.has_alignment:
            self.audio_projection = ProjectionHead(audio, projection_dim, projection_dropout)
            self.video_projection = ProjectionHead(video, projection_dim, projection_dropout)
            self.temperature = nn.Parameter(torch.tensor(float(temperature)))
        if self.has_matching and self.has_interaction:
            self.audio_matching = InteractionHead(audio, video, projection_dim, 2)
            self.video_matching = InteractionHead(video, audio, projection_dim, 2)
        elif self.has_matching:
            self.audio_matching = nn.Linear(audio, 2)
            self.video_matching = nn.Linear(video, 2)

    @property
    def loss_names(self) -> list[str]:
        """Names of the loss terms in training, as they stand in `loss_weights`."""
        return ["ce"] + ["avel"] * self.has_alignment + ["mem"] * self.has_matching

    @property
    def step_loss_names(self) -> list[str]:
        return ["avel"] * self.has_alignment

    def forward(self, batch: Batch) -> Output:
        """Classify; in training also compute what AVEL and MEM need.

        Returns:
            `logits` (B, C). With labels and alignment what `embed` gives. In training with matching `audio_matching`
            and `video_matching` (2 B, 2), first the true pairs, and `has_negative` (B,).
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
            (pooled,) = (masked_mean(frames, lengths) for frames, lengths in inputs.values())
            return {"logits": self.classifier(self.classifier_dropout(pooled))}
        output = self._align(inputs) if "labels" in batch and self.has_alignment else {}
        negatives = None
        if self.training and self.has_matching:
            counts = distributed.row_counts(len(batch["labels"]), batch["labels"].device)
            video_for_audio, audio_for_video, output["has_negative"] = self.draw_negatives(batch, output, counts)
            negatives = {"audio": audio_for_video, "video": video_for_audio}
        pooled_audio, seen_video = self._attend(self.audio_to_video, "audio", "video", inputs, negatives)
        pooled_video, heard_audio = self._attend(self.video_to_audio, "video", "audio", inputs, negatives)
        if negatives is not None:
            output["audio_matching"] = self._match(self.audio_matching, pooled_audio, seen_video)
            output["video_matching"] = self._match(self.video_matching, pooled_video, heard_audio)
        size = len(batch["audio"])
        pooled = torch.cat([pooled_audio[:size], pooled_video[:size]], dim=1)
        return output | {"logits": self.classifier(self.classifier_dropout(pooled))}

    def _frames(self, batch: Batch, modality: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (B, T, D) with zeros as padding, and lengths (B,)."""
        frames, lengths = batch[modality], batch[f"{modality}_lengths"]
        encoder = self.audio_encoder if modality == "audio" else self.video_encoder
        if encoder is not None:
            frames, lengths = encoder(frames, lengths)
        return zero_padding(self.hidden_dropout(frames), lengths), lengths

    def embed(self, batch: Batch) -> Output:
        """What AVEL contrasts: unit vectors `audio_embedding`, `video_embedding` (B, E), `temperature` ()."""
        return self._align({modality: self._frames(batch, modality) for modality in self.modalities})

    def _align(self, inputs: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Output:
        return {
            "audio_embedding": functional.normalize(self.audio_projection(masked_mean(*inputs["audio"])), dim=1),
            "video_embedding": functional.normalize(self.video_projection(masked_mean(*inputs["video"])), dim=1),
            # The parameter is the divisor itself, as published. The guard adds a constant, so that a temperature below
            # it still gets its gradient and can come back; clamping would cut the gradient and leave it there for good.
            "temperature": self.temperature + (MIN_TEMPERATURE - self.temperature).clamp(min=0).detach(),
        }

    @torch.no_grad()
    def draw_negatives(
        self, batch: Batch, output: Output, counts: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For each utterance a video and an audio of another label, among those of all processes.

        Without alignment the draw is uniform: nothing then trains a space in which similarities would mean anything.

        Returns:
            global rows of the videos to mismatch with the audios (B,), of the audios to mismatch with the videos
            (B,), and has_negative (B,), False where all utterances have the same label.
        """
        labels = batch["labels"]
        all_labels = distributed.gather_rows(labels, counts)
        seed = batch.get("shared_seed")
        if seed is None:
            if len(counts) > 1:
                raise MertkError("the batch has no 'shared_seed', which processes need to draw the same negatives.")
            seed = int(torch.randint(2**62, ()))
        uniforms = shared_uniforms(seed, 2, counts, labels.device)

        def draw(asking: str, other: str, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scores = torch.zeros(len(labels), len(all_labels), device=labels.device)
            if self.has_alignment:
                columns = distributed.gather_rows(output[f"{other}_embedding"], counts)
                scores = similarities(output[f"{asking}_embedding"], columns, output["temperature"])
            return hard_negatives(scores, labels, all_labels, uniforms)

        videos, keep = draw("audio", "video", uniforms[0])
        audios, _ = draw("video", "audio", uniforms[1])
        return videos, audios, keep

    def _attend(
        self,
        stack: CrossAttentionStack,
        asking: str,
        other: str,
        inputs: dict[str, tuple[torch.Tensor, torch.Tensor]],
        negatives: dict[str, torch.Tensor] | None,
    ) -> tuple[torch.Tensor, Callable[[], torch.Tensor]]:
        """Pooled frames of one modality that attended to the other: (B, D), or (2 B, D) with the mismatched pairs.

        With them comes what gives the pooled frames that each looked at. True and mismatched pairs pass in one batch,
        so that the true ones are computed once, and what is in several pairs is mapped once; of other processes only
        the sequences that were drawn come here.
        """
        frames, lengths = inputs[asking]
        context, context_lengths = inputs[other]
        rows = None
        if negatives is not None:
            rows = torch.cat([torch.arange(len(frames), device=frames.device), negatives[other]])
            lengths = torch.cat([lengths, lengths])
        if negatives is not None and distributed.world_size() > 1:
            taken, taken_lengths = distributed.take_sequences(context, context_lengths, negatives[other])
            missing = taken.shape[1] - context.shape[1]  # other processes may have longer sequences
            context = torch.cat([functional.pad(context, (0, 0, 0, missing)), taken])
            context_lengths = torch.cat([context_lengths, taken_lengths])
            rows = torch.arange(2 * len(frames), device=frames.device)

        def looked_at() -> torch.Tensor:
            pooled = masked_mean(context, context_lengths)
            return pooled if rows is None else pooled.index_select(0, rows)

        return masked_mean(stack(frames, context, context_lengths, rows), lengths), looked_at

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
        labels, logits = batch["labels"], output["logits"]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        terms = {"ce": distributed.global_mean(functional.cross_entropy(logits, labels, reduction="none"))}
        if "audio_matching" in output:
            terms["mem"] = _both_ways(matching_loss, output)
        return terms

    def figures(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """With MEM, in training: `matching_accuracy`, the share of true and mismatched pairs told; chance is 0.5."""
        return {"matching_accuracy": _both_ways(matching_accuracy, output)} if "audio_matching" in output else {}

    def step_losses(self, embedded: Output, batch: Batch) -> dict[str, torch.Tensor]:
        if not self.has_alignment:
            return {}

        def contrast(audio: torch.Tensor, video: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return contrast_loss(audio, video, labels, embedded["temperature"], self.positives)

        rows = embedded["audio_embedding"], embedded["video_embedding"], batch["labels"]
        return {"avel": over_rows(self.contrast_rows, contrast, *rows)}


def _both_ways(measure: Callable[..., torch.Tensor], output: Output) -> torch.Tensor:
    """What `measure` says of MEM's answers, averaged over both directions of attention."""
    values = [measure(output[name], output["has_negative"]) for name in ("audio_matching", "video_matching")]
    return (values[0] + values[1]) / 2
