"""Baselines held against numbers measured on their published implementations (float64, no dropout, one process)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from mertk.components import build
from mertk.config import Config, load_config
from mertk.models.base import Model
from mertk.training.optim import parameter_groups
from mertk.training.trainer import Trainer
from tests.given_batches import GivenBatches
from tests.reference_tensors import filled, filled_parameter

FOLDER = Path(__file__).parent / "baselines"
RECIPES = Path(__file__).resolve().parents[2] / "recipes"
INPUTS = {"audio": "audio", "video": "vision", "text": "text"}


class Published:
    """One published method: its numbers, and how its tensors are called here.

    Args:
        name: of the file of numbers, and of the method's configuration.
        names: published name -> ours, by regular expression, all applied in order.
        convert: a published parameter in our form, from its name and value.
        norms: what the names of normalisation weights contain, by regular expression, which have 1 on top.
        terms: our loss terms, and what their published values are called.
        settings: of the configuration, always: what stands for the text encoder, say, since the values begin with its
            states.
    """

    def __init__(
        self,
        name: str,
        names: dict[str, str],
        convert: Callable[[str, torch.Tensor], torch.Tensor] = lambda name, value: value,
        norms: str = r"norm.*weight$",
        terms: Mapping[str, str] = MappingProxyType({"task": "l1"}),
        settings: Sequence[str] = (),
    ) -> None:
        self.name, self.names, self.convert, self.norms = name, names, convert, norms
        self.terms, self.settings = terms, settings
        self.values = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        absent = {*(self.values.get("not_filled") or {}), *(self.values.get("no_grad") or ())}
        self.parameters = {key: shape for key, shape in self.values["parameters"].items() if key not in absent}

    def our_name(self, published: str) -> str:
        for pattern, ours in self.names.items():
            published = re.sub(pattern, ours, published)
        return published

    def config(self, *settings: str) -> Config:
        """Of the recipe on CMU-MOSI, variant `released`."""
        shared, own = RECIPES / "common/conf", RECIPES / "mosi/baselines/conf"
        released = shared / self.name / "released.yaml"
        files = [shared / f"{self.name}.yaml", own / self.name / "mosi.yaml", released]
        always = ("training.epochs=2", "training.precision=no", "training.trackers=[]")
        return load_config(files, [*always, *self.settings, *settings])

    def build(self, *settings: str) -> Model:
        """The method as configured, without dropout, filled: every published parameter has its place, and no other."""
        facts = {}
        for ours, theirs in INPUTS.items():
            _, steps, *dim = self._shape(theirs)
            facts |= {f"{ours}_steps": steps, f"{ours}_dim": dim[0] if dim else None}
        model = build(self.config(*settings).model, "model", facts).double()
        for module in model.modules():
            for name in ("p", "dropout", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
        state = {}
        for name, shape in self.parameters.items():
            value = filled_parameter(name, shape)
            state[self.our_name(name)] = self.convert(name, 1 + value if re.search(self.norms, name) else value)
        for name, shape in self.values.get("buffers", {}).items():
            state[self.our_name(name)] = filled_parameter(name, shape) + name.endswith("var")
        own = {name: value for name, value in model.state_dict().items() if name in dict(model.named_buffers())}
        model.load_state_dict(own | state)
        return model

    def batch(self, number: int = 1) -> dict[str, Any]:
        """Batch `number` of those measured; sequences are as long as can be where no lengths are given.

        Lengths are given for all inputs, by name, or for the text, and what is aligned with it.
        """
        given = self.values.get("lengths") or {}
        if not isinstance(given, dict):
            aligned = [name for name in INPUTS.values() if self._shape(name)[1] == self._shape("text")[1]]
            given = dict.fromkeys(aligned, given)
        labels = torch.tensor(self.values["labels"], dtype=torch.float64).roll(number - 1)
        batch = {"labels": labels, "utterance_ids": [f"u{row}" for row in range(len(labels))]}
        for ours, theirs in INPUTS.items():
            shape = self._shape(theirs)
            lengths = torch.tensor(given.get(theirs, [shape[1]] * shape[0]))
            frames = filled(f"{theirs}{number}", shape) if len(shape) > 2 else self._tokens(number)
            batch |= {ours: frames, f"{ours}_lengths": lengths}
        return batch

    def _shape(self, name: str) -> list[int]:
        """Of an input; of a text that comes as tokens it has no width."""
        return self.values["inputs"].get(f"{name}1") or self.values["inputs"]["ids1"]

    def _tokens(self, number: int) -> torch.Tensor:
        others = self.values["trajectory"]["token_ids"]
        ids = torch.tensor(self.values["token_ids"] if number == 1 else others[str(number)])
        return torch.stack([ids, torch.zeros_like(ids)], dim=2)

    def check_outputs_losses_and_gradients(self, model: Model, batch: dict[str, Any] | None = None) -> None:
        batch = batch or self.batch()
        evaluated = self.values.get("outputs_evaluation", self.values.get("outputs"))
        close(model.eval()(batch)["logits"], evaluated["M"])
        output = model.train()(batch)
        close(output["logits"], self.values.get("outputs_training", self.values.get("outputs"))["M"])
        losses, weights = model.losses(output, batch), self.config().loss_weights
        assert losses.keys() == self.terms.keys()
        total = sum(weights[name] * value for name, value in losses.items())
        for name, value in [*((self.terms[ours], value) for ours, value in losses.items()), ("total", total)]:
            assert value.item() == pytest.approx(self.values["losses"][name], rel=1e-12, abs=1e-9), name
        for name, expected in self.values.get("buffers_after_one_training_batch", {}).items():
            close(model.get_buffer(self.our_name(name)), expected)
        total.backward()
        assert self.values["grad_norm"].keys() == self.parameters.keys()
        for name, expected in self.values["grad_norm"].items():
            found = model.get_parameter(self.our_name(name)).grad.norm().item()
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-7), name

    def check_optimizer_groups(self) -> None:
        """Each published group is one of ours: rate, decay, parameters."""
        config, model = self.config(), self.build()
        ours = {frozenset(map(id, group["params"])): group for group in parameter_groups(model, config.optimizer)}
        published = self.values["optimizer_groups"]
        assert len(ours) == len(published)
        for group in published:
            names = self._members(group)
            found = ours[frozenset(id(model.get_parameter(self.our_name(name))) for name in names)]
            assert (found["lr"], found["weight_decay"]) == (group["lr"], group.get("weight_decay", 0.0))

    def _members(self, group: dict[str, Any]) -> list[str]:
        if group.get("params") == "all":
            return list(self.parameters)
        if "params" in group:
            return group["params"]
        return [name for name in self.parameters if name not in group["params_all_but"]]

    def check_trajectory(self, folder: Path, *settings: str) -> None:
        """The losses of two epochs through the trainer, with the optimizer, limits and accumulation of the recipe.

        Of batches that no step takes the published loop computes the losses, too; here there are none.
        """
        config, model = self.config(*settings), self.build(*settings)
        published = self.values["trajectory"][self.terms["task"]]
        num_batches = len(published) // 2
        taken = num_batches - num_batches % config.optimizer.accumulation_steps
        batches = GivenBatches([self.batch(number) for number in range(1, num_batches + 1)])
        losses, compute = [], model.losses

        def note(output: Any, batch: Any) -> Any:
            terms = compute(output, batch)
            losses.append(terms["task"].item())
            return terms

        model.losses = note
        trainer = Trainer(Accelerator(cpu=True), model, config, folder, batches, None, [], dict, lambda *_: None)
        trainer._save = lambda: None  # nothing goes on from here, and checkpoints would take most of the time
        trainer.fit()
        expected = published[:taken] + published[num_batches : num_batches + taken]
        assert losses == pytest.approx(expected, rel=1e-9, abs=1e-9)


def close(found: torch.Tensor, expected: list) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)
