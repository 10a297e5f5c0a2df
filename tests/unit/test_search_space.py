"""Which keys and values a space may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.errors import MertkError
from mertk.run.search_space import Choices, Numbers, read_space

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "recipes/common/conf"
SPACES = sorted(SHARED.glob("*/space.yaml"))
FOAL = [str(SHARED / "foal.yaml"), str(SHARED / "foal/small.yaml")]

pytest.importorskip("optuna", reason="optuna is not installed; spaces are not tested")


def read(folder, text, settings=(), configs=FOAL):
    file = folder / "space.yaml"
    file.write_text(text)
    return read_space(file, configs, settings)


@pytest.mark.parametrize("file", SPACES, ids=lambda path: path.parent.name)
def test_the_spaces_of_methods_fit_their_settings(file):
    space = read_space(file, [str(SHARED / f"{file.parent.name}.yaml")], [])
    assert len(space.dimensions) >= 5


def test_there_is_a_space_of_each_method():
    over_any = {"recordings", "frozen_audio", "lora_audio", "lora_video", "finetuned_video"}
    methods = {path.stem for path in SHARED.glob("*.yaml")} - over_any
    # What late fusion has to be searched is in any space.
    assert methods - {path.parent.name for path in SPACES} == {"late_fusion"}


def test_numbers_are_whole_where_the_configuration_has_whole_ones(tmp_path):
    space = read(
        tmp_path,
        "model.projection_dropout: {low: 0, high: 1}\n"  # by default 0.5
        "optimizer.weight_decay: {low: 0, high: 1}\n"
        "sampler.batch_size: {low: 4, high: 16, step: 4}\n"
        "schedule.warmup: {low: 0, high: 1, type: int}\n"
        "loss_weights.mem: {low: 1.0e-2, high: 1, log: true}\n",
    ).dimensions
    assert [one.is_whole for one in space.values()] == [False, False, True, True, False]
    assert space["sampler.batch_size"].all_labels() == [4, 8, 12, 16]
    assert space["loss_weights.mem"] == Numbers(0.01, 1, None, True, False)


def test_choices_may_be_anything_that_a_configuration_holds(tmp_path):
    space = read(
        tmp_path,
        "optimizer.groups: {choices: [[], [{pattern: encoder, learning_rate: 1.0e-5}]]}\n"
        "optimizer.max_gradient_norm: {choices: [null, 1.0]}\n"
        "model.positives: {choices: [mean, sum]}\n",
    )
    labels = space.all_configurations()
    assert len(labels) == 8
    settings = space.settings(labels[-1])
    assert settings["optimizer"] == {
        "groups": [{"pattern": "encoder", "learning_rate": 1e-5}],
        "max_gradient_norm": 1.0,
    }
    assert settings["model"] == {"positives": "sum"}
    assert space.dimensions["model.positives"] == Choices(("mean", "sum"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "# a\n\noptimizer.learning_rat: {low: 1, high: 2}",
            ":3: optimizer.learning_rat: no key .* optimizer.learning_rate",
        ),
        ("epochs: {low: 1, high: 2}", ":1: epochs: no key of the configuration; did you mean training.epochs"),
        ("model.num_layer: {low: 1, high: 2}", "did you mean model.num_layers"),
        ("model.audio_encoder.wrap: {low: 1, high: 2}", "did you mean model.audio_encoder.warp"),
        ("data.inputs.vidoe.dropout: {low: 0, high: 1}", "did you mean data.inputs.video.dropout"),
        ("loss_weights.mme: {low: 0, high: 1}", "did you mean loss_weights.mem"),
        ("optimizer: {learning_rate: {low: 0, high: 1}}", "is a section; expected its keys with a dot"),
        ("run.fold: {low: 1, high: 2}", "is not searched: it says what a run is called"),
        ("data.test: {choices: [a, b]}", "is not searched: a study knows no test part"),
        ("training.seed: {low: 1, high: 2}", "is not searched: the best of many seeds is luck"),
        ("training.log_every: {low: 1, high: 2}", "is not searched: it does not change what is learnt"),
        (
            "sampler.batch_size: {low: 0, high: 8}",
            "batch_size: 0: the configuration does not take it .*expected at least 1",
        ),
        ("schedule.name: {choices: [cosine, constant]}", "name: cosine: .* did you mean warmup_cosine"),
        ("model.temperature: {choices: [a, b]}", "temperature: a: the configuration does not take it"),
        ("model.num_layers: {low: 0.5, high: 3}", "num_layers: 0.5: the configuration does not take it"),
        ("model.alignment: {low: 0, high: 1}", "is true in the configuration; expected {choices: \\[true, false\\]}"),
        ("sampler.batch_size: {low: 9, high: 8}", "expected low below high"),
        (
            "sampler.batch_size: {low: 1, high: 8, step: 2}",
            "step: got 2, expected a number of steps that leads from 1 to 8",
        ),
        (
            "optimizer.weight_decay: {low: 0.0, high: 1.0, log: true}",
            "log: got numbers from 0.0, expected them above 0",
        ),
        ("optimizer.weight_decay: {low: 0.1, high: 1.0, log: true, step: 0.1}", "step and log do not go together"),
        ("sampler.batch_size: {low: 1}", "lacks high"),
        ("sampler.batch_size: {low: 1, hihg: 2}", "got 'hihg', .* did you mean high"),
        ("sampler.batch_size: {low: 1, high: 2, choices: [1, 2]}", "got low beside choices"),
        ("sampler.batch_size: {choices: [8]}", "expected a list of two or more values"),
        ("sampler.batch_size: {choices: [8, 8]}", "8 stands twice"),
        ("sampler.batch_size: 8", "got 8, expected {low: ..., high: ...} or {choices"),
        ("model.audio_encoder: {choices: [null, null]}", "stands twice"),
        ("", "is empty"),
        ("- a", "expected an object, got a list"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_line(tmp_path, text, told):
    with pytest.raises(MertkError, match=rf"space.yaml.*{told}"):
        read(tmp_path, text)


def test_a_key_that_a_setting_would_win_over_is_refused(tmp_path):
    for setting in ("model.num_layers=2", "model={num_layers: 2, component: mertk.models.foal.FoalNet}"):
        with pytest.raises(MertkError, match="is given by the setting model.* too; leave one of them out"):
            read(tmp_path, "model.num_layers: {low: 1, high: 3}", [setting])


def test_losses_that_are_made_otherwise_are_not_compared(tmp_path):
    text = "loss_weights.mem: {low: 0.1, high: 1.0}"
    assert read(tmp_path, text).dimensions
    with pytest.raises(MertkError, match=r"is a part of loss \(training.monitor\)"):
        read(tmp_path, text, ["training.monitor=loss"])
    with pytest.raises(MertkError, match="this term is taken out of the loss"):
        read(tmp_path, text, configs=[*FOAL, str(SHARED / "foal/ablation/avel.yaml")])
