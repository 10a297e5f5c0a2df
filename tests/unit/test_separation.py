"""What is proved before training, and what is told: of three-column scp files, and of a data directory."""

from pathlib import Path

import pytest

from mertk.config import load_config
from mertk.data.folds import make_official_fold, write_folds
from mertk.data.manifest import write_manifest
from mertk.data.separation import check_separation
from mertk.errors import MertkError


@pytest.fixture
def parts(tmp_path):
    """A function from utterances by part to a configuration of scp files that hold them."""

    def make(**utterances):
        settings = []
        for part, names in utterances.items():
            file = tmp_path / f"{part}.scp"
            file.write_text("".join(f"{name} /wav/{name}.wav neu\n" for name in names.split()))
            settings.append(f"data.{part}={file}")
        return load_config([], settings).data

    return make


def test_parts_must_be_apart(parts):
    assert "say nothing of speakers" in check_separation(parts(train="a b", validation="c", test="d"), "custom")[0]
    with pytest.raises(MertkError, match=r"c is in data\.validation .* and in data\.test"):
        check_separation(parts(train="a b", validation="c", test="c"), "custom")


def test_under_published_only_selection_may_see_the_test_part(parts):
    check_separation(parts(train="a b", validation="c d", test="c d"), "published")
    check_separation(parts(train="a b", validation="c d"), "published")
    for given in ({"validation": "b c"}, {"validation": "c", "test": "b"}, {"validation": "b", "test": "c"}):
        with pytest.raises(MertkError, match=r"b is in data\.train"):
            check_separation(parts(train="a b", **given), "published")


def test_videos_that_official_parts_share_are_told(tmp_path):
    labels = dict.fromkeys(("a1", "a2", "b1", "c1"), "0.5")
    columns = {"utt2label": labels, "utt2video": {name: name[0] for name in labels}}
    columns["text"] = dict.fromkeys(labels, "it was so good") | {"c1": "no"}
    write_manifest(tmp_path, columns, None, {"metrics": "sims"})
    write_folds(tmp_path / "folds" / "official-clean", [make_official_fold(["a1"], ["b1"], ["a2", "c1"])])
    folder = tmp_path / "folds" / "official-clean" / "1"
    settings = [f"data.{part}={folder / part}.ids" for part in ("train", "validation", "test")]
    config = load_config([], [f"data.directory={tmp_path}", *settings]).data
    lines = check_separation(config, "clean")
    assert "training and test share 1 videos, such as a: test speakers may be known from training" in lines
    assert lines[0] == "parts are apart by utterance; 0 utterances are in no part"
    assert lines[1] == "of the transcripts of the test part, training has 1 too, 1 of them of 4 words or more"
    (folder / "test.ids").write_text("a1\nc1\n")
    with pytest.raises(MertkError, match="utterance a1 is in the training part"):
        check_separation(config, "clean")


@pytest.fixture
def fold(tmp_path):
    """A function from what fold.json says besides to a configuration of one fold by dialogue of one speaker."""

    def make(**info):
        ids = ("a1", "a2", "b1", "c1")
        columns = {"utt2label": dict.fromkeys(ids, "0.5"), "utt2spk": dict.fromkeys(ids, "me")}
        columns["utt2dialogue"] = {name: name[0] for name in ids}
        write_manifest(tmp_path, columns, None, {})
        made = make_official_fold(["a1", "a2"], ["b1"], ["c1"])
        made.info |= info
        write_folds(tmp_path / "folds" / "dialogue-clean", [made])
        folder = tmp_path / "folds" / "dialogue-clean" / "1"
        settings = [f"data.{part}={folder / part}.ids" for part in ("train", "validation", "test")]
        return load_config([], [f"data.directory={tmp_path}", *settings]).data

    return make


def test_what_parts_share_on_purpose_is_told_and_anything_else_refused(fold):
    assert check_separation(fold(may_share=["speaker"]), "clean") == [
        "parts are apart by utterance, dialogue; 0 utterances are in no part",
        "training and validation share 1 speakers, such as me, as the folds were made",
        "training and test share 1 speakers, such as me, as the folds were made",
        "validation and test share 1 speakers, such as me, as the folds were made",
    ]
    for wrong in ({}, {"may_share": ["session"]}):
        with pytest.raises(MertkError, match="speaker me is in the training part"):
            check_separation(fold(**wrong), "clean")


def test_without_a_test_part_the_others_are_compared_as_the_fold_says(fold):
    config = fold(may_share=["speaker"])
    Path(config.test).unlink()
    config.test = None
    assert check_separation(config, "clean") == [
        "parts are apart by utterance, dialogue; 1 utterances are in no part",
        "training and validation share 1 speakers, such as me, as the folds were made",
    ]
    Path(config.validation).write_text("a1\n", encoding="utf-8")
    with pytest.raises(MertkError, match="utterance a1 is in the training part"):
        check_separation(config, "clean")


def test_scripts_are_told_of_the_parts_that_fold_json_counts_alone(fold):
    scripts = {"test_scripted": 1, "test_script_in_training": 1, "scripts": ["script01"]}
    config = fold(may_share=["speaker"], scripted_overlap=scripts)
    told = "1 of 1 scripted utterances of the test part are of scripts that training has too: script01"
    assert told in check_separation(config, "clean")
    Path(config.train).write_text("a1\n", encoding="utf-8")
    with pytest.raises(MertkError, match="speaker me is in the training part"):
        check_separation(config, "clean")
