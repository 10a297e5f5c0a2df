"""IEMOCAP's recipe of the baselines, by its options: what they are trained on, and what it is called."""

from __future__ import annotations

import pytest

from mertk.run.recipes import copy_recipe
from tests.recipes.stages import ROOT, config_names, option

BASELINES = "iemocap/baselines"
#: over the files of any method
ALWAYS = ["iemocap.yaml", "classification.yaml"]


@pytest.mark.parametrize(
    ("method", "modalities", "files", "name", "made"),
    [
        ("late_fusion", "", ["audio_video", "frozen_audio"], "paper_frozen_audio", ["features", "speech"]),
        (
            "misa",
            "video audio",
            ["audio_video", "frozen_audio", "frozen_audio"],
            "paper_frozen_audio",
            ["features", "speech"],
        ),
        ("mag_bert", "", ["frozen_audio"], "paper_audio_video_text_frozen_audio", ["features", "text", "speech"]),
        ("lmf", "audio text", ["audio_text", "frozen_audio"], "paper_audio_text_frozen_audio", ["text", "speech"]),
        ("mult", "video", ["video"], "paper_video", ["features"]),
    ],
)
def test_what_foal_net_sees_is_what_they_see_unless_text_is_wanted(recipe, method, modalities, files, name, made):
    stages = recipe(BASELINES, "--method", method, *(["--modalities", modalities] if modalities else []))
    found = [stage.removeprefix("2 ").partition("-")[0] for stage in stages if stage.startswith("2 ")]
    assert found == made
    train = stages["3 train"]
    expected = [f"{method}.yaml", *ALWAYS, *(f"{file}.yaml" for file in files), "miniature.yaml"]
    assert config_names(train) == expected
    assert option(train, "--exp") == str(ROOT / f"exp/iemocap/{method}_miniature" / name)
    assert option(train, "--data") == str(ROOT / "data/iemocap_miniature")


def test_folds_classes_and_variants_are_those_of_the_corpus_and_the_method(recipe):
    stages = recipe(BASELINES, "--method", "mmim", "--variant", "released", "--classes", "six", "--seeds", "1111 1112")
    train = stages["3 train"]
    assert (option(train, "--cv"), option(train, "--folds"), option(train, "--seeds")) == (
        "session",
        "1 2 3 4 5",
        "1111 1112",
    )
    assert "released.yaml" in config_names(train)
    assert option(train, "--exp") == str(ROOT / "exp/iemocap/mmim_six_miniature/released_frozen_audio")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--method", "mag_bert", "--modalities", "audio video"),
            'modalities "audio video": mag_bert cannot do without',
        ),
        (("--modalities", "smell"), "--modalities smell: expected one of audio video text"),
        (("--modalities", "video", "--layers", "3"), "--layers goes with --audio frozen"),
        (("--audio", "finetuned"), "--audio finetuned: mult --variant paper trains no pretrained speech encoder"),
        (("--ablation", "audio"), "unknown option --ablation"),
    ],
)
def test_what_cannot_be_is_wrong_usage(recipe, arguments, message):
    code, told = recipe(BASELINES, *arguments)
    assert code == 2 and message in told


def test_a_copy_has_the_settings_of_all_its_methods(recipe, tmp_path):
    copy_recipe(BASELINES, tmp_path / "mine")
    files = option(recipe(tmp_path / "mine/run.sh", "--method", "misa")["3 train"], "--config").split()
    assert all(file.startswith(str(tmp_path / "mine/conf")) for file in files)
    names = [file.rpartition("/")[2] for file in files]
    assert names == [
        "misa.yaml",
        *ALWAYS,
        "audio_video.yaml",
        "frozen_audio.yaml",
        "frozen_audio.yaml",
        "miniature.yaml",
    ]
