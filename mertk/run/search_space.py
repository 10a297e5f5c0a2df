"""The space that settings are searched in: by key of the configuration, a range of numbers or a list of choices.

optimizer.learning_rate: {low: 1.0e-5, high: 1.0e-3, log: true}
sampler.batch_size: {choices: [8, 16, 32]}
model.output_dropout: {low: 0.0, high: 0.5, step: 0.1}
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.dotted_keys import put
from mertk.errors import MertkError
from mertk.spelling import refused

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: keys of a range
RANGE_KEYS = ("low", "high", "step", "log", "type")
#: most configurations that are told one by one
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both included; in steps, or evenly in their logarithm."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    is_whole: bool = False

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.is_whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def ends(self) -> list[float]:
        """Values that all others lie between."""
        return list(dict.fromkeys((self.low, self.high)))

    def all_labels(self) -> list[float] | None:
        """What a trial may hold; None where there is no end of them."""
        step = self.step or (1 if self.is_whole else None)
        if step is None:
            return None
        values = [self.low + number * step for number in range(round((self.high - self.low) / step) + 1)]
        return [int(value) for value in values] if self.is_whole else values

    def value(self, label: float) -> float:
        return label


@dataclass(frozen=True)
class Choices:
    """One of several values; a list or a mapping is known in a study by its text."""

    choices: tuple[Any, ...]

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.all_labels())

    def ends(self) -> list[Any]:
        return list(self.choices)

    def all_labels(self) -> list[Any]:
        return [json.dumps(one) if isinstance(one, (list, dict)) else one for one in self.choices]

    def value(self, label: Any) -> Any:
        return self.choices[self.all_labels().index(label)]


@dataclass(frozen=True)
class SearchSpace:
    """What is searched, by key."""

    dimensions: Mapping[str, Numbers | Choices]

    def distributions(self) -> dict[str, BaseDistribution]:
        return {key: one.distribution() for key, one in self.dimensions.items()}

    def settings(self, labels: Mapping[str, Any]) -> dict[str, Any]:
        """What a configuration file with the values of a trial would hold."""
        found: dict[str, Any] = {}
        for key, one in self.dimensions.items():
            put(found, key, one.value(labels[key]))
        return found

    def all_configurations(self) -> list[dict[str, Any]] | None:
        """Each configuration there is, as a trial holds it; None where they are too many to be listed."""
        labels = [one.all_labels() for one in self.dimensions.values()]
        if None in labels or math.prod(map(len, labels)) > MOST_LISTED:
            return None
        return [dict(zip(self.dimensions, values, strict=True)) for values in itertools.product(*labels)]

    def record(self) -> dict[str, Any]:
        """The space as plain containers."""
        return {key: json.loads(json.dumps(asdict(one))) for key, one in self.dimensions.items()}


def read_space(path: Path, configs: Sequence[str], settings: Sequence[str]) -> SearchSpace:
    """Read a space and hold it against the configuration that it is searched around.

    Args:
        configs: YAML files of the configuration, `settings` over them.

    Raises:
        MertkError: an unknown key (names the nearest valid one), one that is not to be searched, or a value that the
            configuration cannot take; says in which line of the file.
    """
    from mertk.config import as_dict, is_setting, load_config
    from mertk.content import read_yaml
    from mertk.run.searched_keys import check_key
    from mertk.training.configured_classes import check_classes

    base = load_config(configs, settings)
    check_classes(base)
    content = read_yaml(path, dict[str, Any], "expected lines `key: {low: ..., high: ...}` or `key: {choices: [...]}`")
    if not content:
        raise MertkError(f"{path}: is empty; expected lines `optimizer.learning_rate: {{low: 1.0e-5, high: 1.0e-3}}`.")
    lines, dimensions, plain = _lines_of_keys(path), {}, as_dict(base)
    where = {key: f"{path}:{lines.get(key, 1)}: {key}" for key in content}
    words = [word for word in [*map(str, configs), *settings] if is_setting(word)]
    for key, given in content.items():
        dimensions[key] = read_dimension(given, where[key], check_key(key, where[key], plain, words))
    _check_apart(dimensions, path)
    space = SearchSpace(dimensions)
    _check_ends(space, where, plain)
    return space


def _check_ends(space: SearchSpace, where: Mapping[str, str], base: Mapping[str, Any]) -> None:
    """Refuse values that the configuration cannot take; those of all keys are looked at together as long as they do."""
    from mertk.run.searched_keys import check_value

    ends = {key: one.ends() for key, one in space.dimensions.items()}
    try:
        for number in range(max(map(len, ends.values()))):
            together: dict[str, Any] = {}
            for key, values in ends.items():
                put(together, key, values[number % len(values)])
            check_value(together, "", base)
    except MertkError:
        for key, values in ends.items():
            for value in values:
                alone: dict[str, Any] = {}
                put(alone, key, value)
                check_value(alone, f"{where[key]}: {value}", base)


def _check_apart(keys: Mapping[str, Any], path: Path) -> None:
    for one, other in itertools.permutations(keys, 2):
        if other.startswith(f"{one}."):
            raise MertkError(f"{path}: {one} and {other} are both searched, but one is a part of the other.")


def _lines_of_keys(path: Path) -> dict[str, int]:
    import yaml

    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return {key.value: key.start_mark.line + 1 for key, _ in node.value}


def read_dimension(given: Any, where: str, now: Any) -> Numbers | Choices:
    """What stands behind a key of a space.

    Args:
        now: value of the configuration; between whole numbers a number that is none is searched where it is none.

    Raises:
        MertkError: it is neither a range nor a list of choices; `where` names the line.
    """
    if not isinstance(given, dict):
        raise MertkError(f"{where}: got {given!r:.80}, expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    known = ("choices",) if "choices" in given else RANGE_KEYS
    unknown = [name for name in given if name not in known]
    if unknown and "choices" in given:
        raise MertkError(f"{where}: got {unknown[0]} beside choices, expected one or the other.")
    if unknown:
        raise MertkError(f"{where}: {refused(str(unknown[0]), known)}")
    return _read_choices(given["choices"], where) if "choices" in given else _read_range(given, where, now)


def _read_choices(choices: Any, where: str) -> Choices:
    if not isinstance(choices, list) or len(choices) < 2:
        raise MertkError(f"{where}: choices: got {choices!r:.80}, expected a list of two or more values.")
    texts = [json.dumps(one) for one in choices]
    twice = [text for text in texts if texts.count(text) > 1]
    if twice:
        raise MertkError(f"{where}: choices: {twice[0]} stands twice.")
    return Choices(tuple(choices))


def _read_range(given: Mapping[str, Any], where: str, now: Any) -> Numbers:
    for name in ("low", "high"):
        if name not in given:
            raise MertkError(f"{where}: lacks {name}; expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    low, high, step, log = given["low"], given["high"], given.get("step"), given.get("log", False)
    for name, value in (("low", low), ("high", high), ("step", step)):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number and not (name == "step" and value is None):
            raise MertkError(f"{where}: {name}: got {value!r:.80}, expected a number.")
    if not isinstance(log, bool):
        raise MertkError(f"{where}: log: got {log!r:.80}, expected true or false.")
    kind = given.get("type")
    if kind not in (None, "int", "float"):
        raise MertkError(f"{where}: type: {refused(str(kind), ('int', 'float'))}.")
    if isinstance(now, bool):
        raise MertkError(f"{where}: is {str(now).lower()} in the configuration; expected {{choices: [true, false]}}.")
    numbers = [value for value in (low, high, step) if value is not None]
    is_whole = kind == "int" or (kind is None and all(isinstance(value, int) for value in numbers))
    is_whole = is_whole and not (kind is None and isinstance(now, float))
    _check_range(low, high, step, log, where)
    if is_whole and any(value != int(value) for value in numbers):
        raise MertkError(f"{where}: got {low} to {high}, expected whole numbers.")
    if is_whole and log and low < 1:
        raise MertkError(f"{where}: log: got whole numbers from {low}, expected them from 1.")
    return Numbers(low, high, step, log, is_whole)


def _check_range(low: float, high: float, step: float | None, log: bool, where: str) -> None:
    if not low < high:
        raise MertkError(f"{where}: got low {low} and high {high}, expected low below high.")
    if log and low <= 0:
        raise MertkError(f"{where}: log: got numbers from {low}, expected them above 0.")
    if log and step is not None:
        raise MertkError(f"{where}: step and log do not go together; leave one out.")
    if step is not None:
        count = (high - low) / step if step > 0 else 0
        if step <= 0 or not math.isclose(count, round(count), abs_tol=1e-6) or count < 1:
            raise MertkError(f"{where}: step: got {step}, expected a number of steps that leads from {low} to {high}.")
