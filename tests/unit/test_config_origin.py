"""Which settings of a run are noted as not its recipe's."""

import pytest

from mertk.config import load_config, save_config
from mertk.run.config_origin import note_origin


def noted(files, *settings):
    config = load_config(files, settings)
    note_origin(config, files)
    return config.run.files, config.run.settings


@pytest.fixture
def foal(checkout):
    return checkout / "recipes" / "common" / "conf"


def test_a_recipe_as_it_is_has_no_settings_of_its_own(foal, checkout):
    common = checkout / "recipes" / "common" / "conf"
    mosi = checkout / "recipes/mosi/hscl/conf/mosi.yaml"
    hscl = [common / "hscl.yaml", mosi, common / "hscl/miniature.yaml", common / "hscl/ablation/text.yaml"]
    for files in (
        [foal / "foal.yaml"],
        [foal / "foal.yaml", foal / "foal/released.yaml", foal / "foal/ablation/audio.yaml"],
        hscl,
    ):
        names, settings = noted(files)
        assert settings == []
        assert names == [str(file.relative_to(checkout / "recipes")) for file in files]


def test_settings_are_noted_by_what_they_change(foal):
    settings = (
        *("optimizer.learning_rate=3e-4", "training.epochs=40", "training.early_stop=null"),
        *("model.audio_encoder.weights=/models/wavlm", "loss_weights.mem=null", "schedule.reduce_at=[3,5]"),
        *("model.modalities=[audio]", "data.inputs.video=null", "data.permute_training_labels=true"),
    )
    _, noted_settings = noted([foal / "foal.yaml"], *settings)
    assert sorted(noted_settings) == [
        "data.inputs.video=null",
        "data.permute_training_labels=true",
        "loss_weights.mem=null",
        "model.audio_encoder.weights=/models/wavlm",
        'model.modalities=["audio"]',
        "optimizer.learning_rate=0.0003",
        "schedule.reduce_at=[3, 5]",
        "training.early_stop=null",
    ]


def test_what_a_run_is_and_what_changes_nothing_is_not_noted(foal):
    settings = (
        *("run.output_dir=exp", "run.fold=3", "training.seed=7", "data.directory=data", "data.train=a", "data.test=b"),
        *("data.validation=c", "data.num_workers=0", "training.log_every=1", "training.trackers=[]"),
    )
    assert noted([foal / "foal.yaml"], *settings)[1] == []


def test_a_refit_does_not_name_what_its_clean_run_gave(foal):
    given = ("training.stop_at_step=90", "schedule.total_steps=900", "training.early_stop=null")
    assert noted([foal / "foal.yaml"], "run.protocol=clean-refit", *given)[1] == []
    assert len(noted([foal / "foal.yaml"], *given)[1]) == 3


def test_a_file_of_ones_own_is_a_change_of_the_recipe(foal, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("training: {epochs: 3}\noptimizer: {learning_rate: 0.01}\n", encoding="utf-8")
    files, settings = noted([foal / "foal.yaml", mine, "training.epochs=4"])
    assert files == ["common/conf/foal.yaml", "mine.yaml"]
    assert sorted(settings) == ["optimizer.learning_rate=0.01", "training.epochs=4"]
    alone = noted([mine], "training.epochs=4")
    assert alone == (["mine.yaml"], ["training.epochs=4"]), "a first file is a recipe of its own"


def test_a_run_started_from_that_of_another_keeps_its_changes(foal, tmp_path):
    config = load_config([foal / "foal.yaml"], ["training.epochs=3", "model.num_layers=1"])
    note_origin(config, [foal / "foal.yaml"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config([tmp_path / "config.yaml"]).run.settings == config.run.settings
    assert sorted(noted([tmp_path / "config.yaml"], "training.epochs=5")[1]) == [
        "model.num_layers=1",
        "training.epochs=5",
    ]


def test_a_recipe_that_needs_a_setting_to_be_sound_is_no_obstacle(tmp_path):
    file = tmp_path / "conf" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("training: {epochs: 0}\n", encoding="utf-8")
    assert noted([file], "training.epochs=2")[1] == ["training.epochs=2"]


def test_a_copied_recipe_is_held_against_the_one_of_the_package(checkout, tmp_path):
    copy = tmp_path / "mine" / "conf"
    (copy / "hscl" / "ablation").mkdir(parents=True)
    common = checkout / "recipes" / "common" / "conf"
    for place in (common / "hscl.yaml", common / "hscl/ablation/text.yaml"):
        (copy / place.relative_to(common)).write_text(place.read_text(encoding="utf-8"), encoding="utf-8")
    mosi = (checkout / "recipes/mosi/hscl/conf/mosi.yaml").read_text(encoding="utf-8")
    (copy / "mosi.yaml").write_text(mosi, encoding="utf-8")
    files = [copy / "hscl.yaml", copy / "mosi.yaml", copy / "hscl/ablation/text.yaml"]
    assert noted(files) == (["hscl.yaml", "mosi.yaml", "text.yaml"], [])
    (copy / "mosi.yaml").write_text(mosi + "training: {epochs: 3}\n", encoding="utf-8")
    (copy / "mine.yaml").write_text("model: {width: 20}\n", encoding="utf-8")
    assert sorted(noted([*files, copy / "mine.yaml"])[1]) == ["model.width=20", "training.epochs=3"]
    (copy / "mosi.yaml").write_text("run: {recipe: mine/hscl}\n", encoding="utf-8")
    assert noted([*files, copy / "mine.yaml"])[1] == [], "a recipe of one's own is what its folder says"
