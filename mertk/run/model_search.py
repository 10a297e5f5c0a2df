"""Models by what a user calls them: a model directory, one that was exported, or a name on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mertk.atomic.directories import standing
from mertk.errors import MertkError
from mertk.features import Places
from mertk.run.exported import Exported, is_exported, read_exported
from mertk.run.hub import PREFIX, fetch_model, is_in_cache, may_be_on_hub


@dataclass
class FoundModels:
    """Model directories.

    Attributes:
        places: encoders of features that came with them.
        notes: where they are from, in words.
        warnings: what a user may have meant otherwise.
    """

    directories: list[Path] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, directory: Path, exported: Exported) -> None:
        """Add the models of an exported directory, whose files are whole."""
        self.directories += [directory / name for name in exported.models]
        copied = {modality: str(directory / folder) for modality, folder in exported.features.items()}
        self.places = self.places.over(Places(**copied))


def find_models(names: Sequence[str | Path]) -> FoundModels:
    """The directory of each model; several of one that was exported as such.

    A folder that is here comes before a model of the hub of the same name; `hub:owner/name` is always that of the hub.

    Raises:
        MertkError: an exported directory that is not whole, a model that the hub has not, or not for this user, or what
            looks like a folder that was mistyped.
    """
    found = FoundModels()
    for given in names:
        name, path = str(given), standing(Path(given))
        is_on_hub = name.startswith(PREFIX)
        if not is_on_hub and not path.exists() and may_be_on_hub(name):
            _refuse_mistyped(name, path)
            is_on_hub = True
        if is_on_hub:
            model = fetch_model(name.removeprefix(PREFIX))
            found.notes.append(f"{name} is commit {model.commit[:12]} of the hub")
            found.add(model.directory, model.exported)
            continue
        if may_be_on_hub(name) and is_in_cache(name):
            found.warnings.append(f"{name} is the folder here; the model of the hub is {PREFIX}{name}")
        if is_exported(path):
            exported = read_exported(path)
            exported.check_usable(name)
            exported.check_whole(path)
            found.add(path, exported)
        else:
            found.directories.append(path)
    if not found.directories:
        raise MertkError("no model is given; expected one or more model directories, such as RUN/best.")
    return found


def _refuse_mistyped(name: str, path: Path) -> None:
    """Refuse EXP/NAME where EXP is a folder here, before the hub is asked again and again for a model of EXP's.

    Raises:
        MertkError: says how to mean the hub's.
    """
    if path.parent.is_dir() and not is_in_cache(name):
        raise MertkError(
            f"{name}: the folder {path.parent} has no {path.name}; expected a model directory, such as RUN/best. The "
            f"model of the hub of that name is {PREFIX}{name}."
        )
