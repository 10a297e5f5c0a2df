"""What the stages of a recipe are, by its options: their command lines. Nothing is trained here."""

from __future__ import annotations

import re

import pytest

from mertk.run.earlier_commands import as_spelt_now
from mertk.run.recipes import copy_recipe
from tests.recipes.stages import FOAL, ROOT, config_names, data_directory, option

# What a run needs.


@pytest.mark.parametrize(
    "arguments", [["--ablation", "audio"], ["data.inputs.video=null", "model.modalities=[audio]"]], ids=str
)
def test_sound_alone_needs_neither_videos_nor_clip(recipe, tmp_path, arguments):
    (tmp_path / "corpus").mkdir()
    stages = recipe(FOAL, "--corpus", "corpus", "--data", "data", *arguments)
    assert "2 features" not in stages
    assert "--no_video" in stages["1 manifests"]
    assert not any("avi" in word for word in stages["1 manifests"])
    assert "--clip" not in stages["0 environment"]
    assert not any("2_features" in word for word in stages["3 train"])


def test_manifests_that_have_their_videos_keep_them(recipe, tmp_path):
    data = data_directory(tmp_path / "data", corpus="iemocap", miniature=False)
    (data / "video.scp").touch()
    for session in range(1, 6):
        (tmp_path / f"corpus/Session{session}/dialog/avi/DivX").mkdir(parents=True)
    arguments = (FOAL, "--corpus", "corpus", "--data", data, "--ablation", "audio")
    assert "--no_video" not in recipe(*arguments)["1 manifests"]
    (tmp_path / "corpus/Session4/dialog/avi/DivX").rmdir()
    assert "--no_video" in recipe(*arguments)["1 manifests"]


def test_picture_alone_needs_no_weights_of_a_speech_encoder(recipe):
    stages = recipe(FOAL, "--ablation", "video")
    assert "2 features" in stages
    assert not any("wavlm" in word for words in stages.values() for word in words)


@pytest.mark.parametrize(
    ("ablation", "made", "checked"),
    [
        ("full", ["2 audio", "2 video", "2 text"], {"--clip", "--bert"}),
        ("audio", ["2 audio"], set()),
        ("video", ["2 video"], {"--clip"}),
        ("text", ["2 text"], {"--bert"}),
    ],
)
def test_of_recordings_only_what_is_used_is_made_and_checked_before(recipe, tmp_path, ablation, made, checked):
    (tmp_path / "corpus").mkdir()
    stages = recipe("sims/hscl", "--corpus", "corpus", "--data", "data", "--ablation", ablation)
    assert [name for name in stages if name.startswith("2 ")] == made
    assert {"--clip", "--bert"} & set(stages["0 environment"]) == checked
    marks = [word for word in stages["3 train"] if "/.done/2_" in word]
    assert [mark.rpartition("_")[2] for mark in marks] == [name[2:] for name in made]
    assert ("--text_only" in stages["1 manifests"]) == (ablation == "text")


@pytest.mark.parametrize(
    ("ablation", "made", "checked"),
    [("full", ["2 audio", "2 video", "2 text"], {"--clip", "--bert"}), ("text", ["2 text"], {"--bert"})],
)
def test_of_clips_with_tables_only_what_is_used_is_made(recipe, tmp_path, ablation, made, checked):
    (tmp_path / "corpus").mkdir()
    stages = recipe("meld/tam_ulag", "--corpus", "corpus", "--data", "data", "--ablation", ablation)
    assert [name for name in stages if name.startswith("2 ")] == made
    assert {"--clip", "--bert"} & set(stages["0 environment"]) == checked
    assert option(stages["0 environment"], "--corpus_name") == "meld"
    assert ("--text_only" in stages["1 manifests"]) == (ablation == "text")
    assert option(stages["2 text"], "--max_tokens") == "100"
    assert config_names(stages["3 train"])[:3] == ["tam_ulag.yaml", "meld.yaml", "recordings.yaml"]


def test_the_second_version_of_a_corpus_is_imported_as_such(recipe, tmp_path):
    (tmp_path / "unaligned.pkl").touch()
    stages = recipe("sims2/tam_ulag", "--corpus", "unaligned.pkl", "--variant", "self_mm")
    assert option(stages["1 import"], "--corpus") == "sims2"
    assert option(stages["1 import"], "--out") == str(ROOT / "data/sims2")
    assert "model.text_encoder.weights='google-bert/bert-base-chinese'" in stages["3 train"]
    names = ["tam_ulag.yaml", "sims2.yaml", "self_mm.yaml", "self_mm.yaml", "full.yaml"]
    assert config_names(stages["3 train"]) == names


