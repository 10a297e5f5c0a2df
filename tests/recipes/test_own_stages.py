"""What the recipe of a corpus of one's own chooses by what the data hold. Nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.config import load_config
from mertk.run.recipes import copy_recipe
from tests.recipes.stages import ROOT, config_names, data_directory, option

OWN = ROOT / "recipes/own/run.sh"
COLUMNS = {"audio": "wav.scp", "video": "video.scp", "text": "text"}


def own_data(
    folder, modalities="audio video", task="classification", labels=("happy", "sad"), cvs=("speaker",), folds=3
):
    """A data directory as `mertk prepare` leaves it, as far as recipes look at it."""
    data_directory(folder, corpus="mine", miniature=False, task=task)
    for modality in modalities.split():
        (folder / COLUMNS[modality]).write_text("a /x\nb /y\n", encoding="utf-8")
    (folder / "utt2label").write_text(
        "".join(f"{name} {label}\n" for name, label in zip("ab", labels, strict=True)), "utf-8"
    )
    if task != "regression":
        (folder / "classes.txt").write_text("".join(f"{name}\n" for name in sorted(labels)), "utf-8")
    for cv in cvs:
        for number in range(1, folds + 1):
            (folder / f"folds/{cv}-clean/{number}").mkdir(parents=True)
    return folder


def settings_of(stages):
    """What training would be given, all files and settings together."""
    words = stages["3 train"]
    files = option(words, "--config").split()
    return load_config(files, words[len(words) - words[::-1].index("--") :])


# From a table.


def test_a_table_is_prepared_before_anything_is_chosen_by_it(recipe, tmp_path):
    (tmp_path / "my clips.csv").write_text("file,label\n", encoding="utf-8")
    own_data(tmp_path / "data")
    words = ("--csv", "my clips.csv", "--data", "data", "--max_lost", "0.1", "--prepare", "folds=3 task=regression")
    stages = recipe(OWN, *words)
    assert list(stages) == ["1 manifests", "0 environment", "2 pictures", "3 train", "4 evaluate"]
    prepared = stages["1 manifests"]
    assert prepared[prepared.index("--", 3) :][3:] == [
        *("mertk", "prepare", "csv", str(tmp_path / "my clips.csv"), "--out", str(tmp_path / "data")),
        *("--folds", "3", "--task", "regression", "--max_lost", "0.1"),
    ]
    assert option(stages["2 pictures"], "--max_lost") == "0.1"


def test_the_folder_of_the_data_is_called_as_the_table(recipe, tmp_path):
    copy_recipe("own", tmp_path / "mine")
    own_data(tmp_path / "mine/data/own/my_clips")
    (tmp_path / "my clips.csv").touch()
    stages = recipe(tmp_path / "mine/run.sh", "--csv", "my clips.csv", "--method", "tam_ulag")
    assert option(stages["1 manifests"], "--out") == str(tmp_path / "mine/data/own/my_clips")
    assert option(stages["3 train"], "--exp") == str(tmp_path / "mine/exp/own/my_clips/tam_ulag/small_audio_video")
    files = option(stages["3 train"], "--config").split()
    assert all(file.startswith(str(tmp_path / "mine/conf")) for file in files)
    assert {"tam_ulag.yaml", "own.yaml", "small.yaml", "classification.yaml"} < {Path(file).name for file in files}


def test_a_copy_knows_what_a_method_takes(recipe, tmp_path):
    copy_recipe("own", tmp_path / "mine")
    own_data(tmp_path / "data", modalities="audio video text")
    stages = recipe(tmp_path / "mine/run.sh", "--data", "data", "--method", "hscl")
    assert "audio_video.yaml" in config_names(stages["3 train"])
    assert option(stages["3 train"], "--exp").endswith("/small_audio_video")


def test_sound_alone_is_a_method(recipe, tmp_path):
    own_data(tmp_path / "data")
    stages = recipe(OWN, "--data", "data", "--method", "audio", "--variant", "frozen")
    config = settings_of(stages)
    assert list(config.data.inputs) == ["audio"] and config.run.variant == "frozen"
    assert [name for name in stages if name.startswith("2")] == ["2 speech-microsoft_wavlm-base-plus"]


def test_other_doors_are_named(recipe, tmp_path):
    (tmp_path / "kaldi").mkdir()
    own_data(tmp_path / "data")
    stages = recipe(OWN, "--door", "kaldi", "--corpus", "kaldi", "--data", "data", "--stop_stage", 1)
    assert option(stages["1 manifests"], "--out") == str(tmp_path / "data")
    words = stages["1 manifests"]
    assert words[words.index("prepare") + 1 : words.index("prepare") + 3] == ["kaldi", str(tmp_path / "kaldi")]


def test_data_of_another_table_are_left_alone(recipe, tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()
    own_data(tmp_path / "data")
    text = (tmp_path / "data/corpus.json").read_text(encoding="utf-8")
    (tmp_path / "data/corpus.json").write_text(text.replace("/none", str(tmp_path / "a.csv")), encoding="utf-8")
    assert "1 manifests" in recipe(OWN, "--csv", "a.csv", "--data", "data")
    code, told = recipe(OWN, "--csv", "b.csv", "--data", "data")
    assert code == 2 and f"was made of {tmp_path}/a.csv, not of {tmp_path}/b.csv; give another --data" in told


# By what the data hold.


@pytest.mark.parametrize(
    ("method", "modalities", "arguments", "ablation", "used"),
    [
        ("foal", "audio", [], "audio", "audio"),
        ("foal", "audio video text", [], "full", "audio video"),
        ("foal", "audio text", ["--variant", "frozen"], "full", "audio text"),
        ("hscl", "audio video text", ["--bert", "b"], "full", "audio video text"),
        ("hscl", "text", [], "text", "text"),
        ("hscl", "audio video", ["--ablation", "no_semantic"], "no_semantic", "audio video"),
        ("tam_ulag", "audio text", ["--variant", "frozen"], "text_audio", "audio text"),
        ("tam_ulag", "audio video text", ["--modalities", "text,video"], "text_video", "video text"),
    ],
)
def test_modalities_are_those_that_method_and_corpus_have(
    recipe, tmp_path, method, modalities, arguments, ablation, used
):
    own_data(tmp_path / "data", modalities)
    stages = recipe(OWN, "--data", "data", "--method", method, *arguments)
    config = settings_of(stages)
    assert [name for name in COLUMNS if config.data.inputs.get(name) is not None] == used.split()
    assert sorted(config.model.get("modalities", COLUMNS)) == sorted(used.split())
    assert config_names(stages["3 train"])[-1] == f"{ablation}.yaml"
    if "text" in used:  # whose states were made before
        assert config.data.inputs["text"].kind == "features" and config.model.get("text_encoder") is None


@pytest.mark.parametrize(
    ("method", "task"),
    [("foal", "regression"), ("foal", "multilabel"), ("hscl", "classification"), ("tam_ulag", "regression")],
)
def test_the_task_is_that_of_the_labels(recipe, tmp_path, method, task):
    labels = ("1.5", "4") if task == "regression" else ("happy", "sad")
    own_data(tmp_path / "data", "audio", task, labels)
    config = settings_of(recipe(OWN, "--data", "data", "--method", method))
    published = {"foal": "classification"}.get(method, "regression")
    assert config.model.get("task", published) == task
    if task == "regression":  # on a scale of its own
        assert config.model.get("groups") == {"foal": "rounded"}.get(method)
        assert config.model.get("label_limit") == {"tam_ulag": 4}.get(method)


def test_only_what_is_used_is_made_once_for_each_encoder(recipe, tmp_path):
    own_data(tmp_path / "data", "audio video text")
    for name in ("my clip", "speech", "bert"):
        (tmp_path / name).mkdir()
    stages = recipe(OWN, "--data", "data", "--method", "hscl")
    assert [name for name in stages if name[0] == "2"] == ["2 audio", "2 pictures"]
    assert not {"--clip", "--speech", "--bert"} & set(stages["0 environment"])
    weights = ("--clip", "my clip", "--speech", "speech", "--bert", "bert")
    stages = recipe(OWN, "--data", "data", "--method", "hscl", "--variant", "frozen", *weights, "--max_seconds", "20")
    made = {name: stages[name] for name in stages if name[0] == "2"}
    assert [option(words, "--out") for words in made.values()] == [
        name.replace("2 ", f"{tmp_path}/data/features/") for name in made
    ]
    speech, pictures, text = made.values()
    assert option(speech, "--speech") == str(tmp_path / "speech") and option(speech, "--max_seconds") == "20"
    assert option(pictures, "--clip") == str(tmp_path / "my clip") == option(stages["0 environment"], "--clip")
    assert "--crop" not in pictures
    inputs = settings_of(stages).data.inputs
    assert inputs["video"].directory == option(pictures, "--out") and inputs["video"].max_seconds == 20
    assert inputs["text"].directory == option(text, "--embeddings") != option(text, "--out")


def test_faces_are_cut_out_into_a_folder_of_their_own(recipe, tmp_path):
    own_data(tmp_path / "data")
    stages = recipe(OWN, "--data", "data", "--crop", "face")
    assert option(stages["2 pictures-face"], "--crop") == "face" == option(stages["0 environment"], "--crop")
    assert settings_of(stages).data.inputs["video"].directory == str(tmp_path / "data/features/pictures-face")
    code, told = recipe(OWN, "--data", "data", "--crop", "face", "--modalities", "audio")
    assert code == 2 and "--crop: no picture is used here" in told


def test_folds_are_those_of_the_data(recipe, tmp_path):
    own_data(tmp_path / "data", cvs=("session", "speaker"), folds=4)
    train = recipe(OWN, "--data", "data")["3 train"]
    assert (option(train, "--cv"), option(train, "--folds")) == ("session", "1 2 3 4")
    assert option(recipe(OWN, "--data", "data", "--cv", "speaker", "--folds", 2)["3 train"], "--folds") == "2"


def test_a_configuration_of_ones_own_is_a_method(recipe, tmp_path):
    own_data(tmp_path / "data", "audio")
    text = (ROOT / "recipes/common/conf/foal.yaml").read_text(encoding="utf-8").replace("[audio, video]", "[audio]")
    text = text.replace("    video: {kind: features, max_seconds: 6.0}\n", "").replace(
        "variant: paper", "variant: mine"
    )
    (tmp_path / "my_method.yaml").write_text(text, encoding="utf-8")
    stages = recipe(OWN, "--data", "data", "--method", "my_method.yaml")
    assert config_names(stages["3 train"]) == ["my_method.yaml", "own.yaml"]
    assert option(stages["3 train"], "--exp").endswith("/exp/own/data/my_method/plain")


# What cannot be.


@pytest.mark.parametrize(
    ("modalities", "arguments", "message"),
    [
        ("text", ["--ablation", "avel"], "--method foal cannot take text; it takes audio video, or audio"),
        ("audio", ["--modalities", "audio video"], "--modalities audio video: {data} has audio"),
        ("audio", ["--ablation", "video"], "--ablation video: foal takes video here, and {data} has audio"),
        ("audio", ["--method", "fool"], "--method fool: expected one of"),
        ("audio", ["--cv", "session"], "--cv session: expected one of speaker"),
        ("audio", ["--folds", "4"], "--folds '4': expected a whole number from 1 to 3"),
        ("audio", ["--protocol", "published"], "there are no folds of it by speaker in {data}"),
        ("audio", ["--prepare", "folds=3"], "it needs --csv"),
        ("audio", ["--modalities", "audio", "--ablation", "audio"], "give one of them"),
        ("audio", ["--door", "kaldi"], "--door kaldi needs --corpus PATH"),
        ("audio", ["--speech", "s"], "--speech: no speech encoder is used by --method foal --variant small here"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(recipe, tmp_path, modalities, arguments, message):
    data = own_data(tmp_path / "data", modalities)
    code, told = recipe(OWN, "--data", "data", *arguments)
    assert code == 2 and message.format(data=data) in told


def test_methods_that_can_are_named(recipe, tmp_path):
    own_data(tmp_path / "data", "text")
    text = (ROOT / "recipes/common/conf/foal.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    code, told = recipe(OWN, "--data", "data", "--method", "mine.yaml")
    assert code == 2
    assert "cannot take text; it takes audio video; methods that can: ef_lstm foal hscl late_fusion lf_dnn lmf" in told


def test_without_data_it_says_what_is_needed(recipe, tmp_path):
    code, told = recipe(OWN)
    assert code == 2 and "--csv FILE is needed" in told
    (tmp_path / "empty").mkdir()
    code, told = recipe(OWN, "--data", "empty")
    assert code == 2 and "no data directory with labels" in told
