"""What the parts of a split share: of data directories, and of lists that others publish."""

import json

import numpy as np
import pytest
import soundfile

from mertk.bin.audit import KINDS as CHOICES
from mertk.bin.audit import main
from mertk.data.audit import KINDS, audit
from mertk.data.folds import make_official_fold, write_folds
from mertk.data.given_split import read_split
from mertk.data.manifest import load_manifest, write_manifest
from mertk.errors import MertkError
from tests.unit.test_sound_prints import voice

PARTS = {"train": ["a1", "a2", "b1"], "validation": ["c1"], "test": ["b2", "d1"]}


@pytest.fixture
def data(tmp_path):
    """Speaker b is in training and test; d1 is what a1 is, fainter, in another file; c1 says what a2 says."""
    sounds = {name: voice(number) for number, name in enumerate(("a1", "a2", "b1", "b2", "c1"))}
    sounds["d1"] = 0.2 * sounds["a1"][1000:]
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples / np.abs(sounds["a1"]).max() / 2, 8000)
    words = {"a1": "yes", "a2": "I never said that!", "b1": "no", "b2": "yes", "c1": "i never said that", "d1": "no"}
    columns = {
        "wav.scp": {name: str(tmp_path / f"{name}.wav") for name in sounds},
        "utt2spk": {name: name[0] for name in sounds},
        "utt2label": dict.fromkeys(sounds, "sad"),
        "text": words,
    }
    write_manifest(tmp_path / "data", columns, ["sad"], {})
    fold = make_official_fold(PARTS["train"], PARTS["validation"], PARTS["test"], share=["speaker"])
    write_folds(tmp_path / "data/folds/official-clean", [fold])
    return tmp_path / "data"


def shared(found):
    return {(share.parts, share.kind): share.touched for share in found.shares if share.values}


def test_everything_that_is_shared_is_found_and_nothing_else(data):
    found = audit(load_manifest(data), {"official-clean/1": PARTS}, show=False)
    assert shared(found) == {
        (("train", "test"), "speaker"): {"b2": "b"},
        (("train", "test"), "sound"): {"d1": "a1"},
        (("train", "validation"), "sentence"): {"c1": "i never said that"},
    }
    assert found.same_sounds == [["a1", "d1"]]
    assert found.num_values == {"utterance": 6, "speaker": 4, "recording": 6, "sentence": 1, "sound": 5}
    assert set(found.unknown) == {"session", "dialogue", "video"}


def test_a_recording_that_cannot_be_read_is_told_and_the_others_are_compared(data):
    (data.parent / "b1.wav").write_bytes(b"RIFF")
    found = audit(load_manifest(data), {"one": PARTS}, show=False)
    assert found.unknown["sound"] == "1 recordings could not be read, such as b1"
    assert (("train", "test"), "sound") in shared(found)


def test_parts_that_are_the_same_are_told_once(data, capsys):
    write_folds(data / "folds/speaker-published", [make_official_fold(["a1"], ["b1", "b2"], ["b1", "b2"])])
    assert main([str(data), "--folds", "speaker-published", "--no_sound"]) == 0
    told = capsys.readouterr().out
    assert told.count("validation and test") == 2
    assert "(validation and test are the same utterances)" in told


