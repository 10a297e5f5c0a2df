import pytest
import torch

from mertk.components import build, check
from mertk.config import load_config, save_config
from mertk.errors import MertkError


def test_files_merge_in_order_and_settings_win(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("training: {epochs: 3, seed: 1}\nmodel: {component: x.Y}\n")
    second.write_text("training: {epochs: 5}\n")
    config = load_config([first, second], ["training.seed=7", "optimizer.learning_rate=2e-5"])
    assert (config.training.epochs, config.training.seed) == (5, 7)
    assert config.optimizer.learning_rate == pytest.approx(2e-5)
    assert config.model == {"component": "x.Y"}


def test_settings_behind_the_files_are_known_by_their_form(tmp_path):
    file = tmp_path / "lr=1.yaml"
    file.write_text("training: {epochs: 3}\n")
    config = load_config([str(file), "training.epochs=5", "training.seed=7"], ["training.seed=8"])
    assert (config.training.epochs, config.training.seed) == (5, 8)
    with pytest.raises(MertkError, match="Did you mean: 'epochs'"):
        load_config([str(file), "training.epoch=5"])


def test_a_key_with_dots_in_a_file_is_told_how_a_file_has_it(tmp_path):
    file = tmp_path / "dotted.yaml"
    file.write_text("optimizer.arguments.lr: 1\n")
    with pytest.raises(MertkError, match=r"dotted\.yaml.*`optimizer: \{arguments: \{lr: \.\.\.\}\}`.*command line"):
        load_config([file])


def test_saved_configuration_reads_back_equal(tmp_path):
    settings = ["loss_weights.ce=1", "data.inputs.audio.kind=waveform", "model.component=x.Y", "model.sizes=[1,2]"]
    config = load_config([], settings)
    save_config(config, tmp_path / "config.yaml")
    assert load_config([tmp_path / "config.yaml"]) == config


def test_an_input_set_to_null_is_taken_out():
    config = load_config(
        [], ["data.inputs.audio.kind=waveform", "data.inputs.video.kind=features", "data.inputs.audio=null"]
    )
    assert list(config.data.inputs) == ["video"]


def test_arguments_of_a_class_go_when_another_takes_its_place(tmp_path):
    base, overlay = tmp_path / "base.yaml", tmp_path / "overlay.yaml"
    base.write_text("model: {component: x.Net, width: 8, encoder: {component: x.Large, weights: w, layers: {a: 1}}}\n")
    overlay.write_text("model: {encoder: {component: x.Small, dimension: 4}}\n")
    small = {"component": "x.Small", "dimension": 4}
    assert load_config([base, overlay]).model == {"component": "x.Net", "width": 8, "encoder": small}
    settings = ["model.encoder.component=x.Small", "model.encoder.dimension=4"]
    assert load_config([base], settings).model["encoder"] == small
    # The same class again, or none, leaves the others alone.
    same = load_config([base], ["model.encoder.component=x.Large", "model.encoder.layers.a=2", "model.width=9"]).model
    assert same["encoder"] == {"component": "x.Large", "weights": "w", "layers": {"a": 2}} and same["width"] == 9
    assert load_config([base], ["model.component=x.Other"]).model == {"component": "x.Other"}
    # What another class had is no argument of the one that comes back.
    assert load_config([base], [*settings, "model.encoder.component=x.Large"]).model["encoder"] == {
        "component": "x.Large"
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epoch=3", r"training\.epoch.*Did you mean: 'epochs'"),
        ("trainin.epochs=3", r"Did you mean: 'training'"),
        ("training.epochs=many", r"training\.epochs.*many.*Integer"),
        ("training.epochs=0", r"training\.epochs: got 0, expected at least 1"),
        ("optimizer.learning_rate=nan", r"optimizer\.learning_rate: got nan, expected at least 0"),
        ("schedule.warmup=3", r"schedule\.warmup: got 3\.0, expected a number from 0 to 1"),
        ("data.num_workers=-1", r"data\.num_workers: got -1, expected at least 0"),
        ("training.early_stop=0", r"training\.early_stop: got 0, expected at least 1"),
        ("data.inputs.audio.sample_rate_hz=0", r"audio\.sample_rate_hz: got 0, expected at least 1"),
        ("schedule.name=linear", r"schedule\.name: got 'linear', expected one of constant, warmup_cosine"),
        ("data.inputs.audio.kind=wav", r"data\.inputs\.audio\.kind: got 'wav', expected waveform, features or tokens"),
        ("epochs", r"expected key=value"),
    ],
)
def test_a_wrong_setting_names_the_key_and_the_remedy(setting, message):
    with pytest.raises(MertkError, match=message):
        load_config([], [setting])


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(MertkError, match=r"nowhere\.yaml: no such configuration file"):
        load_config([tmp_path / "nowhere.yaml"])
    broken = tmp_path / "broken.yaml"
    broken.write_text("training: {epochs: 3\n")
    with pytest.raises(MertkError, match=r"broken\.yaml:2: not valid YAML"):
        load_config([broken])
    broken.write_text("- training\n")
    with pytest.raises(MertkError, match=r"broken\.yaml: expected keys with values"):
        load_config([broken])


