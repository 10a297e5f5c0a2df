"""What Python code hands to a training as objects, in place of what a configuration names: a model, rows of data.

The configuration of the run is filled in from them, so that the run directory tells what was trained: `model` has the
class of the model and the arguments it was built with, `data.inputs` what the rows hold. rows_train.tsv and
rows_validation.tsv of the run directory have a digest of every row. A run goes on with equal rows and an equal model
alone.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.files import PARTS

if TYPE_CHECKING:
    from mertk.config import Config
    from mertk.data.rows import Rows
    from mertk.models.base import Model
    from mertk.training.model_directory import SavedModel

log = logging.getLogger("mertk.train")

#: parts that decide what is learnt; test rows may come later, or be others
_LEARNT = ("train", "validation")


@dataclass(frozen=True)
class Given:
    """Objects that take the place of what a configuration names.

    Attributes:
        model: trained as it is.
        rows: by part; `train` is among them when there are any.
    """

    model: Model | None = None
    rows: Mapping[str, Rows] = field(default_factory=dict)

    def fill_in(self, config: Config) -> Config:
        """A copy of the configuration that says what is given.

        Raises:
            MertkError: it names a model or data, too.
        """
        config = dataclasses.replace(config, data=dataclasses.replace(config.data))
        if self.model is not None:
            if config.model:
                raise MertkError("the configuration has a section model, and a model is given, too; leave one out.")
            config.model = describe_model(self.model)
        if self.rows:
            named = [name for name in ("directory", *PARTS) if getattr(config.data, name) is not None]
            if named:
                raise MertkError(f"data.{named[0]} is set, and rows are given, too; leave one out.")
            if config.run.protocol != "custom":
                raise MertkError(f"run.protocol: got {config.run.protocol}, but the parts are given by hand (custom).")
            config.data.inputs = self._inputs(config)
        return config

    def _inputs(self, config: Config) -> dict[str, Any]:
        from mertk.config import InputConfig

        rows = self.rows["train"]
        named = config.data.inputs or dict.fromkeys(rows.modalities)
        return {name: given or InputConfig(kind=rows.kinds.get(name, "features")) for name, given in named.items()}

    def load(self, directory: Path) -> SavedModel:
        """The model that was trained on these, as it was saved: built anew, or where it cannot be, the given one."""
        from mertk.config import load_config
        from mertk.run.saved_model import open_model
        from mertk.training.checkpoint import load_weights
        from mertk.training.model_directory import SavedModel, read_usable_info

        config = load_config([directory / "config.yaml"])
        if self.model is None or find_problem(self.model) is None:
            return open_model(directory, [config.model["component"]])  # whatever it is, it has just been trained here
        load_weights(self.model, directory / "model.safetensors")
        return SavedModel(self.model.eval(), config, read_usable_info(directory))

    def check_same(self, run_dir: Path) -> None:
        """Refuse to go on with a run that had another model or other rows, as far as the configuration does not tell.

        Raises:
            MertkError: they differ, or nobody can tell whether the model is the same.
        """
        if self.model is not None and (problem := find_problem(self.model)):
            raise MertkError(f"{run_dir}: whether its model is the one that is given cannot be told: {problem}")
        for part in _LEARNT:
            path = run_dir / _file_name(part)
            before = _read_digests(path) if path.exists() else {}
            now = self.rows[part].digests if part in self.rows else {}
            for utterance in sorted(before.keys() | now.keys()):
                if before.get(utterance) != now.get(utterance):
                    kind = "is gone" if utterance not in now else "has other content"
                    raise MertkError(
                        f"{run_dir} was started with other {part} rows: utterance {utterance} "
                        f"{kind if utterance in before else 'was not there'}. Go on with those it had, or start anew "
                        "(overwrite=True, or another run.output_dir)."
                    )

    def record(self, run_dir: Path) -> None:
        """Write what `check_same` compares with."""
        from mertk.atomic import write_text

        for part in _LEARNT:
            path = run_dir / _file_name(part)
            if part in self.rows:
                digests = self.rows[part].digests
                write_text(path, "".join(f"{name}\t{digests[name]}\n" for name in self.rows[part].ids))
            else:
                path.unlink(missing_ok=True)


def was_given_rows(run_dir: Path) -> bool:
    """Whether a run was trained on rows that Python code had, not on files."""
    return (run_dir / _file_name("train")).exists()


def _file_name(part: str) -> str:
    return f"rows_{part}.tsv"


def _read_digests(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def describe_model(model: Model) -> dict[str, Any]:
    """The section `model` of a configuration that builds such a model; without arguments where they cannot be told.

    Raises:
        MertkError: it is no `mertk.Model`.
    """
    from mertk.models.base import Model

    if not isinstance(model, Model):
        told = (
            f"the class {model.__name__}, no object of it" if isinstance(model, type) else f"a {type(model).__name__}"
        )
        raise MertkError(
            f"model: got {told}, expected a mertk.Model, which has forward and losses (see mertk.models.base)."
        )
    path = f"{type(model).__module__}.{type(model).__qualname__}"
    arguments = getattr(model, "constructor_arguments", {})
    plain = {name: _plain(value) for name, value in arguments.items() if _is_plain(value)}
    return {"component": path, **plain}


def find_problem(model: Model) -> str | None:
    """Why `mertk.load` could not build the model again from what was written down; None if it can.

    A class of a notebook or script (`__main__`) can be had as long as that runs.
    """
    from mertk import components

    described = describe_model(model)
    path, name = described["component"], type(model).__qualname__
    module = sys.modules.get(type(model).__module__)
    if getattr(module, name, None) is not type(model):
        return f"its class {path} cannot be imported; define it at the top of a module."
    arguments = getattr(model, "constructor_arguments", {})
    unknown = [name for name in arguments if name not in described]
    if unknown:
        return (
            f"the argument {unknown[0]} of {path} is a {type(arguments[unknown[0]]).__name__}; give numbers, text, "
            "lists or mappings of such, and build what else it needs inside."
        )
    try:
        components.check(described, "model")
    except MertkError as error:
        return str(error)
    return None


def check_equal_everywhere(model: Model) -> None:
    """Refuse weights that differ between the processes of a launch, of which some engines would make one model.

    Raises:
        MertkError: they do.
    """
    import torch
    import xxhash

    from mertk.distributed import gather_objects, world_size

    if world_size() == 1:
        return
    digest = xxhash.xxh3_64()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    if len(set(gather_objects(digest.hexdigest()))) > 1:
        raise MertkError(
            "model: its weights differ between the processes; call torch.manual_seed with one number on all of them "
            "before it is built."
        )


def tell_what_is_missing(model: Model) -> None:
    """Log whether the model that is trained can be loaded, and by whom."""
    if problem := find_problem(model):
        log.warning("mertk.load will not be able to build this model: %s", problem)
    elif type(model).__module__ == "__main__":
        log.warning(
            "the class %s is of this notebook or script alone: mertk.load(..., trust='__main__') finds it here; put it "
            "into a module to load the model elsewhere",
            type(model).__qualname__,
        )


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, bool, int, float))


def _plain(value: Any) -> Any:
    """With lists for tuples, as a configuration has them."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
