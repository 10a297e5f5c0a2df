"""From label.csv and clips to a data directory, and on to features of all three modalities."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import soundfile

from mertk.data.feature_store import FeatureStore
from mertk.data.ledger import Ledger, read_ledger
from mertk.data.manifest import load_manifest, validate_directory
from mertk.data_prep import extract_audio, extract_text, extract_video, raw_video, raw_video_labels, raw_video_sound
from mertk.data_prep.raw_video_labels import read_clips
from tests.raw_corpus import CLIPS, HEADER, IDS, write_bert, write_clip_file, write_corpus, write_labels
from tests.video_corpus import write_clip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = write_corpus(tmp_path_factory.mktemp("raw") / "corpus")
    assert raw_video.main(["--corpus", str(folder), "--out", str(folder.parent / "data"), "--name", "mosi"]) == 0
    return folder, folder.parent / "data"


@pytest.fixture
def corpus(finished, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(finished[0], tmp_path / "corpus")


def run(corpus, *options, name="mosi"):
    return raw_video.main(["--corpus", str(corpus), "--out", str(corpus.parent / "out"), "--name", name, *options])


def reasons(out):
    return {entry.utterance: (entry.reason, entry.detail) for entry in read_ledger(out / "excluded.tsv")}


def test_the_data_directory_says_what_the_table_says(finished):
    _, data = finished
    assert validate_directory(data) == []
    manifest = load_manifest(data)
    assert manifest.ids == IDS and manifest.classes is None
    for video, clip, text, label, _, _, seconds, rate in CLIPS:
        name = f"{video}$_${clip}"
        assert manifest.value("text", name) == " ".join(text.split())
        assert float(manifest.value("utt2label", name)) == float(label)
        assert manifest.value("utt2video", name) == video
        start, end, half = manifest.value("video_segments", name).split()
        assert (start, half) == ("0.0000", "whole") and float(end) == pytest.approx(
            round(seconds * rate) / rate, abs=1e-3
        )
        wav = soundfile.info(manifest.value("wav.scp", name))
        assert (wav.samplerate, wav.channels) == (16000, 1)
        assert wav.duration == pytest.approx(seconds, abs=0.1)  # AAC comes in blocks
        assert float(manifest.value("utt2dur", name)) == pytest.approx(wav.duration, abs=1e-3)
    corpus = json.loads((data / "corpus.json").read_text())
    assert corpus["metrics"] == "mosi" and corpus["count"] == 7 and not corpus["miniature"]
    assert corpus["counts"] == {"train": 4, "validation": 1, "test": 2}
    assert "the published parts have 1284 / 229 / 686" in corpus["warnings"][0]


def test_the_official_parts_are_the_folds(finished):
    _, data = finished
    parts = {
        part: sorted(f"{row[0]}$_${row[1]}" for row in CLIPS if row[5] == part) for part in ("train", "valid", "test")
    }
    folds = data / "folds"
    assert (folds / "official-clean/1/train.ids").read_text().split() == parts["train"]
    assert (folds / "official-clean/1/validation.ids").read_text().split() == parts["valid"]
    assert (folds / "official-clean/1/test.ids").read_text().split() == parts["test"]
    assert (folds / "official-clean-refit/1/train.ids").read_text().split() == sorted(parts["train"] + parts["valid"])
    assert not (folds / "official-clean-refit/1/validation.ids").exists()


def test_all_three_features_of_raw_clips_make_a_sound_directory(finished, tmp_path, capsys):
    data = shutil.copytree(finished[1], tmp_path / "data")
    bert, clip = write_bert(tmp_path / "bert"), write_clip(tmp_path / "clip")
    given, features = ["--data", str(data)], data / "features"
    assert extract_audio.main([*given, "--out", str(features / "audio")]) == 0
    video = ["--weights", str(clip), "--rate_hz", "5", "--max_seconds", "60"]
    assert extract_video.main([*given, *video, "--out", str(features / "video")]) == 0
    text = ["--weights", str(bert), "--out", str(features / "tokens"), "--embeddings", str(features / "text")]
    assert extract_text.main([*given, *text]) == 0
    assert validate_directory(data) == []
    dimensions = {"audio": 33, "video": 20, "tokens": 2, "text": 16}
    for name, dimension in dimensions.items():
        store = FeatureStore(features / name)
        assert store.ids == IDS and store.record.dimension == dimension
    frames = FeatureStore(features / "video")
    assert [frames.num_frames(name) for name in ("abc$_$0001", "abc$_$0002", "ghi$_$0003")] == [5, 8, 2]


def spoil(corpus):
    """Everything that can be wrong with a row, one each; by utterance the expected reason and place.

    One text of CLIPS has two lines, so that row 5 begins on line 7.
    """
    raw = corpus / "Raw"
    (raw / "abc" / "0002.mp4").unlink()
    (raw / "-x_9" / "1.mp4").write_bytes(b"no video")
    write_clip_file(raw / "new" / "silent.mp4", sound=False)
    for clip in ("empty", "nan", "far", "where"):
        write_clip_file(raw / "new" / f"{clip}.mp4")
    rows = [row[:6] for row in CLIPS] + [
        ("new", "silent", "hello", "1", "", "train"),
        ("new", "empty", "  ", "1", "", "train"),
        ("new", "nan", "hello", "nan", "", "train"),
        ("new", "far", "hello", "3.2", "", "train"),
        ("new", "where", "hello", "1", "", "dev"),
        ("abc", "0001", "hello again", "-1", "", "test"),
        ("../up", "1", "hello", "1", "", "train"),
        ("new", "many", "hello", "1", "", "train", "more"),
    ]
    write_labels(corpus / "label.csv", rows)
    return {
        "abc$_$0002": ("no_video", ":3: "),
        "-x_9$_$1": ("unreadable_video", ":4: "),
        "new$_$silent": ("no_audio", ":10: "),
        "new$_$empty": ("empty_text", ":11: "),
        "new$_$nan": ("bad_label", ":12: "),
        "new$_$far": ("bad_label", ":13: label '3.2', expected a number from -3 to 3"),
        "new$_$where": ("unknown_part", ":14: mode 'dev'"),
        "abc$_$0001": ("duplicate", ":15: the clip is already at"),
        "../up$_$1": ("bad_name", ":16: video_id '../up'"),
        "new$_$many": ("malformed_row", ":17: 7 values, expected 6"),
    }


def test_what_cannot_be_used_is_in_the_ledger_with_its_line(corpus, capsys):
    expected = spoil(corpus)
    assert run(corpus) == 1
    error = capsys.readouterr().err
    assert "10 of 15 rows of" in error and "(--max_lost)" in error
    assert not (corpus.parent / "out" / "wav.scp").exists()

    assert run(corpus, "--max_lost", "0.7") == 0
    found = reasons(corpus.parent / "out")
    assert {name: reason for name, (reason, _) in found.items()} == {name: value[0] for name, value in expected.items()}
    for name, (_, part) in expected.items():
        assert f"label.csv{part}" in found[name][1].replace(str(corpus) + "/", "")
    manifest = load_manifest(corpus.parent / "out")
    assert set(manifest.ids) == set(IDS) - {"abc$_$0002", "-x_9$_$1"}
    assert manifest.value("text", "abc$_$0001") == "hello world"  # of duplicates the first is kept


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_labels_of_single_modalities_are_kept_where_there_are_any(corpus, encoding):
    header = (*HEADER[:4], "label_T", "label_A", "label_V", *HEADER[4:])
    rows = [(*row[:3], "0.4", "-0.2", "", "1.0", *row[4:6]) for row in CLIPS]
    write_labels(corpus / "other.csv", rows, header, encoding)
    assert run(corpus, "--labels", str(corpus / "other.csv"), name="sims") == 0
    out = corpus.parent / "out"
    manifest = load_manifest(out)
    assert set(manifest.column("utt2label_text")) == {"-0.2"}
    assert set(manifest.column("utt2label_video")) == {"1.0"}
    assert not manifest.has("utt2label_audio")  # the column is empty throughout
    assert json.loads((out / "corpus.json").read_text())["metrics"] == "sims"
    assert validate_directory(out) == []


def test_sound_is_extracted_once_and_again_when_the_clip_has_changed(corpus, monkeypatch):
    assert run(corpus) == 0
    extracted = []
    from mertk.data import waveform

    read = waveform.read_sound_of_video
    monkeypatch.setattr(
        waveform, "read_sound_of_video", lambda path, *rest: (extracted.append(path.name), read(path, *rest))[1]
    )
    (corpus.parent / "out" / "wav" / "abc" / "0002.wav").unlink()
    write_clip_file(corpus / "Raw" / "def" / "0001.mp4", seconds=2.0, seed=9)
    os.utime(corpus / "Raw" / "def" / "0001.mp4", (1, 1))
    assert run(corpus) == 0
    assert sorted(extracted) == ["0001.mp4", "0002.mp4"]
    manifest = load_manifest(corpus.parent / "out")
    assert float(manifest.value("utt2dur", "def$_$0001")) == pytest.approx(2.0, abs=0.1)


def test_an_interruption_leaves_no_half_of_a_wav(corpus, monkeypatch):
    write = soundfile.write

    def stop(file, *rest, **options):
        write(file, *rest, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(soundfile, "write", stop)
        assert run(corpus, "--threads", "2") == 130
    assert list((corpus.parent / "out").glob("wav/*/*")) == []
    assert run(corpus, "--threads", "2") == 0


def test_a_column_without_a_name_is_passed_over(corpus):
    lines = (corpus / "label.csv").read_text(encoding="utf-8").splitlines()
    (corpus / "label.csv").write_text(
        "\n".join([lines[0] + ",", *(f"{line}," for line in lines[1:])]), encoding="utf-8"
    )
    clips, count = read_clips(corpus / "label.csv", "mosi", ledger := Ledger())
    assert len(clips) == count and not len(ledger)


def test_zeros_that_a_spreadsheet_took_away_are_guessed(corpus):
    rows = [(row[0], row[1].lstrip("0"), *row[2:6]) for row in CLIPS]
    write_labels(corpus / "label.csv", rows)
    assert run(corpus, "--max_lost", "0.8") == 1  # no utterance is left in a part
    clip = raw_video_labels.Clip("abc", "1", "hello", {}, "train", "label.csv:2")
    with pytest.raises(raw_video_sound.RecordingError, match="but there is 0001.mp4: were zeros lost from clip_id?"):
        raw_video_sound.read_clip(clip, corpus, corpus.parent / "out")


def test_suffixes_and_words_of_the_table_compare_without_case(corpus, capsys):
    (corpus / "Raw" / "abc" / "0001.mp4").rename(corpus / "Raw" / "abc" / "0001.MP4")
    rows = [(*row[:5], row[5].upper()) for row in CLIPS]
    write_labels(corpus / "label.csv", rows, (*HEADER[:3], " Label", "annotation", "MODE"))
    assert run(corpus, "--max_lost", "0") == 0
    manifest = load_manifest(corpus.parent / "out")
    assert manifest.ids == IDS
    assert manifest.value("video.scp", "abc$_$0001") == str(corpus / "Raw" / "abc" / "0001.MP4")
    out = capsys.readouterr().out
    assert "7 rows seen, 7 taken, 0 left out" in out
    assert "7 files seen, 7 taken, 0 left out" in out


def test_clips_that_the_table_does_not_name_are_counted_and_told(corpus, capsys):
    raw = corpus / "Raw"
    shutil.copy(raw / "abc" / "0001.mp4", raw / "abc" / "0009.mp4")
    shutil.copy(raw / "abc" / "0001.mp4", raw / "abc" / "0001.MP4")
    (raw / "abc" / "._0001.mp4").write_bytes(b"")
    (raw / "abc" / "0002.mp4").write_bytes(b"no video")
    assert run(corpus, "--max_lost", "0.2") == 0
    captured = capsys.readouterr()
    assert "7 rows seen, 6 taken, 1 left out (unreadable_video 1)" in captured.out
    assert "10 files seen, 6 taken, 4 left out (" in captured.out
    assert f"1 clips of {raw} have no row in label.csv; the first is {raw}/abc/0009.mp4" in captured.err
    record = json.loads((corpus.parent / "out" / "corpus.json").read_text())
    assert record["files"]["left_out"] == {"duplicate": 1, "hidden": 1, "no_row": 1, "unreadable_video": 1}
    assert set(reasons(corpus.parent / "out")) == {
        "abc$_$0002", "Raw/abc/0009.mp4", "Raw/abc/0001.MP4", "Raw/abc/._0001.mp4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("move", "row", "told"),
    [
        (("abc/0001.mp4", "ABC/0001.mp4"), ("abc", "0001"), "but there is ABC/0001.mp4"),
        (("abc/0001.mp4", "abc/0001.avi"), ("abc", "0001"), "but there is 0001.avi; expected .mp4"),
        (("abc/0001.mp4", "abc/0001.mp4"), ("abc", "1.0"), "but there is 0001.mp4: were zeros lost from clip_id?"),
    ],
)
def test_a_clip_that_may_be_meant_is_named(tmp_path, move, row, told):
    there = tmp_path / "Raw" / move[1]
    there.parent.mkdir(parents=True)
    there.write_bytes(b"")
    clip = raw_video_labels.Clip(*row, "hello", {}, "train", "label.csv:2")
    with pytest.raises(raw_video_sound.RecordingError, match=told.replace("?", r"\?")):
        raw_video_sound.read_clip(clip, tmp_path, tmp_path / "out")


def test_annotations_that_do_not_follow_from_the_labels_are_told(corpus):
    rows = [(*row[:4], {"1.6": "negative", "0": "Positive"}.get(row[3], row[4]), row[5]) for row in CLIPS]
    write_labels(corpus / "label.csv", rows)
    assert run(corpus) == 0
    warnings = json.loads((corpus.parent / "out" / "corpus.json").read_text())["warnings"]
    assert "annotation and label have opposite signs in 1 utterances; the first is abc$_$0001" in warnings
    assert "annotation and label differ in whether they are neutral in 1 utterances; the first is -x_9$_$10" in warnings


def test_a_table_of_another_name_is_told(corpus, capsys):
    (corpus / "label.csv").rename(corpus / "Labels.CSV")
    assert run(corpus) == 1
    assert "label.csv: no such file, there is Labels.CSV beside it; rename the table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"video_id,clip_id,text,label,Label,mode\na,1,b,0,0,train\n", ":1: the column label is there twice; keep one"),
        (b"", "the file is empty"),
        (b"video_id;clip_id;text;label;mode\na;1;b;0;train\n", ":1: no column video_id, clip_id, text, label, mode"),
        (b"video_id,clip_id,text,label\na,1,b,0\n", ":1: no column mode"),
        (b"video_id,clip_id,text,label,mode,label\na,1,b,0,train,1\n", ":1: the column label is there twice"),
        (b'video_id,clip_id,text,label,mode\na,1,"b,0,train\n', ":2: not CSV"),
        (b"video_id,clip_id,text,label,mode\na,1,\xe9t\xe9,0,train\n", ":2: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_message(corpus, capsys, content, message):
    (corpus / "label.csv").write_bytes(content)
    assert run(corpus) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("error:") == 1


def test_a_folder_without_clips_is_one_message(tmp_path, capsys):
    (tmp_path / "corpus").mkdir()
    assert run(tmp_path / "corpus") == 1
    assert "has no folder Raw" in capsys.readouterr().err


def test_text_alone_needs_no_clips(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_labels(folder / "label.csv", [clip[:6] for clip in CLIPS])
    assert run(folder, "--text_only") == 0
    assert validate_directory(tmp_path / "out") == []
    assert load_manifest(tmp_path / "out", need=("text", "utt2label", "utt2video")).ids == IDS
    assert not (tmp_path / "out/wav.scp").exists() and not (tmp_path / "out/video.scp").exists()
    assert run(folder) == 1
