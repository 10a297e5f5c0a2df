"""What a run depends on: its settings, and what it reads, by the role it plays and by content, not by where it lies.

depends_on.json of a run directory has it, `{"options": ..., "inputs": {role: {"path", "seen", "content"}}}`: data of a
checkout that was renamed, or on a disk that is mounted elsewhere, are the same data. `seen` is what a glance tells
(`mertk.run.marks.fingerprint`); only where that differs is the content compared. Earlier versions had `{path: seen}`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run import input_content
from mertk.run.marks import Dependencies, differences, fingerprint, value_at

if TYPE_CHECKING:
    from mertk.config import Config

MARK = "depends_on.json"
#: stands for a path among the options
INPUT = "(input)"
LISTS = ("train", "validation", "test")
#: arguments of classes, which may be paths, or names of the hub
NAMED = ("model.", "sampler.arguments.", "data.inputs.")


def run_inputs(config: Config) -> dict[str, Path]:
    """Files and folders that a run may read, by role; they need not be there."""
    from mertk.data.inputs import feature_directory

    data = config.data
    roles = {f"data.{name}": Path(value) for name in LISTS if (value := getattr(data, name))}
    if data.directory is not None:
        folder = Path(data.directory)
        roles |= {"labels": folder / "utt2label", "classes": folder / "classes.txt", "corpus": folder / "corpus.json"}
        if any(given.kind == "waveform" for given in data.inputs.values()):
            roles["recordings"] = folder / "wav.scp"
            if (folder / "audio_segments").is_file():
                roles["intervals"] = folder / "audio_segments"
    elif data.train is not None:
        roles["classes"] = Path(data.train).with_name("classes.txt")
    for modality, given in data.inputs.items():
        if given.kind != "waveform" and (given.directory or data.directory):
            directory = feature_directory(modality, given, data.directory or "")
            roles[f"features.{modality}.record"] = directory / "record.json"
            roles[f"features.{modality}.index"] = directory / "features.scp"
    return roles | dict(_named_paths(config))


def run_dependencies(config: Config, known: Dependencies | None = None) -> Dependencies:
    """The content of depends_on.json.

    Args:
        known: that of the same run before; what has not been touched since is not read again.
    """
    from mertk.config import decisive

    before = _entries(known) if known else {}
    options, inputs = decisive(config), {}
    for role, path in run_inputs(config).items():
        if role.startswith(NAMED) and not path.exists():
            continue  # a name of the hub
        seen, old = fingerprint(path), before.get(role, {})
        content = (
            old["content"]
            if "content" in old and old["seen"] == seen
            else input_content.digest_of_input(role, path, seen)
        )
        inputs[role] = {"path": str(path), "seen": seen, "content": content}
    return {"options": options, "inputs": inputs}


def find_changes(before: Dependencies | None, config: Config, saved: Config | None = None) -> dict[str, str]:
    """What makes `config` another run than that of `before`: `old -> new` by `options.KEY` or `inputs.ROLE`.

    Args:
        before: content of depends_on.json; None when there is none.
        saved: the settings that the run had, when they are not those in `before`.
    """
    entries = _entries(before) if before else {}
    was = saved or (_settings(before) if before else None)
    if was is None:
        return {"options": "nothing known -> asked for"}
    recorded = before is not None
    old = _plain_options(was, lambda role, path: role in entries if recorded else path.exists())
    new = _plain_options(config, lambda role, path: path.exists())
    changes = {
        f"options.{key}": f"{_told(value_at(old, key))} -> {_told(value_at(new, key))}" for key in differences(old, new)
    }
    there = run_inputs(was)
    for role, path in run_inputs(config).items():
        entry = entries.get(role)
        if entry is None and not recorded and role in there and there[role] != path:
            entry = _entry(role, there[role])
        if entry is not None and not input_content.is_same(role, entry, path) and f"options.{role}" not in changes:
            elsewhere = entry["path"] != str(path)
            changes[f"inputs.{role}"] = f"{entry['path']} -> {path}" if elsewhere else f"{path} has other content"
    return changes


def find_absent(before: Dependencies | None, config: Config) -> list[Path]:
    """What the run of `before` has read and is out of reach for `config`."""
    from mertk.encoders.weights import split_hub_id

    absent = []
    entries = _entries(before) if before else {}
    for role, path in run_inputs(config).items():
        entry = entries.get(role)
        if entry is None or entry["seen"] == "absent" or path.exists():
            continue
        is_name = role.startswith(NAMED) and str(path) != entry["path"] and split_hub_id(str(path)) is not None
        if not is_name:
            absent.append(path)
    return absent


def _settings(mark: Dependencies) -> Config | None:
    """The settings in a mark, with this version's defaults for those that it does not know; None if it has none."""
    from mertk.config import make_config

    try:
        return make_config(mark["options"])
    except (MertkError, KeyError, TypeError):
        return None


def _entries(mark: Dependencies) -> dict[str, dict[str, str]]:
    """Inputs by role, of a mark of this version or an earlier one."""
    inputs = mark.get("inputs")
    if not isinstance(inputs, dict):
        return {}
    if all(isinstance(entry, dict) and {"path", "seen"} <= entry.keys() for entry in inputs.values()):
        return inputs
    was = _settings(mark)
    if was is None:
        return {}
    considered = {role: str(path) for role, path in run_inputs(was).items() if role != "corpus"}
    if was.data.directory is None:
        considered.pop("classes", None)
    named = {role: path for role, path in considered.items() if path in inputs or not role.startswith(NAMED)}
    return {role: {"path": path, "seen": inputs.get(path, "absent")} for role, path in named.items()}


def _entry(role: str, path: Path) -> dict[str, str]:
    seen = fingerprint(path)
    return {"path": str(path), "seen": seen, "content": input_content.digest_of_input(role, path, seen)}


def _plain_options(config: Config, is_input: Callable[[str, Path], bool]) -> dict[str, Any]:
    """Settings that decide what is learnt, with no paths in them."""
    from mertk.config import decisive

    options = decisive(config)
    for name in ("directory", *LISTS):
        options["data"][name] = options["data"][name] and INPUT
    for given in options["data"]["inputs"].values():
        del given["directory"]
    for role, path in _named_paths(config):
        if is_input(role, path):
            *folders, name = role.split(".")
            functools.reduce(_inside, folders, options)[name] = INPUT
    return options


def _named_paths(config: Config) -> Iterator[tuple[str, Path]]:
    """Arguments of classes that may be paths."""
    yield from _paths(config.model, "model")
    yield from _paths(config.sampler.arguments, "sampler.arguments")
    for modality, given in config.data.inputs.items():
        for number, description in enumerate(given.augmentation):
            yield from _paths(description, f"data.inputs.{modality}.augmentation.{number}", "folder")


def _paths(settings: Mapping[str, Any], prefix: str, named: str = "weights") -> Iterator[tuple[str, Path]]:
    """Settings that may be paths: those of one name, and whatever is written with a slash."""
    for name, value in settings.items():
        role = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            yield from _paths(value, role, named)
        elif isinstance(value, str) and (name == named or "/" in value):
            yield role, Path(value).expanduser()


def _inside(settings: Any, name: str) -> Any:
    return settings[int(name)] if isinstance(settings, list) else settings[name]


def _told(value: Any) -> str:
    return "null" if value is None else str(value)
