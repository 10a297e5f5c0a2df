"""A method with a batch of unaligned CMU-MOSI, and the steps it takes (see `benchmarks.methods`)."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import ROOT
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

    from mertk.batch import Batch
    from mertk.config import Config

SETTINGS = ROOT / "recipes/common/conf"
METHODS = (
    *("late_fusion", "lf_dnn", "ef_lstm", "tfn", "lmf", "mult", "misa", "mag_bert", "mmim"),
    *("hscl", "tam_ulag", "foal"),
)
#: behind the name of a method whose equations are computed as they stand
STRAIGHTFORWARD = ", straightforward"
#: files over that of the method: Foal-Net on the layers of a frozen speech encoder
OVERLAYS = {"foal": ("frozen_audio.yaml", "foal/frozen_audio.yaml")}

STEPS = {"audio": 375, "video": 500, "text": 50}
WIDTHS = {"audio": 5, "video": 20, "text": 768}
#: what Foal-Net takes: six seconds of WavLM-base and of CLIP
FOAL_STEPS = {"audio": 299, "video": 180}
FOAL_WIDTHS = {"audio": 768, "video": 768}
FOAL_LAYERS = 13
NUM_CLASSES = 4
TRAINING_UTTERANCES = 1284
#: `--tiny` has this part of the steps and of wide features
TINY = 16


class MethodSteps:
    """A method as its recipe configures it, text as features; a full batch, each utterance as long as the longest.

    Args:
        name: one of METHODS; with STRAIGHTFORWARD behind it, of `benchmarks.straightforward_baselines.FORMS`.
        arguments: of `benchmarks.methods`: `device`, `tiny`, `seed`.
    """

    def __init__(self, name: str, arguments: Namespace) -> None:
        import torch

        from mertk.batch import to_device
        from mertk.config import load_config
        from mertk.training.optim import make_optimizer
        from mertk.training.turns import make_turns

        self.method, self.device = name.removesuffix(STRAIGHTFORWARD), arguments.device
        self.steps, self.widths = sizes_of(self.method, arguments.tiny)
        files = [SETTINGS / f"{self.method}.yaml", *(SETTINGS / file for file in OVERLAYS.get(self.method, ()))]
        config = load_config(files)
        self.batch_size = 4 if arguments.tiny else config.sampler.batch_size
        torch.manual_seed(arguments.seed)
        self.model = self._build(config, name != self.method, arguments.tiny).to(self.device)
        self.optimizer = make_optimizer(self.model, config.optimizer)
        self.turns = make_turns(self.model, config.optimizer, 1, dict(config.loss_weights))
        self.batch = to_device(self._make_batch(), torch.device(self.device))

    def _build(self, config: Config, is_straightforward: bool, is_tiny: bool) -> torch.nn.Module:
        from mertk.training.building import build_model

        facts: dict[str, Any] = {"num_classes": NUM_CLASSES, "num_train_utterances": TRAINING_UTTERANCES}
        for modality, width in self.widths.items():
            facts |= {f"{modality}_dim": width, f"{modality}_steps": self.steps[modality]}
        facts["audio_layers"] = FOAL_LAYERS
        with tempfile.TemporaryDirectory() as folder:
            given = dict(config.model)
            if self.method == "mag_bert":
                given["text_encoder"] = given["text_encoder"] | describe_bert(Path(folder), is_tiny)
            else:
                given["text_encoder"] = None
            if is_straightforward:
                from benchmarks.straightforward_baselines import FORMS

                form = FORMS[self.method]
                given["component"] = f"{form.__module__}.{form.__qualname__}"
            return build_model(given, "model", facts, tuple(self.steps))

    def _make_batch(self) -> Batch:
        import torch

        size, steps = self.batch_size, self.steps
        batch: Batch = {"shared_seed": 1, "epoch": 2, "position": 5, "indices": torch.arange(size)}
        # Intensities in steps of 0.2 between -3 and 3 as MOSI's; or classes.
        batch["labels"] = torch.randint(-15, 16, (size,)) / 5
        if self.method == "foal":
            batch["labels"] = torch.arange(size) % NUM_CLASSES
        for modality, width in self.widths.items():
            shape = (size, steps[modality], width)
            batch |= {modality: torch.randn(shape), f"{modality}_lengths": torch.full((size,), steps[modality])}
        if self.method == "mag_bert":
            tokens = torch.randint(100, (size, steps["text"]))
            batch["text"] = torch.stack([tokens, torch.zeros_like(tokens)], dim=2)
        return batch

    def train(self) -> None:
        """Forward, losses, backward, optimizer; as often as the method goes over the training part in an epoch."""
        self.model.train()
        for turn in self.turns:
            output = self.model(self.batch)
            terms = self.model.losses(output, self.batch)
            sum(weight * terms[name] for name, weight in turn.weights.items()).backward()
            self.model.after_step(output, self.batch)
            for parameter in turn.held:
                parameter.grad = None
            self.optimizer.step()
            self.optimizer.zero_grad()

    def evaluate(self) -> None:
        """Forward and its loss."""
        import torch

        self.model.eval()
        with torch.no_grad():
            self.model.losses(self.model(self.batch), self.batch)


def sizes_of(method: str, is_tiny: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Steps and widths by modality; text is of features that were 768 wide, but tokens for MAG-BERT."""
    steps, widths = (FOAL_STEPS, FOAL_WIDTHS) if method == "foal" else (STEPS, WIDTHS)
    if method == "foal":
        # The layers lie side by side.
        widths = widths | {"audio": FOAL_LAYERS * (widths["audio"] // (TINY if is_tiny else 1))}
    if not is_tiny:
        return steps, widths
    small = {modality: max(count // TINY, 8) for modality, count in steps.items()}
    return small, {one: width if one == "audio" or width < 100 else width // TINY for one, width in widths.items()}


def describe_bert(folder: Path, is_tiny: bool) -> dict[str, Any]:
    """Settings of an encoder with the sizes of BERT-base and random weights; its configuration goes to `folder`."""
    from transformers import BertConfig

    small = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    BertConfig(**(small if is_tiny else {})).save_pretrained(folder)
    return {"weights": str(folder), "random_weights": True}


def largest_difference(method: str, arguments: Namespace) -> float:
    """Of outputs between mertk and the straightforward form of equal parameters, without dropout, on one batch.

    Raises:
        MertkError: they do not compute the same.
    """
    import torch

    ours, other = (MethodSteps(name, arguments) for name in (method, method + STRAIGHTFORWARD))
    other.model.load_state_dict(ours.model.state_dict())
    answers = []
    for form in (ours, other):
        for module in form.model.modules():
            for name in ("p", "dropout", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
        with torch.no_grad():
            answers.append([form.model.train(mode)(ours.batch)["logits"] for mode in (False, True)])
    difference = max((one - two).abs().max().item() for one, two in zip(*answers, strict=True))
    if not difference <= TOLERANCE:
        raise MertkError(f"{method}: the forms differ by {difference:.2g}; their times cannot be compared.")
    return difference


#: of outputs in float32, that rounding explains
TOLERANCE = 1e-4
