"""`mertk config`: what every key means, in a file that is a configuration again."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from mertk.bin.config import main
from mertk.components import find_class
from mertk.config import Config, load_config
from mertk.config.document import document
from mertk.config.legend import NEEDED, documented_arguments, field_comments, kind_of, of_arguments, of_fields
from mertk.config.merging import CLASS_KEY
from mertk.errors import MertkError

ROOT = Path(__file__).resolve().parents[2]
#: a file of a recipe that names a model is whole by itself
RECIPES = [
    path
    for path in sorted((ROOT / "recipes").glob("**/conf/*.yaml"))
    if "component" in ((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("model") or {})
]


def sections(section: type = Config) -> set[type]:
    """Every dataclass of the configuration."""
    found, waiting = set(), [section]
    while waiting:
        hint = waiting.pop()
        if dataclasses.is_dataclass(hint):
            found.add(hint)
            waiting += [meaning.hint for meaning in of_fields(hint).values()]
        waiting += typing.get_args(hint)
    return found


def components(value) -> set[str]:
    """Dotted paths of the classes that settings name."""
    if isinstance(value, dict):
        own = {value[CLASS_KEY]} if value.get(CLASS_KEY) else set()
        return own.union(*map(components, value.values()))
    return set().union(*map(components, value)) if isinstance(value, list) else set()


def test_every_setting_has_a_meaning():
    assert len(sections()) >= 8
    silent = [
        f"{section.__name__}.{name}"
        for section in sections()
        for name, meaning in of_fields(section).items()
        # A section says it in its own docstring.
        if not meaning.text
        and not (dataclasses.is_dataclass(meaning.hint) and "(" not in (meaning.hint.__doc__ or "("))
    ]
    assert silent == []


def test_every_argument_of_what_recipes_name_has_a_meaning():
    named = set().union(*(components(dataclasses.asdict(load_config([path]))) for path in RECIPES))
    assert len(named) >= 4
    silent = [
        f"{path}: {name}"
        for path in sorted(named)
        for name, meaning in of_arguments(find_class(path, "model.component")).items()
        if not meaning.text
    ]
    assert silent == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT / "recipes")))
def test_what_is_shown_loads_again_as_the_same(path, tmp_path):
    config = load_config(
        [path], ["optimizer.groups=[{pattern: x, weight_decay: 0.1}]", "run.settings=['a: #b', '${c}']"]
    )
    text = document(config)
    (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
    assert load_config([tmp_path / "shown.yaml"]) == config
    assert max(map(len, text.splitlines())) <= 120


def test_the_defaults_are_shown_without_a_file(capsys, tmp_path):
    assert main([]) == 0
    text = capsys.readouterr().out
    (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
    assert load_config([tmp_path / "shown.yaml"]) == Config()
    assert "  groups: []\n  #  -\n  #    # regular expression" in text


def test_keys_say_what_they_mean(capsys):
    path = "recipes/common/conf/foal.yaml"
    assert main([str(ROOT / path), "training.epochs=7", "optimizer.groups=[{pattern: enc}]"]) == 0
    text = " ".join(word for word in capsys.readouterr().out.split() if word != "#")
    for told in (
        "passes over the training part, at most [whole number; default 40] epochs: 7 ",
        "products of an interaction head. [whole number; default 512] #projection_dim: 512 ",
        "compute it without gradient. [true or false; default true] freeze_feature_encoder: true ",
        "C; not for intensities. [whole number, or null; default null] #num_classes: null ",
        "searched in the names of parameters [text; default ''] pattern: enc ",
        "a term set to null is taken out loss_weights: ce: 1.0 ",
    ):
        assert told in text


def test_a_configuration_is_only_checked(capsys, tmp_path):
    path = str(ROOT / "recipes/common/conf/foal.yaml")
    assert main(["--check", path]) == 0
    assert main([path, "--check", "training.epochs=3"]) == 0
    assert capsys.readouterr() == ("", "")
    for setting, message in {
        "epochs=3": "Key 'epochs' not in 'Config'. Did you mean: 'training.epochs'?",
        "training.epoch=3": "Did you mean: 'epochs'?",
        "model.matchin=true": "Did you mean one of: 'matching'",
        "training.precision=bf61": "got 'bf61', expected one of auto, no, bf16, fp16; did you mean bf16?",
        "data.inputs.audio.kind=wavform": "did you mean waveform?",
        "model.component=mertk.models.foal.FoalNett": "cannot import 'mertk.models.foal.FoalNett'",
    }.items():
        assert main(["--check", path, setting]) == 1
        out, error = capsys.readouterr()
        assert out == "" and message in error
    assert main(["--check", "training.epochs=3"]) == 1
    assert "model: the key 'component' is missing" in capsys.readouterr().err
    assert main(["optimizer.name=null", "optimizer.component=..x"]) == 1
    assert "optimizer.arguments.component: cannot import '..x'" in capsys.readouterr().err
    assert main(["model.width=3"]) == 0
    assert "\nmodel:\n  width: 3\n" in capsys.readouterr().out
    assert main(["--check", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml: no such configuration file" in capsys.readouterr().err


@dataclasses.dataclass
class Section:
    bare: int = 1
    #: of two
    #: lines
    told: float | None = None
    shares: float | None = None
    # no meaning
    other: list[str] = dataclasses.field(default_factory=list)


class Base:
    """Bases.

    Args:
        shared: of the base.
    """


class Sum(Base):
    """Sums.

    Args:
        left, right (int): what is added,
            together: twice.
        scale: times.

    Returns:
        total: no argument.
    """

    def __init__(self, left: int, right: int, scale: float = 1.0, shared: Sequence[str] = (), silent=None, **more):
        pass


@dataclasses.dataclass
class Chosen:
    """A section that may name a class, and holds a list of such."""

    #: a class of one's own
    component: str | None = None
    #: for its constructor
    arguments: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    #: one after the other
    steps: list[dict[str, typing.Any]] = dataclasses.field(default_factory=list)


def test_classes_in_sections_and_lists_have_their_arguments_explained():
    path = f"{Sum.__module__}.Sum"
    text = document(Chosen(path, {"left": 3}, [{"component": path, "scale": 2.0}]))
    assert yaml.safe_load(text) == {
        "component": path,
        "arguments": {"left": 3},
        "steps": [{"component": path, "scale": 2.0}],
    }
    assert "  # what is added, together: twice. [whole number; no default]\n  left: 3\n" in text
    assert "  #scale: 1.0\n" in text and "    scale: 2.0\n" in text and "    #shared: []\n" in text
    assert yaml.safe_load(document(Chosen(path)))["arguments"] == {}
    with pytest.raises(MertkError, match="arguments.component: cannot import 'no.such.Class'"):
        document(Chosen("no.such.Class"))


def test_meanings_are_read_where_they_are_written():
    both = "of two lines"
    assert field_comments(Section) == {"bare": "", "told": both, "shares": both, "other": ""}
    assert [meaning.default for meaning in of_fields(Section).values()] == [1, None, None, []]
    found = of_arguments(Sum)
    both = "what is added, together: twice."
    assert {name: meaning.text for name, meaning in found.items()} == {
        **{"left": both, "right": both, "scale": "times.", "shared": "of the base.", "silent": ""}
    }
    assert (found["left"].default, found["silent"].default) == (NEEDED, None)
    assert [kind_of(meaning.hint) for meaning in found.values()] == [
        *("whole number", "whole number", "number", "list of text", "anything")
    ]
    assert documented_arguments("Nothing.") == {}