def test_labels_of_clips_are_named_in_data_and_experiments(recipe, tmp_path):
    stages = recipe("meld/hscl", "--labels", "sentiment", "--max_seconds", 20)
    data = ROOT / "data/meld_sentiment_miniature"
    assert option(stages["1 manifests"], "--out") == str(data)
    assert option(stages["1 manifests"], "--labels") == "sentiment"
    assert option(stages["1 manifests"], "--max_seconds") == "20"
    assert option(stages["2 video"], "--clip") == str(data / "corpus/models/clip")
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/meld/hscl_sentiment_miniature/paper")
    assert "--labels" not in recipe("meld/hscl")["1 manifests"]
    there = data_directory(tmp_path / "data", corpus="meld", miniature=False, labels="sentiment")
    train = recipe("meld/hscl", "--data", there, "--stage", 3)["3 train"]
    assert option(train, "--exp") == str(ROOT / "exp/meld/hscl_sentiment/paper")
    code, message = recipe("meld/hscl", "--data", there, "--stage", 3, "--labels", "emotion")
    assert code == 2 and "has the labels of --labels sentiment, not emotion; give another --data" in message


def test_small_encoders_need_no_weights(recipe):
    stages = recipe(FOAL, "--variant", "small")
    assert config_names(stages["3 train"]) == ["foal.yaml", "iemocap.yaml", "small.yaml", "miniature.yaml", "full.yaml"]
    words = {word for words in stages.values() for word in words}
    assert not {"--weights", "--clip"} & words and not any(".weights=" in word for word in words)
    pictures = ROOT / "data/iemocap_miniature/features/pictures"
    assert option(stages["2 features"], "--out") == str(pictures)
    assert f"data.inputs.video.directory='{pictures}'" in stages["3 train"]
    assert "2 features" not in recipe(FOAL, "--variant", "small", "--ablation", "audio")


def test_folders_of_weights_are_found_from_anywhere(recipe, tmp_path):
    (tmp_path / "my clip").mkdir()
    assert option(recipe(FOAL, "--clip", "my clip")["2 features"], "--clip") == str(tmp_path / "my clip")
    assert option(recipe(FOAL, "--clip", "owner/clip")["2 features"], "--clip") == "owner/clip"


# Options.


def test_files_of_ones_own_are_merged_over_the_recipes_and_under_the_ablation(recipe, tmp_path):
    for name in ("one.yaml", "two 2.yaml"):
        (tmp_path / name).write_text("training: {epochs: 3}\n", encoding="utf-8")
    stages = recipe(FOAL, "--config", "one.yaml", "--config=two 2.yaml", "--ablation", "avel", "training.epochs=4")
    own = ["foal.yaml", "iemocap.yaml", "miniature.yaml", "one.yaml", "two 2.yaml", "avel.yaml"]
    assert config_names(stages["3 train"]) == own
    assert str(tmp_path / "two 2.yaml") in stages["3 train"]
    assert option(stages["3 train"], "--exp").endswith("/paper_avel_one_two_2_training.epochs=4")
    assert option(stages["0 environment"], "--config").count(".yaml") == 6


@pytest.mark.parametrize("name", ["mosi/tam_ulag", "mosei/hscl", "ravdess/audio"])
def test_every_recipe_takes_files_of_ones_own(recipe, tmp_path, name):
    (tmp_path / "own.yaml").write_text("training: {epochs: 3}\n", encoding="utf-8")
    (tmp_path / "corpus").mkdir()
    given = ("--corpus", "corpus") if name == "ravdess/audio" else ()
    assert "own.yaml" in config_names(recipe(name, *given, "--config", "own.yaml")["3 train"])


def test_a_missing_file_and_an_unknown_key_are_told_at_once(recipe, tmp_path):
    assert recipe(FOAL, "--config", "none.yaml")[0] == 2
    (tmp_path / "own.yaml").write_text("training: {epoch: 3}\n", encoding="utf-8")
    code, message = recipe(FOAL, "--config", "own.yaml")
    assert code == 1 and "Did you mean: 'epochs'?" in message