class Encoder(torch.nn.Module):
    def __init__(self, weights: str, frozen: bool = True) -> None:
        super().__init__()
        self.weights = weights


class Network(torch.nn.Module):
    def __init__(
        self, num_classes: int, encoder: Encoder | None = None, rate: float = 0.1, parts: tuple[str, ...] = ("a",)
    ) -> None:
        super().__init__()
        self.num_classes, self.encoder, self.rate, self.parts = num_classes, encoder, rate, parts


def describe(**arguments):
    return {"component": f"{__name__}.Network", **arguments}


def test_nested_components_are_built_and_facts_fill_in():
    encoder = {"component": f"{__name__}.Encoder", "weights": "folder"}
    network = build(describe(encoder=encoder, rate=1), "model", {"num_classes": 4, "video_dim": 9})
    assert isinstance(network.encoder, Encoder)
    assert (network.encoder.weights, network.num_classes, network.rate) == ("folder", 4, 1.0)


def test_a_value_in_the_configuration_wins_over_a_fact():
    assert build(describe(num_classes=2), "model", {"num_classes": 4}).num_classes == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratee": 1}, r"model.*Did you mean: 'rate'"),
        ({"ratee": None}, r"model.*Did you mean: 'rate'"),
        ({"rate": "fast"}, r"model\.rate.*fast"),
        ({"encoder": 5}, r"model\.encoder: got 5, expected a mapping with the key 'component'"),
        ({"component": 5}, r"model\.component: got 5, expected a dotted path"),
        ({"component": None}, r"model\.component: got None, expected a dotted path"),
        ({}, r"Network needs num_classes"),
        ({"component": "os.system"}, r"os\.system is no torch\.nn\.Module"),
        ({"component": "mertk.models.nowhere.Net"}, r"model\.component: cannot import 'mertk\.models\.nowhere\.Net'"),
        ({"encoder": {"component": f"{__name__}.Encoder"}}, r"model\.encoder: Encoder needs weights"),
    ],
)
def test_a_wrong_argument_names_its_key(arguments, message):
    with pytest.raises(MertkError, match=message):
        build(describe() | arguments, "model")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"component": "mertk.errors.MertkError"}, "mertk.errors.MertkError is no torch.nn.Module"),
        ({"component": "..x.Y"}, "cannot import '..x.Y'"),
        ({"component": "mertk.models.base.Model"}, "no Model can be built of these settings"),
        ({"component": "mertk.models.foal.FoalNet", "modalities": 5}, "no FoalNet can be built of these settings"),
        (
            {"component": "mertk.models.foal.FoalNet", "video_dim": -1},
            "Trying to create tensor with negative dimension",
        ),
    ],
)
def test_what_is_no_model_or_cannot_be_built_is_told(description, message):
    with pytest.raises(MertkError, match=message):
        build(description, "model", {"num_classes": 2, "video_dim": 4, "audio_dim": 4})


def test_a_check_finds_wrong_keys_without_building():
    check(describe(), "model")  # num_classes comes later, from the data
    with pytest.raises(MertkError, match=r"model\.encoder.*Did you mean: 'frozen'"):
        check(describe(encoder={"component": f"{__name__}.Encoder", "frozn": True}), "model")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("wandb", ["wandb"]), ("tensorboard,wandb", ["tensorboard", "wandb"]), ("[wandb]", ["wandb"]), ("[]", [])],
)
def test_one_name_will_do_for_a_list(tmp_path, setting, expected):
    (tmp_path / "file.yaml").write_text(f"training:\n  trackers: {setting}\n")
    assert load_config([], [f"training.trackers={setting}"]).training.trackers == expected
    assert load_config([tmp_path / "file.yaml"]).training.trackers == expected
    assert load_config([], ["schedule.reduce_at=5"]).schedule.reduce_at == [5]


def test_a_list_that_is_none_is_told_to_be_one():
    with pytest.raises(MertkError, match=r"optimizer.groups: expected a list, such as \[a, b\]"):
        load_config([], ["optimizer.groups=x"])


def test_precision_may_be_no():
    assert load_config([], ["training.precision=no"]).training.precision == "no"


def test_one_name_will_do_for_several_arguments():
    described = {"component": "mertk.models.foal.FoalNet", "num_classes": 4, "video_dim": 3, "alignment": False}
    assert list(build({**described, "matching": False, "modalities": "video"}, "model").modalities) == ["video"]
