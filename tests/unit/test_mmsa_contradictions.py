"""data_prep.mmsa on files that say one thing and hold another, or leave out what others have."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mertk.bin import validate_data
from mertk.data.feature_store import FeatureStore
from mertk.data.folds import read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest
from mertk.data_prep import mmsa_published
from mertk.data_prep.mmsa_frames import find_extents
from tests.unit.mmsa_content import left_behind, make_aligned, make_content, run, write

MODALITIES = ("audio", "video", "text", "tokens")


def stores(folder):
    features = folder / "data" / "features"
    return {name: FeatureStore(features / name) for name in MODALITIES if (features / name).is_dir()}


def warnings(folder):
    return json.loads((folder / "data" / "corpus.json").read_text())["warnings"]


def frames(content, part, row):
    """Frames of an utterance of `make_content` as they should be read."""
    length = int(content[part]["text_bert"][row, 1].sum())
    return {
        "audio": content[part]["audio"][row, : content[part]["audio_lengths"][row]],
        "video": content[part]["vision"][row, : content[part]["vision_lengths"][row]],
        "text": content[part]["text"][row, :length],
        "tokens": content[part]["text_bert"][row, ::2, :length].T,
    }


def pad_in_front(content, *keys):
    """Move the frames of every utterance to the end of their arrays."""
    moved = {name: dict(part) for name, part in content.items()}
    for name, part in content.items():
        for key in keys:
            lengths = part[f"{key}_lengths"] if key in ("audio", "vision") else part["text_bert"][:, 1].sum(axis=1)
            axis = -1 if key == "text_bert" else 0
            rows = [np.roll(row, -int(length), axis) for row, length in zip(part[key], lengths, strict=True)]
            moved[name][key] = np.array(rows)
    return moved


def assert_read_as(folder, content):
    found = stores(folder)
    for part in content:
        for row, utterance in enumerate(content[part]["id"]):
            for modality, expected in frames(content, part, row).items():
                assert np.array_equal(found[modality].read(str(utterance)), expected), (utterance, modality)


@pytest.mark.parametrize("policy", ["refuse", "drop"])
def test_lengths_above_the_array_count_as_the_array(tmp_path, capsys, policy):
    content = make_content()
    full = [row for row in range(6) if content["train"]["vision_lengths"][row] == 6]
    content["train"]["vision_lengths"][full[0]] = 60
    assert run(tmp_path, content, "--bad_length", policy, "--max_lost", "0") == 0
    assert len(read_ledger(tmp_path / "data" / "excluded.tsv")) == 0
    told = "vision_lengths is above the 6 frames of the array and counts as 6 in 1 utterances; the first is train2$_$2"
    assert told in capsys.readouterr().err
    assert told in warnings(tmp_path)
    content["train"]["vision_lengths"][full[0]] = 6
    assert_read_as(tmp_path, content)


def test_a_file_cut_to_fewer_frames_keeps_all_utterances(tmp_path):
    content = make_content()
    for part in content.values():
        part["audio"] = part["audio"][:, :3]
    assert run(tmp_path, content) == 0
    lengths = [length for part in content.values() for length in part["audio_lengths"]]
    assert any(f"in {sum(length > 3 for length in lengths)} utterances" in warning for warning in warnings(tmp_path))
    found = stores(tmp_path)["audio"]
    assert [found.num_frames(f"train{row // 2}$_${row % 2 + 1}") for row in range(6)] == [1, 2, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "keys", [("audio",), ("vision", "audio"), ("text", "text_bert"), ("audio", "vision", "text", "text_bert")]
)
def test_padding_in_front_is_found(tmp_path, keys):
    content = make_content()
    assert run(tmp_path, pad_in_front(content, *keys)) == 0
    assert_read_as(tmp_path, content)
    told = " ".join(warnings(tmp_path))
    assert ("audio has its zeros in front of its frames" in told) == ("audio" in keys)
    assert ("video has its zeros in front of its frames" in told) == ("vision" in keys)
    assert ("text has its padding in front of its tokens" in told) == ("text_bert" in keys)
    assert validate_data.main([str(tmp_path / "data")]) == 0


@pytest.mark.parametrize("in_front", [False, True])
def test_lengths_may_be_absent(tmp_path, in_front):
    content = make_content()
    given = pad_in_front(content, *(("audio", "vision") if in_front else ()))
    for part in given.values():
        del part["audio_lengths"], part["vision_lengths"]
    assert run(tmp_path, given) == 0
    assert_read_as(tmp_path, content)
    how = "begins with its first" if in_front else "ends with its last"
    assert (
        f"no audio_lengths: audio {how} frame that is not zero in 13 utterances; the first is train0$_$1"
        in warnings(tmp_path)
    )


@pytest.mark.parametrize("aligned", [False, True])
def test_lengths_of_the_array_throughout_are_not_believed(tmp_path, aligned):
    content = make_aligned() if aligned else make_content()
    given = {name: dict(part) for name, part in content.items()}
    for name, part in given.items():
        if aligned:
            lengths = part["text_bert"][:, 1].sum(axis=1).astype(int)
            content[name]["audio_lengths"] = content[name]["vision_lengths"] = lengths
        part["audio_lengths"] = [part["audio"].shape[1]] * len(part["id"])
        part["vision_lengths"] = [1000] * len(part["id"])
    assert run(tmp_path, given) == 0
    assert_read_as(tmp_path, content)
    told = " ".join(warnings(tmp_path))
    assert "audio_lengths is " in told and "or more throughout and not believed: audio is shorter in " in told


def test_lengths_may_be_absent_in_one_part_and_utterances_may_be_zero(tmp_path):
    content = make_content()
    content["test"]["vision"][2] = 0
    content["test"]["vision_lengths"][2] = 1
    lengths = content["test"].pop("vision_lengths")
    assert run(tmp_path, content) == 0
    content["test"]["vision_lengths"] = lengths
    assert_read_as(tmp_path, content)
    assert "video is zero throughout in 1 utterances; the first is test1$_$1" in warnings(tmp_path)


def test_text_may_be_vectors_alone(tmp_path):
    content = make_content()
    for part in content.values():
        for row, mask in enumerate(part["text_bert"][:, 1]):
            part["text"][row, mask == 0] = 0
    given = {name: {key: value for key, value in part.items() if key != "text_bert"} for name, part in content.items()}
    assert run(tmp_path, given) == 0
    assert set(stores(tmp_path)) == {"audio", "video", "text"}
    found = stores(tmp_path)["text"]
    for row, utterance in enumerate(content["train"]["id"]):
        assert np.array_equal(found.read(str(utterance)), frames(content, "train", row)["text"])
    assert any("no text_bert: text is vectors of 8 values alone" in warning for warning in warnings(tmp_path))
    assert validate_data.main([str(tmp_path / "data")]) == 0


def test_a_validation_part_may_be_absent(tmp_path):
    content = make_content()
    del content["valid"]
    assert run(tmp_path, content) == 0
    data = tmp_path / "data"
    clean, refit = (read_fold(data / "folds" / f"official-{name}" / "1") for name in ("clean", "clean-refit"))
    assert sorted([*clean.train, *clean.validation]) == refit.train == sorted(content["train"]["id"])
    assert clean.train and clean.validation
    videos = [{name.split("$")[0] for name in part} for part in (clean.train, clean.validation)]
    assert not videos[0] & videos[1]
    assert any(
        "no part valid in the file: 2 training utterances of 1 videos" in warning for warning in warnings(tmp_path)
    )
    assert load_manifest(data, need=()).corpus["parts"] == {"train": 4, "validation": 2, "test": 4}
    assert validate_data.main([str(data)]) == 0


def test_a_validation_part_may_have_another_name_and_other_parts_are_told(tmp_path):
    content = make_content()
    content["dev"], content["all"] = content.pop("valid"), [1]
    assert run(tmp_path, content) == 0
    assert len(read_fold(tmp_path / "data" / "folds" / "official-clean" / "1").validation) == 3
    assert "the file holds all as well, which is not read" in warnings(tmp_path)


def test_training_utterances_of_one_video_cannot_be_divided(tmp_path, capsys):
    content = make_content()
    del content["valid"]
    content["train"]["id"] = [f"one$_${row}" for row in range(6)]
    assert run(tmp_path, content) == 1
    assert "no part valid, and the training utterances are all of one video" in capsys.readouterr().err


def behind(content, rows):
    for row in rows:
        content["train"]["audio"][row] = 1
        content["train"]["audio_lengths"][row] = 2


def halves(content, rows):
    for row in rows:
        content["train"]["vision_lengths"][row] = 6
        content["train"]["vision"][row, 2:] = 0


def masks(content, rows):
    for row in rows:
        content["train"]["text_bert"][row, 1] = [1, 0, 0, 0, 0]
        content["train"]["text_bert"][row, 0] = [5, 6, 7, 8, 0]


def signs(content, rows):
    for part in content.values():
        part["classification_labels"] = np.sign(part["regression_labels"]) + 1
    for row in rows:
        content["train"]["classification_labels"][row] = 2 - content["train"]["classification_labels"][row]


def words(content, rows):
    for part in content.values():
        part["annotations"] = np.array(["Negative", "Neutral", "Positive"])[
            np.sign(part["regression_labels"]).astype(int) + 1
        ]
    for row in rows:
        content["train"]["annotations"][row] = "Positive" if row < 3 else "Negative"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (behind, "audio has values behind its length"),
        (halves, "video is zero at an end for more than half of its length"),
        (masks, "text_bert has tokens where its mask is 0"),
        (signs, "classification_labels and regression_labels have opposite signs"),
        (words, "annotations and regression_labels have opposite signs"),
    ],
)
def test_contradictions_are_told_and_refused_beyond_a_limit(tmp_path, capsys, spoil, told):
    content = make_content()
    spoil(content, [1])
    assert run(tmp_path, content) == 0
    assert f"{told} in 1 utterances; the first is train0$_$2" in warnings(tmp_path)
    assert told in capsys.readouterr().err

    folder = tmp_path / "worse"
    folder.mkdir()
    content = make_content()
    spoil(content, [0, 1, 4])
    assert run(folder, content) == 1
    error = capsys.readouterr().err
    assert f"contradicts itself: {told} in 3 utterances; the first is train0$_$1. That is 23.1% of 13" in error
    assert "--max_contradicting" in error
    assert left_behind(folder) == ["features.pkl"]
    assert run(folder, content, "--max_contradicting", "0.3") == 0


def test_published_files_are_told_of_and_never_refused(tmp_path, capsys, monkeypatch):
    import hashlib

    content = make_content()
    behind(content, [0, 1, 4])
    digest = hashlib.sha1(write(tmp_path / "features.pkl", content).read_bytes()).hexdigest()
    monkeypatch.setattr(mmsa_published, "KNOWN_FILES", {digest: "MOSI/unaligned_50"})
    assert run(tmp_path, content) == 0
    assert "audio has values behind its length in 3 utterances" in capsys.readouterr().err


def test_columns_that_say_nothing_of_the_sign_are_not_compared(tmp_path):
    content = make_content()
    for part in content.values():
        part["classification_labels"] = np.arange(len(part["id"]))  # of seven classes, say
        part["annotations"] = ["happy", "sad", "sad", "happy", "sad", "sad"][: len(part["id"])]
    assert run(tmp_path, content) == 0
    assert not any("signs" in warning or "neutral" in warning for warning in warnings(tmp_path))


def test_utterances_of_two_parts_with_the_same_sound_and_empty_texts_are_told(tmp_path):
    content = make_content()
    content["test"]["audio"] *= 3
    content["valid"]["audio"] *= 2
    content["test"]["audio"][2], content["test"]["audio_lengths"][2] = content["train"]["audio"][4], 5
    content["test"]["raw_text"] = ["a", " ", "b", "c"]
    assert run(tmp_path, content) == 0
    assert "audio is that of an utterance of another part in 1 utterances; the first is test1$_$1" in warnings(tmp_path)
    assert "raw_text is empty in 1 utterances; the first is test0$_$2" in warnings(tmp_path)


def test_intensities_of_another_corpus_are_told(tmp_path):
    assert run(tmp_path, make_content()) == 0
    assert "intensities reach 1 at most, of a scale to 3: are they those of another corpus?" in warnings(tmp_path)


def test_aligned_features_behind_their_tokens_are_a_contradiction(tmp_path, capsys):
    content = make_aligned()
    for part in content.values():
        part["audio"][:] = 1
    assert run(tmp_path, content) == 1
    assert "contradicts itself: audio has values behind its length in " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", np.array("one")),
        ("id", [["a", "b"], ["c"]]),
        ("raw_text", {"a": 1}),
        ("audio", [["x"] * 3, ["y"] * 3]),
        ("audio", np.array([{"a": 1}] * 6, dtype=object)),
        ("audio", "text"),
        ("audio_lengths", [[1, 2], [3]]),
        ("audio_lengths", [2**70] * 6),
        ("regression_labels", [{}] * 6),
        ("classification_labels", [[1], {}, None, 2, 3, "a"]),
        ("annotations", np.array("Neutral")),
    ],
)
def test_columns_of_odd_kinds_end_in_one_message_or_are_passed_over(tmp_path, capsys, key, value):
    content = make_content()
    content["train"][key] = value
    code = run(tmp_path, content)
    assert code == (0 if key == "classification_labels" else 1)
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert errors.count("error:") == code


def test_an_utterance_with_two_broken_lengths_is_left_out_once(tmp_path, capsys):
    content = make_content()
    content["test"]["audio_lengths"][2] = content["test"]["vision_lengths"][2] = 0
    assert run(tmp_path, content, "--bad_length", "drop", "--max_lost", "0.1") == 0
    assert "13 utterances seen, 12 taken, 1 left out (bad_length 1)" in capsys.readouterr().out
    (entry,) = read_ledger(tmp_path / "data" / "excluded.tsv")
    assert "0 frames of audio, expected 1 to 7; vision_lengths gives 0" in entry.detail


def test_extents() -> None:
    array = np.zeros((3, 5, 2), dtype=np.float32)
    array[0, 1:3, 0] = 1
    array[1, 4, 1] = np.nan
    begins, ends = find_extents(array)
    assert begins.tolist() == [1, 4, 5]
    assert ends.tolist() == [3, 5, 0]
