"""The contract between a method and the trainer."""

from __future__ import annotations

import abc
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mertk.batch import Batch, Output
from mertk.errors import MertkError


class Model(torch.nn.Module, abc.ABC):
    """A method of emotion recognition.

    The constructor takes plain arguments, which are the keys of `model:` in the recipe's YAML. Arguments of these
    names are filled from the data when the YAML leaves them out: `num_classes`, `class_counts` (training utterances of
    each class, a list), `num_train_utterances`, `audio_dim`, `video_dim`, `text_dim` (width of the feature directories
    in use), `audio_steps`, `video_steps`, `text_steps` (frames, or tokens, of the longest sequence in them). A mapping
    with the key `component` is built first, filled in likewise, and handed over as an object (an encoder, a criterion).
    An encoder (`audio_encoder`, `video_encoder`, `text_encoder`) for which there is no argument stands in front of the
    method, which then finds its frames in the batch and is told its width (`mertk.training.building`).

    A method that fits several tasks has the argument `task`, by default the one it was published for, and sets
    `self.task`; `mertk.losses.criterion` has what then follows from it, the usual loss and the width of the output.

    Across processes every method sees its local rows; what needs the others' comes from `mertk.distributed`. Of torch's
    batch normalisation the trainer takes care on GPUs; elsewhere several processes refuse it.
    """

    #: name of the task that it was published for (`mertk.tasks`); an argument `task` decides where it is given
    task: str = "classification"
    #: what the constructor was called with, by name, defaults too; of a model that is handed to `mertk.train` as an
    #: object, the configuration says this
    constructor_arguments: dict[str, Any]

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "__init__" in cls.__dict__:
            cls.__init__ = _noting_arguments(cls.__init__)  # type: ignore[method-assign]

    @abc.abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Compute everything that needs parameters.

        Every trainable parameter takes part (distributed training waits for all gradients). Works without
        `labels`, then leaving out what only the losses need. Never communicates in evaluation mode.

        Returns:
            tensors by name, `logits` (B, C) among them, (B, 1) of intensities.
        """

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """Unweighted loss terms by name, without parameters of their own.

        Each is scaled so that its mean over processes is the loss of the joined batch
        (`mertk.distributed.global_mean`). The weights stand in the YAML under `loss_weights`, with equal names.

        A method defines this; or, where some of its terms compare utterances with each other and shall do so over
        whole steps (`accumulation: cached`), their two halves: `row_losses` and `step_losses`.
        """
        return self.row_losses(output, batch) | self.step_losses(output, batch)

    def row_losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms of `losses` whose gradients may be added up batch by batch."""
        raise NotImplementedError(f"{type(self).__name__} defines neither losses nor row_losses.")

    @property
    def step_loss_names(self) -> list[str]:
        """Names of the terms that `step_losses` gives in training; none by default."""
        return []

    def embed(self, batch: Batch) -> Output:
        """What `step_losses` needs of a batch, as the same call to `forward` would have it in its output.

        Takes the random numbers that `forward` takes first, in the same order, so that from the same state of the
        generators both give the same; it may be all of `forward`. Called in training, without gradient.

        Returns:
            tensors by name: rows (B, ...), or scalars that are the same for every batch of a step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no embed.")

    def step_losses(self, embedded: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """The terms of `losses` over all utterances of an optimizer step, each scaled like those of `losses`.

        Args:
            embedded: what `embed` gives, of all batches of the step joined, or the output of `forward`. Nothing else
                carries a gradient: a learned scalar, such as a temperature, is in it too.
            batch: `labels` and `indices` (B,), joined alike, with what else is the same for all batches.
        """
        return {}

    def figures(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """What is worth watching in training beside the losses, without gradient; scaled and named like them."""
        return {}

    def after_step(self, output: Output, batch: Batch) -> None:
        """Update state that follows the samples; called after backward, before the optimizer's step.

        State lives in registered buffers and is updated from gathered tensors, so that all processes agree.
        """

    def representations(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Vectors to look at (`mertk plot`): (B, D) by `STAGE/NAME`, one D a stage. By default there are none."""
        return {}


def _noting_arguments(constructor: Callable[..., None]) -> Callable[..., None]:
    """The constructor; the outermost of those that call each other notes what it was called with."""
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def construct(self: Model, *given: Any, **named: Any) -> None:
        if "constructor_arguments" not in self.__dict__:
            bound = signature.bind(self, *given, **named)
            bound.apply_defaults()
            noted = dict(list(bound.arguments.items())[1:])
            object.__setattr__(self, "constructor_arguments", noted)  # Module's own wants to be built first
        constructor(self, *given, **named)

    return construct


def choose(what: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names in the order of those known.

    Raises:
        MertkError: none, one that is not known, or one twice; `what` is the argument that gives them.
    """
    chosen = [name for name in known if name in names]
    if not chosen or len(chosen) != len(names):
        raise MertkError(f"{what}: got {list(names)}, expected some of {', '.join(known)}, each once.")
    return chosen


def feature_widths(
    modalities: Sequence[str], dims: Mapping[str, int | None], encoders: Mapping[str, torch.nn.Module | None]
) -> dict[str, int]:
    """Width of the features of each modality in use: its encoder's where it has one.

    Args:
        dims: by modality, the argument such as `audio_dim`.
        encoders: by modality that may have one, the argument such as `audio_encoder`.

    Raises:
        MertkError: a modality in use has neither.
    """
    widths = {}
    for modality in modalities:
        encoder = encoders.get(modality)
        width: Any = dims[modality] if encoder is None else encoder.output_dim
        if width is None:
            encoded = f", or an encoder, {modality}_encoder" if modality in encoders else ""
            raise MertkError(
                f"{modality} is used but has no {modality}_dim; give it{encoded}; or leave {modality} out."
            )
        widths[modality] = width
    return widths
