"""Which keys of a configuration may be searched, and which values they may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mertk.config.merging import CLASS_KEY, is_component
from mertk.errors import MertkError
from mertk.run.marks import value_at
from mertk.spelling import nearest

#: keys, or beginnings of them, that are not searched, and why
FIXED = {
    "run": "it says what a run is called, not how it is trained",
    "data.directory": "it is --data",
    "data.train": "parts are those of the folds",
    "data.validation": "parts are those of the folds",
    "data.test": "a study knows no test part",
    "data.classes": "figures of other classes cannot be held against each other",
    "data.similar_labels": "figures of other classes cannot be held against each other",
    "data.permute_training_labels": "it is a control",
    "data.max_lost": "figures of other utterances cannot be held against each other",
    "training.seed": "the best of many seeds is luck; --seeds trains every trial with several",
    "training.monitor": "it is what trials are compared by",
    "training.stop_at_step": "a study chooses the epoch on the validation part",
}
#: what a loss is made of: one that is made otherwise is another yardstick
LOSS_KEYS = ("loss_weights", "model.criterion")


def check_key(key: Any, where: str, base: Mapping[str, Any], given: Sequence[str]) -> Any:
    """Refuse what is no key of the configuration, or none to be searched; returns the value it has, or by default.

    Args:
        base: the configuration as plain containers.
        given: `key=value` of the command line, which would win over a trial's.

    Raises:
        MertkError: names the nearest key, or says why; `where` names the line.
    """
    if key in base:
        raise MertkError(f"{where}: is a section; expected its keys with a dot, such as optimizer.learning_rate.")
    if not isinstance(key, str) or not _is_known(key, base):
        known = list(_keys(base))
        raise MertkError(f"{where}: no key of the configuration{nearest(str(key), known) or _like(str(key), known)}")
    for fixed, why in (FIXED | _incidental()).items():
        if _is_below(key, fixed):
            raise MertkError(f"{where}: is not searched: {why}.")
    monitor = base["training"]["monitor"]
    if monitor.endswith("loss") and any(_is_below(key, one) for one in LOSS_KEYS):
        raise MertkError(
            f"{where}: is a part of {monitor} (training.monitor), by which trials are compared: losses that are made "
            "otherwise cannot be. Compare by a metric, training.monitor=mae or ua, say, or leave the key out."
        )
    if key.startswith("loss_weights.") and value_at(base, key) is None:
        raise MertkError(f"{where}: this term is taken out of the loss (null); leave the key out.")
    for setting in given:
        name = setting.partition("=")[0]
        if _is_below(key, name) or _is_below(name, key):
            raise MertkError(f"{where}: is given by the setting {setting} too; leave one of them out.")
    value = value_at(base, key)
    return _default(key, base) if value is None else value


def check_value(part: Mapping[str, Any], where: str, base: Mapping[str, Any]) -> None:
    """Refuse a value that the configuration cannot take.

    Args:
        part: what a configuration file with it would hold; lies over `base`.

    Raises:
        MertkError: `where` names the line and the value.
    """
    from mertk.config import load_config
    from mertk.training.configured_classes import check_classes

    try:
        check_classes(load_config([base, part]))
    except MertkError as error:
        told = str(error).removeprefix("the configuration: ")
        raise MertkError(f"{where}: the configuration does not take it ({told.rstrip('.')}).") from error


def _incidental() -> dict[str, str]:
    """Keys that change nothing of what is learnt."""
    from mertk.config.loading import INCIDENTAL

    why = "it does not change what is learnt"
    return {f"{section}.{name}": why for section, names in INCIDENTAL.items() for name in names or ()}


def _is_below(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _is_known(key: str, base: Mapping[str, Any]) -> bool:
    """Whether a key, of whatever value, stands in the configuration."""
    holder, _, name = key.rpartition(".")
    section = value_at(base, holder)
    # Arguments for the class of a section; that it takes them is looked at with the value.
    return isinstance(section, Mapping) and (name in _names(section) or holder.endswith(".arguments"))


def _default(key: str, base: Mapping[str, Any]) -> Any:
    """What the class of a section takes for an argument that is not given; None of any other key."""
    import inspect

    from mertk.components import find_class

    holder, _, name = key.rpartition(".")
    section = value_at(base, holder)
    if not is_component(section) or "arguments" in section:
        return None
    given = inspect.signature(find_class(section[CLASS_KEY], CLASS_KEY)).parameters.get(name)
    return None if given is None or given.default is given.empty else given.default


def _keys(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """All keys below, dotted, with the arguments that classes take by default."""
    for name in _names(settings):
        value = settings.get(name)
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _names(settings: Mapping[str, Any]) -> list[str]:
    """What stands in a mapping, and, where it describes an object, what its class takes besides."""
    from mertk.components import argument_names, find_class

    if not is_component(settings) or "arguments" in settings:
        return list(settings)
    return list(dict.fromkeys([*settings, *argument_names(find_class(settings[CLASS_KEY], CLASS_KEY))]))


def _like(key: str, known: Sequence[str]) -> str:
    """`optimizer.learning_rate` for `learning_rate`, or for one of another section."""
    from difflib import get_close_matches

    name = key.rpartition(".")[2]
    by_name = {one.rpartition(".")[2]: one for one in known}
    found = get_close_matches(name, by_name, n=1)
    return f"; did you mean {by_name[found[0]]}?" if found else "; expected one such as optimizer.learning_rate."