def test_an_encoder_of_ones_own_gets_no_weights_of_the_miniature(recipe, tmp_path):
    own = "model: {audio_encoder: null}\n"
    (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
    assert not any("weights" in word for word in recipe(FOAL, "--config", "own.yaml", "--stage", 3)["3 train"])


def test_options_of_the_programs_are_passed_on(recipe, tmp_path):
    stages = recipe(FOAL, "--max_lost", "0.2", "--sessions", "1,2 3", "--ignore_malformed_lines")
    assert option(stages["1 manifests"], "--max_lost") == "0.2"
    assert option(stages["1 manifests"], "--sessions") == "1 2 3"
    assert "--ignore_malformed_lines" in stages["1 manifests"]
    assert option(stages["2 features"], "--max_lost") == "0.2"
    assert option(stages["3 train"], "--folds") == "1 2 3"
    assert "data.max_lost=0.2" in stages["3 train"]
    assert option(stages["0 environment"], "--sessions") == "1 2 3"
    stages = recipe("mosi/hscl", "--bad_length", "drop", "--max_lost", ".1")
    assert option(stages["1 import"], "--bad_length") == "drop"
    assert option(stages["1 import"], "--max_lost") == ".1"
    (tmp_path / "corpus").mkdir()
    stages = recipe("mosi/hscl", "--corpus", "corpus", "--data", "data", "--max_tokens", 39)
    assert option(stages["2 text"], "--max_tokens") == "39"
    (tmp_path / "other.csv").touch()
    stages = recipe("mosi/hscl", "--corpus", "corpus", "--data", "data", "--labels", "other.csv", "--ablation", "text")
    assert option(stages["1 manifests"], "--labels") == str(tmp_path / "other.csv")
    assert "--text_only" in stages["1 manifests"]
    stages = recipe("ravdess/audio", "--corpus", "corpus", "--data", "data", "--num_folds", 4)
    assert option(stages["1 manifests"], "--num_folds") == "4"
    assert option(stages["3 train"], "--folds") == "1 2 3 4"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (FOAL, ["--max_lost", "2"], "--max_lost '2': expected a number from 0 to 1"),
        (FOAL, ["--sessions", "6"], "--sessions '6': expected a whole number from 1 to 5"),
        (FOAL, ["--sessions", "1 2 3", "--folds", "4"], "--folds '4': expected a whole number from 1 to 3"),
        ("mosi/hscl", ["--bad_length", "keep"], "--bad_length keep: expected one of refuse drop"),
        ("mosi/hscl", ["--max_tokens", "0"], "--max_tokens '0'"),
        ("meld/tam_ulag", ["--labels", "mood"], "--labels mood: expected one of emotion sentiment"),
        ("ravdess/audio", ["--num_folds", "2"], "--num_folds '2': expected a whole number from 3"),
    ],
)
def test_wrong_values_are_told(recipe, name, arguments, message):
    code, told = recipe(name, *arguments)
    assert code == 2 and message in told


def test_commands_are_those_of_marks_that_are_there(recipe):
    """A mark keeps the command of its stage: another one would make finished stages run again."""
    stages = recipe(FOAL, "--data", "/d", "--exp", "/e")
    told = [" ".join(words[words.index("--") + 2 :]) for words in stages.values()]
    mark = ["python", "-m", "data_prep.iemocap", "--corpus", "/d/corpus", "--out", "/d"]
    assert as_spelt_now(mark) == ["python", *told[2].split()]
    corpus, conf = "/d/corpus", ROOT / "recipes/common/conf"
    own = ROOT / "recipes/iemocap/foal/conf/iemocap.yaml"
    configs = f"{conf}/foal.yaml {own} {conf}/foal/miniature.yaml {conf}/foal/ablation/full.yaml"
    assert told[2:4] == [
        f"-m mertk prepare iemocap --corpus {corpus} --out /d",
        "-m mertk launch --num_processes auto extract video --data /d "
        f"--clip {corpus}/models/clip --out /d/features/video",
    ]
    before = told[3].replace("mertk launch", "mertk.bin.launch").replace("extract video", "data_prep.extract_video")
    assert as_spelt_now(["python", *before.replace("--clip", "--weights").split()]) == ["python", *told[3].split()]
    assert re.fullmatch(
        rf"-m mertk cross-validate --config {configs} --data /d --exp /e --cv session --protocol clean "
        rf"--folds 1 2 3 4 5 --seeds 1234 .* -- model.audio_encoder.weights='{corpus}/models/wavlm'",
        told[4],
    )


# A copy of a recipe.


def test_a_copy_has_its_own_configuration_data_and_experiments(recipe, tmp_path):
    copy_recipe("mosi/hscl", tmp_path / "mine")
    (tmp_path / "mine/conf/hscl/ablation/own.yaml").write_text("run: {ablation: own}\n", encoding="utf-8")
    stages = recipe(tmp_path / "mine/run.sh", "--ablation", "own", "--variant", "released")
    train = stages["3 train"]
    conf = tmp_path / "mine/conf"
    files = ("hscl.yaml", "mosi.yaml", "hscl/released.yaml", "hscl/miniature.yaml", "hscl/ablation/own.yaml")
    assert option(train, "--config") == " ".join(str(conf / file) for file in files)
    assert option(train, "--data") == str(tmp_path / "mine/data/mosi_miniature")
    assert option(train, "--exp") == str(tmp_path / "mine/exp/mosi/hscl_miniature/released_own")
    slurm = recipe(tmp_path / "mine/run.sh", "--cmd", "slurm")["3 train"]
    assert option(slurm, "--slurm") == str(conf / "slurm.yaml")


