"""The doors that corpora of one's own come in by, from the command line to the data directory, and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mertk.command import main
from mertk.data.folds import read_fold
from mertk.data.manifest import COLUMN_NAMES, load_manifest, validate_directory
from mertk.data_prep.own.door import name_of
from mertk.data_prep.own.reading.emobox_lists import read_emobox
from mertk.data_prep.own.reading.kaldi_lists import read_kaldi
from mertk.errors import MertkError
from tests.video_corpus import write_video

EMOTIONS = ("angry", "happy", "sad")


@pytest.fixture
def clips(tmp_path):
    """Twenty-four recordings of eight speakers, two seconds each, by number."""
    found = []
    for number in range(24):
        path = tmp_path / "clips" / f"clip ä {number:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        samples = np.random.default_rng(number).normal(0, 0.1, 2000)
        with path.open("wb") as file:
            soundfile.write(file, samples, 1000, format="WAV", subtype="PCM_16")
        found.append(path)
    return found


def write(path: Path, lines) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    return path


def prepared(*words):
    """The data directory that a command line ends in, which must be sound."""
    assert main(["prepare", *map(str, words)]) == 0
    out = Path(words[words.index("--out") + 1])
    assert validate_directory(out) == []
    return load_manifest(out, need=("utt2label",))


def columns_of(manifest):
    return {name: manifest.column(name) for name in COLUMN_NAMES if manifest.has(name)}


def folds_of(directory):
    """By name of the cross-validation and number, the parts."""
    folders = sorted(path.parent for path in Path(directory).glob("folds/*/*/fold.json"))
    folds = {"/".join(folder.parts[-2:]): read_fold(folder) for folder in folders}
    return {name: (fold.train, fold.validation, fold.test) for name, fold in folds.items()}


def came_back(tmp_path, manifest, *words):
    """A data directory written as a table and prepared of it."""
    table = tmp_path / "back.csv"
    assert main(["table", str(manifest.source), "--out", str(table)]) == 0
    back = prepared("csv", table, "--out", tmp_path / "back", *words)
    assert (back.ids, back.classes, back.task.name) == (manifest.ids, manifest.classes, manifest.task.name)
    return columns_of(back), folds_of(back.source)


def test_a_table_goes_in_and_out(tmp_path, clips, capsys):
    clips[0] = clips[0].rename(clips[0].with_name('caf\udce9, "1".wav'))
    rows = [f"{clip.name};{EMOTIONS[row % 3]};Anna {row // 4};0,5;1,5" for row, clip in enumerate(clips)]
    write(tmp_path / "clips/mine.csv", ["Clip;Emotion;Spk;Begin;End", *rows])
    words = ("--columns", "file=Clip", "--folds", "4", "--out", tmp_path / "data")
    manifest = prepared("csv", tmp_path / "clips/mine.csv", *words)
    told = capsys.readouterr().out
    assert "24 rows, separated by semicolons: file from Clip, label from Emotion, speaker from Spk" in told
    assert manifest.corpus["corpus"] == "mine"
    assert set(manifest.column("audio_segments")) == {"0.5 1.5"}
    assert set(manifest.column("wav.scp")) == set(map(str, clips))
    assert came_back(tmp_path, manifest) == (columns_of(manifest), folds_of(tmp_path / "data"))


def test_tables_of_parts_with_numbers(tmp_path, clips):
    for part, first, last in (("train", 0, 12), ("dev", 12, 18), ("test", 18, 24)):
        rows = [f"{clips[row]},{(row - 12) / 4},s{row},line {row}" for row in range(first, last)]
        write(tmp_path / f"{part}.csv", ["path,sentiment,speaker,transcript", *rows])
    parts = [word for part in ("train", "dev", "test") for word in (PART_OPTION[part], tmp_path / f"{part}.csv")]
    manifest = prepared("csv", *parts, "--name", "mine", "--out", tmp_path / "data")
    assert (manifest.task.name, len(manifest)) == ("regression", 24)
    fold = read_fold(tmp_path / "data/folds/official-clean/1")
    assert fold.counts() == {"train": 12, "validation": 6, "test": 6}
    assert came_back(tmp_path, manifest) == (columns_of(manifest), folds_of(tmp_path / "data"))


PART_OPTION = {"train": "--train", "dev": "--validation", "test": "--test"}


def test_several_labels_and_text_alone(tmp_path):
    labels = ("happy|sad", "-", "angry", "happy", "sad|angry")
    rows = [f"u{row}\t{labels[row % 5]}\ts{row // 4}\tthe line {row}" for row in range(30)]
    manifest = prepared(
        "csv", write(tmp_path / "a.tsv", ["id\tlabels\tspeaker\ttext", *rows]), "--out", tmp_path / "data"
    )
    assert (manifest.task.name, manifest.classes) == ("multilabel", ["angry", "happy", "sad"])
    assert not manifest.has("wav.scp")
    assert came_back(tmp_path, manifest) == (columns_of(manifest), folds_of(tmp_path / "data"))


def test_videos_go_in_and_out(tmp_path):
    for number in range(6):
        write_video(tmp_path / f"v {number}.avi", 12, number)
    rows = [f"v {row}.avi,{EMOTIONS[row % 2]},s{row // 2}" for row in range(6)]
    manifest = prepared("csv", write(tmp_path / "a.csv", ["video,target,subject", *rows]), "--out", tmp_path / "data")
    assert manifest.has("video_segments") and not manifest.has("wav.scp")
    assert came_back(tmp_path, manifest) == (columns_of(manifest), folds_of(tmp_path / "data"))


def kaldi_lists(folder, clips, emotions="utt2emo"):
    ids = [f"u{row:02d}" for row in range(24)]
    write(folder / "wav.scp", [f"r{row:02d} {clip}" for row, clip in enumerate(clips)])
    write(folder / "segments", [f"{name} r{row:02d} 0.25 {-1 if row % 2 else 1.5}" for row, name in enumerate(ids)])
    write(folder / "utt2spk", [f"{name} s{row // 4}" for row, name in enumerate(ids)])
    write(folder / "spk2gender", [f"s{number} {'fm'[number % 2]}" for number in range(5)])
    write(folder / emotions, [f"{name} {EMOTIONS[row % 3]}" for row, name in enumerate(ids)])
    write(folder / "text", [f"{name} oh  well" for name in ids])
    return folder


def test_a_data_directory_of_kaldi(tmp_path, clips):
    manifest = prepared("kaldi", kaldi_lists(tmp_path / "kaldi", clips), "--out", tmp_path / "data")
    assert manifest.ids[:2] == ["u00", "u01"]
    assert manifest.column("audio_segments")[:2] == ["0.25 1.5", "0.25 2"]
    assert set(manifest.column("text")) == {"oh well"}
    assert len(set(manifest.column("utt2spk"))) == 6
    assert manifest.column("utt2gender")[::4] == ["f", "m", "f", "m", "f", "unknown"]
    assert manifest.corpus["corpus"] == "kaldi"


def test_faults_of_kaldis_lines_are_theirs_alone(tmp_path, clips):
    folder = kaldi_lists(tmp_path / "kaldi", clips, "emotions")
    with pytest.raises(MertkError, match=r"has none of utt2label, .* with --labels"):
        read_kaldi(folder)
    write(folder / "wav.scp", ["r00 cat a.wav |", "r01 b.ark:123", "r02", f"r03 {clips[3].name}"])
    (folder / clips[3].name).touch()
    write(folder / "segments", ["u00 r00 0 1", "u01 r01 0 1", "u02 r02 0 1", "u03 r03 0 1", "u04 r09 0 1", "u05 r03 1"])
    write(folder / "emotions", ["u03 sad", "u03 sad", "u99 sad"])
    rows = {row.place.rpartition("/")[2]: row for row in read_kaldi(folder, labels=folder / "emotions").rows}
    told = {place: row.fault for place, row in rows.items() if row.fault}
    for place, fault in {
        "segments:1": "is a command, which is not run; write its sound to a file",
        "segments:2": "is in an archive",
        "segments:3": "no path is given",
        "segments:5": "the recording r09 is not in wav.scp",
        "segments:6": "expected `utterance recording start end`",
        "emotions:2": "u03 is in line 1 already",
        "emotions:3": "it has a label and is not in segments",
    }.items():
        assert fault in told.pop(place)
    assert not told
    assert (rows["segments:4"].file, rows["segments:4"].label) == (folder / clips[3].name, "sad")
    write(folder / "utt2spk", [f"u{row:02d} u{row:02d}" for row in range(6)])
    assert all(row.speaker is None for row in read_kaldi(folder, labels=folder / "emotions").rows)


def test_three_column_lists_of_parts(tmp_path, clips, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"u{row:02d} clips/{clip.name} {EMOTIONS[row % 3]}" for row, clip in enumerate(clips)]
    write(tmp_path / "lists/train.scp", rows[:18])
    write(tmp_path / "lists/test.scp", [*rows[18:], ""])
    words = ("--train", "lists/train.scp", "--test", "lists/test.scp", "--out", tmp_path / "data")
    manifest = prepared("kaldi", *words)
    fold = read_fold(tmp_path / "data/folds/official-clean/1")
    assert fold.test == [f"u{row}" for row in range(18, 24)] and len(fold.train + fold.validation) == 18
    assert manifest.value("wav.scp", "u03") == str(clips[3])
    row = read_kaldi(write(tmp_path / "a.scp", ["u1 happy", rows[0]])).rows[0]
    assert "expected three columns" in row.fault


def emobox_folder(root, clips, num_folds=3):
    """data/mine of EmoBox, whose recordings are relative to its root."""
    folder = root / "data/mine"

    def line(row):
        wav = str(clips[row].relative_to(root))
        entry = {"key": f"mine-{row:02d}", "dataset": "mine", "wav": wav, "type": "raw", "sample_rate": 1000}
        return json.dumps(entry | {"length": 2.0, "task": "category", "emo": EMOTIONS[row % 3][0], "channel": 1})

    write(folder / "mine.jsonl", map(line, range(24)))
    write(folder / "label_map.json", [json.dumps({name[0]: name.title() for name in EMOTIONS})])
    write(folder / "data.seg.wrd.stm", [f"mine-{row:02d} 1 s{row // 4} 0 2 <id=x> h" for row in range(24)])
    for fold in range(num_folds):
        tested = {row for row in range(24) if row // 4 % num_folds == fold}
        for part, rows in (("train", set(range(24)) - tested), ("test", tested)):
            write(folder / f"fold_{fold + 1}/mine_{part}_fold_{fold + 1}.jsonl", map(line, sorted(rows)))
    return folder


def test_folds_of_emobox(tmp_path, clips):
    folder = emobox_folder(tmp_path, clips)
    manifest = prepared("emobox", folder, "--out", tmp_path / "data")
    assert (manifest.classes, manifest.corpus["corpus"]) == (["Angry", "Happy", "Sad"], "mine")
    assert set(manifest.column("wav.scp")) == set(map(str, clips))
    assert manifest.value("utt2spk", "mine-05") == "s1"
    for number in (1, 2, 3):
        tested = [f"mine-{row:02d}" for row in range(24) if row // 4 % 3 == number - 1]
        assert read_fold(tmp_path / f"data/folds/speaker-clean/{number}").test == tested
    prepared("emobox", folder, "--fold", "2", "--out", tmp_path / "one")
    tested = [f"mine-{row:02d}" for row in range(24) if row // 4 % 3 == 1]
    assert read_fold(tmp_path / "one/folds/official-clean/1").test == tested
    single = read_emobox([folder / "mine.jsonl"])
    assert {(row.part, row.fold) for row in single.rows} == {(None, None)} and len(single.rows) == 24
    table = {"a": {"wav": str(clips[0]), "emo": "h", "start_time": 0.5, "end_time": 1}, "b": 3}
    rows = read_emobox([write(folder / "mine.json", [json.dumps(table)])]).rows
    assert (rows[0].file, rows[0].label, rows[0].start, rows[0].end) == (clips[0], "Happy", "0.5", "1")
    assert rows[1].place.endswith("mine.json:b") and rows[1].fault
    parts = read_emobox([folder / "fold_1"])
    assert {row.part for row in parts.rows} == {"train", "test"}


def test_faults_of_emoboxs_lines_are_theirs_alone(tmp_path, clips):
    folder = emobox_folder(tmp_path, clips)
    lines = ["no json", '{"key": "a"}', '{"key": "b", "wav": "x.wav"}', '{"key": "c", "wav": "x.wav", "emo": "z"}']
    lines += ['{"key": "d", "wav": "x.wav", "emo": "h", "type": "feature"}', "[1]", ""]
    lines += ['{"key": "e", "wav": "s3://there/x.wav", "emo": "h"}']
    rows = read_emobox([write(folder / "odd.jsonl", lines)]).rows
    expected = ["it is no utterance", 'no "wav"', 'no "emo"', "none of label_map.json", "expected raw", "no utterance"]
    expected += ["is on another machine"]
    assert all(part in row.fault for row, part in zip(rows, expected, strict=True))
    write(folder / "fold_1/mine_test_fold_1.jsonl", [])
    with pytest.raises(MertkError, match=r"leave 8 of 24 utterances untested, .* choose one of 1, 2, 3 with --fold"):
        read_emobox([folder])
    with pytest.raises(MertkError, match="--fold 9: there is 1, 2, 3"):
        read_emobox([folder], fold=9)
    with pytest.raises(MertkError, match="--root .*none: there is no such folder"):
        read_emobox([folder], root=folder / "none")


def test_a_database_of_audformat(tmp_path, clips):
    folder = tmp_path / "clips"
    rows = [f"{clip.name},0 days,0 days 00:00:01.5,{EMOTIONS[row % 3]},0.9" for row, clip in enumerate(clips)]
    write(folder / "db.emotion.csv", ["file,start,end,emotion,emotion.confidence", *rows])
    rows = [f"{clip.name},0 days 00:00:02,{row // 4},line {row}" for row, clip in enumerate(clips)]
    write(folder / "db.files.csv", ["file,duration,speaker,transcription", *rows])
    write(folder / "db.yaml", ["name: mine"])
    words = ("--more", folder / "db.files.csv", "--out", tmp_path / "data")
    manifest = prepared("audformat", folder, *words)
    assert set(manifest.column("audio_segments")) == {"0 1.5"}
    assert set(manifest.column("utt2spk")) == set("012345") and "line 3" in manifest.column("text")
    rows = [f"{clip.name},{EMOTIONS[row % 3]}" for row, clip in enumerate(clips)]
    parts = [write(folder / f"{part}.csv", ["file,emotion", *rows[part::2]]) for part in (0, 1)]
    manifest = prepared("audformat", "--train", parts[0], "--test", parts[1], *words[:2], "--out", tmp_path / "parts")
    assert set(manifest.column("utt2spk")) == set("012345")
    (folder / "db.emotion.csv").rename(folder / "db.gold.csv")
    assert main(["prepare", "audformat", str(folder), "--out", str(tmp_path / "other")]) == 1
    with pytest.raises(SystemExit):
        main(["prepare", "audformat", "--out", str(tmp_path / "other")])


def test_a_table_of_nkululeko_with_a_root(tmp_path, clips):
    rows = [f"{clip.name},{row // 4},f,{EMOTIONS[row % 3]}" for row, clip in enumerate(clips)]
    table = write(tmp_path / "lists/mine.csv", ["file,speaker,gender,emotion", *rows])
    manifest = prepared("audformat", table, "--root", tmp_path / "clips", "--out", tmp_path / "data")
    assert len(manifest) == 24 and not manifest.has("audio_segments")
    assert set(manifest.column("utt2gender")) == {"f"}


def test_names_of_corpora(tmp_path):
    assert name_of([tmp_path / "my clips.csv"]) == "my_clips"
    assert name_of([tmp_path / "a" / "train.csv", tmp_path / "a" / "test.csv"]) == "a"


def test_a_table_or_parts_and_not_both(tmp_path, capsys):
    for words in ([], ["a.csv", "--train", "b.csv"]):
        with pytest.raises(SystemExit):
            main(["prepare", "csv", *words, "--out", str(tmp_path)])
        assert "expected a table, or one for each of" in capsys.readouterr().err