def test_the_program_tells_writes_and_refuses(data, tmp_path, capsys):
    out = tmp_path / "shared.tsv"
    assert main([str(data), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "official-clean: apart by utterance, recording" in told
    assert "the same sound: a1 = d1" in told
    assert max(map(len, told.splitlines())) <= 120
    assert out.read_text().splitlines()[1:] == [
        "official-clean/1\ttrain test\tspeaker\tb\tb2",
        "official-clean/1\ttrain test\tsound\ta1\td1",
        "official-clean/1\ttrain validation\tsentence\ti never said that\tc1",
    ]
    assert main([str(data), "--no_sound", "--refuse", "recording", "session"]) == 0
    assert main([str(data), "--no_sound", "--refuse", "recording", "speaker"]) == 1
    assert KINDS == CHOICES


def test_data_of_text_alone_are_compared_by_what_there_is(data, capsys):
    for name in ("wav.scp", "utt2label"):
        (data / name).unlink()
    assert main([str(data)]) == 0
    told = capsys.readouterr().out
    assert "1 speaker" in told and "not compared by session, dialogue, video, recording, sound" in told


def test_a_folder_of_folds_that_is_not_there_is_told(data, capsys):
    assert main([str(data), "--folds", "session-clean"]) == 1
    assert "got session-clean, there is official-clean" in capsys.readouterr().err


# Lists.


def write_lists(folder, line, suffix):
    lists = {}
    for part, names in PARTS.items():
        file = folder / f"{part}{suffix}"
        file.write_text("".join(f"{line(name)}\n" for name in names))
        lists[part] = [file]
    return lists


@pytest.mark.parametrize(
    "line",
    [
        lambda name: f"wav files/{name}.wav",
        lambda name: f"{name} wav files/{name}.wav sad",
        lambda name: json.dumps({"key": name, "wav": f"wav files/{name}.wav", "emo": "sad"}),
    ],
    ids=["paths", "scp", "json"],
)
def test_lists_of_all_kinds_say_the_same(tmp_path, line):
    manifest, parts = read_split(write_lists(tmp_path, line, ".x"), patterns={"utt2spk": "^([a-z])"}, root=tmp_path)
    assert parts == PARTS
    assert manifest.column("utt2spk") == ["a", "a", "b", "b", "c", "d"]
    assert manifest.column("wav.scp")[0] == str(tmp_path / "wav files/a1.wav")


def test_names_alone_are_looked_up_in_a_data_directory(data, tmp_path):
    lists = write_lists(tmp_path, lambda name: f"{name}.wav", ".txt")
    manifest, parts = read_split(lists, load_manifest(data))
    assert shared(audit(manifest, {"lists": parts}, sound=False)).keys() == {
        (("train", "test"), "speaker"),
        (("train", "validation"), "sentence"),
    }
    lists["test"][0].write_text("b2\ne9\n")
    with pytest.raises(MertkError, match=r"test\.txt:2: e9 is no utterance of .*data"):
        read_split(lists, load_manifest(data))


def test_an_utterance_that_is_in_two_lists_is_shared(tmp_path):
    lists = write_lists(tmp_path, str, ".txt")
    lists["test"][0].write_text("b2\na1\n")
    found = audit(*_as_given(read_split(lists)), sound=False)
    assert shared(found) == {(("train", "test"), "utterance"): {"a1": "a1"}}


def _as_given(read):
    manifest, parts = read
    return manifest, {"lists": parts}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the list is empty"),
        ("{broken\n", r"test\.txt:1: not JSON"),
        ('{"emo": "sad"}\n', "nothing names the utterance; expected one of key, id"),
        ("x1\n", "x1 does not fit the pattern"),
    ],
)
def test_lists_that_cannot_be_used_say_where(tmp_path, content, message):
    lists = write_lists(tmp_path, str, ".txt")
    lists["test"][0].write_text(content)
    with pytest.raises(MertkError, match=message):
        read_split(lists, patterns={"utt2spk": "^([a-d])"})


@pytest.mark.parametrize(
    "arguments",
    [[], ["--train", "a"], ["data", "--speaker", "x"], ["--train", "a", "--test", "b", "--folds", "c"]],
)
def test_arguments_that_do_not_go_together_are_told(arguments, capsys):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2 and "error: " in capsys.readouterr().err


def test_of_a_file_the_seconds_of_an_utterance_are_heard(tmp_path):
    first, second = voice(1), voice(2)
    soundfile.write(tmp_path / "long.wav", np.concatenate([first, second]) / 8, 8000)
    soundfile.write(tmp_path / "short.wav", second / 8, 8000)
    columns = {
        "wav.scp": {"a": str(tmp_path / "long.wav"), "b": str(tmp_path / "long.wav"), "c": str(tmp_path / "short.wav")},
        "audio_segments": {"a": "0 3", "b": "3 6", "c": "0 3"},
        "utt2label": dict.fromkeys("abc", "sad"),
    }
    write_manifest(tmp_path / "data", columns, ["sad"], {})
    found = audit(load_manifest(tmp_path / "data"), {"one": {"train": ["a", "b"], "test": ["c"]}}, show=False)
    assert found.same_sounds == [["b", "c"]]


def test_paths_with_blanks_are_no_columns(tmp_path):
    lists = write_lists(tmp_path, lambda name: f"wav files/{name[0]} and others/{name}.wav", ".txt")
    manifest, parts = read_split(lists, root=tmp_path)
    assert parts == PARTS
    assert manifest.column("wav.scp")[0] == str(tmp_path / "wav files/a and others/a1.wav")
    lists = write_lists(tmp_path, lambda name: f"{name} wav files/{name}.wav -0.5", ".scp")
    assert read_split(lists)[0].column("wav.scp")[0] == "wav files/a1.wav"