# Several ablations and protocols.


def test_all_ablations_and_protocols_are_one_command_and_one_table(recipe, tmp_path):
    words = ("--ablation", "all", "--protocol", "clean published", "--exp", "exp", "--stage", 3, "training.epochs=2")
    recipe(FOAL, *words)
    ablations = ["full", "audio", "avel", "baseline", "mem", "video"]
    folders = [
        str(tmp_path / "exp" / f"paper{'_' * (name != 'full')}{name.removeprefix('full')}") for name in ablations
    ]
    folders = [f"{folder}_training.epochs=2" for folder in folders]
    trained = [words for words in recipe.stages if words[words.index("--name") + 1] == "3 train"]
    told = [(option(words, "--exp"), option(words, "--protocol")) for words in trained]
    assert told == [(folder, protocol) for folder in folders for protocol in ("clean", "published")]
    assert [config_names(words)[-1] for words in trained[::2]] == [f"{name}.yaml" for name in ablations]
    published = str(ROOT / "recipes/iemocap/foal/published.yaml")
    assert recipe.summaries == [[*folders, "--out", str(tmp_path / "exp"), "--published", published]]


def test_several_protocols_of_one_experiment_are_in_its_table(recipe):
    recipe(FOAL, "--protocol", "clean,clean-refit", "--stage", 4)
    exp = str(ROOT / "exp/iemocap/foal_miniature/paper")
    assert len(recipe.stages) == 2
    assert recipe.summaries[0][:3] == [exp, "--out", exp]


def test_several_stop_where_they_are_told_to_and_a_wrong_name_is_told(recipe, tmp_path):
    recipe("sims/tam_ulag", "--ablation", "text audio", "--stop_stage", 1)
    assert {words[words.index("--name") + 1][0] for words in recipe.stages} == {"0", "1"}
    assert recipe.summaries == []
    code, message = recipe(FOAL, "--ablation", "full text")
    assert code == 2 and "--ablation text: expected one of full audio avel baseline mem video" in message
    (tmp_path / "corpus").mkdir()
    recipe("ravdess/audio", "--corpus", "corpus", "--protocol", "all", "--stage", 4)
    assert [words[words.index("--mark") + 1].rpartition("_")[2] for words in recipe.stages] == [
        *("clean", "clean-refit", "published")
    ]


def test_other_machines_only_train(recipe):
    words = ("--num_machines", 2, "--main_process_ip", "10.0.0.1", "--stage", 3)
    stages = recipe(FOAL, *words, "--machine_rank", 0)
    assert list(stages) == ["3 train", "4 evaluate"] and len(recipe.summaries) == 1
    assert option(stages["3 train"], "--machine_rank") == "0"
    code, message = recipe(FOAL, *words, "--machine_rank", 1)
    assert recipe.summaries == [] and "no folds" in message  # cross-validate itself, without a mark
    assert code == 1


# Of a recipe of several methods.


def test_the_method_decides_which_files_there_are(recipe):
    stages = recipe("sims/baselines", "--method", "tfn", "--variant", "released")
    names = ["tfn.yaml", "sims.yaml", "released.yaml", "released.yaml", "miniature.yaml"]
    assert config_names(stages["3 train"]) == names
    assert option(stages["3 train"], "--exp").endswith("exp/sims/tfn_miniature/released")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "self_mm"], "--method self_mm: expected one of late_fusion ef_lstm"),
        (["--method", "late_fusion", "--variant", "released"], "--variant released: expected one of paper"),
    ],
)
def test_a_method_that_is_none_or_was_never_published_so_is_refused(recipe, arguments, message):
    code, told = recipe("mosi/baselines", *arguments)
    assert code == 2 and message in told


def test_a_copy_has_the_settings_of_all_its_methods(recipe, tmp_path):
    copy_recipe("mosi/baselines", tmp_path / "mine")
    stages = recipe(tmp_path / "mine/run.sh", "--method", "lmf", "--ablation", "text")
    files = option(stages["3 train"], "--config").split()
    assert all(file.startswith(str(tmp_path / "mine/conf")) for file in files)
    assert {"lmf.yaml", "mosi.yaml", "text.yaml"} < {file.rpartition("/")[2] for file in files}
