"""The contract between a method and the trainer."""

from __future__ import annotations

import abc

import torch

from mertk.batch import Batch, Output


class Model(torch.nn.Module, abc.ABC):
    """A method of emotion recognition.

    The constructor takes plain arguments, which are the keys of `model:` in the recipe's YAML. Arguments of these
    names are filled from the data when the YAML leaves them out: `num_classes`, `num_train_utterances`,
    `audio_dim`, `video_dim`, `text_dim` (width of the feature directories in use), `audio_steps`, `video_steps`,
    `text_steps` (frames, or tokens, of the longest sequence in them). A mapping with the key `component` is built first
    and handed over as an object (an encoder, say).

    Across processes every method sees its local rows; what needs the others' comes from `mertk.distributed`.
    """

    #: "classification" (labels are class indices) or "regression" (labels are floats).
    task: str = "classification"

    @abc.abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Compute everything that needs parameters.

        Every trainable parameter takes part (distributed training waits for all gradients). Works without
        `labels`, then leaving out what only the losses need. Never communicates in evaluation mode.

        Returns:
            tensors by name, `logits` (B, C) among them.
        """

    @abc.abstractmethod
    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """Unweighted loss terms by name, without parameters of their own.

        Each is scaled so that its mean over processes is the loss of the joined batch
        (`mertk.distributed.global_mean`). The weights stand in the YAML under `loss_weights`, with equal names.
        """

    def after_step(self, output: Output, batch: Batch) -> None:
        """Update state that follows the samples; called after backward, before the optimizer's step.

        State lives in registered buffers and is updated from gathered tensors, so that all processes agree.
        """

    def representations(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Vectors to look at (`mertk.bin.report`): (B, D) by `STAGE/NAME`, one D a stage. By default there are none."""
        return {}
