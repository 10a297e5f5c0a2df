"""From the rows of a table of one's own to a data directory: what is told, what goes on, what is written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mertk.batch import MODALITIES
from mertk.data.data_directory import OWN_FILES
from mertk.data.folds import read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import validate_directory
from mertk.data_prep.own.directory import prepare_rows
from mertk.data_prep.own.files import FileFacts, read_facts
from mertk.data_prep.own.report import tell_prepared
from mertk.data_prep.own.rows import OwnRow
from mertk.errors import MertkError


def write_wav(path: Path, seconds: float = 0.1, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).normal(0, 0.1, round(16000 * seconds)).astype(np.float32)
    with path.open("wb") as file:
        soundfile.write(file, samples, 16000, format="WAV", subtype="PCM_16")
    return path


@pytest.fixture
def rows(tmp_path):
    """Twelve rows of four speakers, with three classes."""
    return [
        OwnRow(
            f"clips.csv:{number + 2}",
            write_wav(tmp_path / "clips" / f"clip {number}.wav", seed=number),
            ("angry", "happy", "sad")[number % 3],
            speaker=f"Anna {number // 3}",
        )
        for number in range(12)
    ]


def prepared(rows, tmp_path, **options):
    return prepare_rows(rows, tmp_path / "out", corpus="mine", source=tmp_path / "clips.csv", **options)


def reasons(path: Path) -> dict[str, list[str]]:
    """By reason, the rows that a ledger names."""
    found: dict[str, list[str]] = {}
    for entry in read_ledger(path):
        found.setdefault(entry.reason, []).append(entry.detail.partition(": ")[0])
    return found


def test_a_table_becomes_a_sound_data_directory(rows, tmp_path, capsys):
    manifest = prepared(rows, tmp_path)
    assert validate_directory(tmp_path / "out") == []
    assert manifest.ids[0] == "clip_0"
    assert manifest.value("wav.scp", "clip_0") == str(rows[0].file)
    assert manifest.value("utt2spk", "clip_11") == "Anna_3"
    assert manifest.column("utt2dur") == ["0.1000"] * 12
    assert manifest.classes == ["angry", "happy", "sad"]
    assert not (tmp_path / "out" / "audio_segments").exists()
    tell_prepared(manifest)
    told = capsys.readouterr()
    assert "task classification: every label names one class; --task says otherwise" in told.out
    assert "4 folds that keep together speakers and recordings: 4 groups" in told.out
    assert "happy: 4" in told.out
    assert "4 groups by speakers and recordings make 4 folds, not 5" in told.err


def test_a_file_of_sound_is_opened_once_for_what_is_known_of_it(tmp_path, monkeypatch):
    path, opened = write_wav(tmp_path / "a.wav"), []

    class Counted(soundfile.SoundFile):
        def __init__(self, file, *more, **options):
            opened.append(file)
            super().__init__(file, *more, **options)

    monkeypatch.setattr(soundfile, "SoundFile", Counted)
    assert read_facts(path, MODALITIES) == FileFacts("plain", 0.1)
    assert opened == [os.fsencode(path)]


def test_all_that_is_wrong_is_told_at_once_with_the_rows(rows, tmp_path):
    clips = tmp_path / "clips"
    (clips / "noise.wav").write_bytes(bytes(range(256)) * 40)
    (clips / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (clips / "link.wav").symlink_to("nowhere")
    cut = write_wav(clips / "cut.wav", seconds=2)
    cut.write_bytes(cut.read_bytes()[:30000])
    bad = {
        "no_file": OwnRow("clips.csv:20", clips / "CLIP 1.wav", "sad", speaker="b"),
        "unreadable_audio": OwnRow("clips.csv:21", clips / "noise.wav", "sad", speaker="b"),
        "no_sound": OwnRow("clips.csv:30", clips / "picture.png", "sad", speaker="b"),
        "truncated_audio": OwnRow("clips.csv:22", cut, "sad", speaker="b"),
        "empty_label": OwnRow("clips.csv:23", write_wav(clips / "a.wav"), " ", speaker="b"),
        "duplicate_row": OwnRow("clips.csv:24", rows[0].file, "angry", speaker="b"),
        "duplicate_id": OwnRow("clips.csv:25", write_wav(clips / "b.wav"), "sad", id="clip_3", speaker="b"),
        "bad_interval": OwnRow("clips.csv:26", write_wav(clips / "c.wav"), "sad", start="2", end="1,5", speaker="b"),
        "bad_row": OwnRow("clips.csv:27", write_wav(clips / "d.wav"), "sad", speaker="b", fault="a value too many"),
        "bad_name": OwnRow("clips.csv:28", clips / "e\n.wav", "sad", speaker="b"),
        "empty_speaker": OwnRow("clips.csv:29", write_wav(clips / "f.wav"), "sad"),
    }
    manifest = prepared([replace(row, id=f"clip_{n}") for n, row in enumerate(rows)] + list(bad.values()), tmp_path,
                        max_lost=0.5)  # fmt: skip
    found = reasons(tmp_path / "out" / "excluded.tsv")
    assert {reason: found.get(reason) for reason in bad} == {reason: [row.place] for reason, row in bad.items()}
    assert set(found) == set(bad)
    assert len(manifest) == 12
    text = (tmp_path / "out" / "excluded.tsv").read_text(encoding="utf-8")
    assert "there is clips/clip 1.wav" in text
    assert manifest.corpus["left_out"] == dict.fromkeys(bad, 1)


def test_too_many_lost_rows_leave_nothing_but_their_list(rows, tmp_path):
    bad = [OwnRow(f"clips.csv:{30 + number}", tmp_path / f"{number}.wav", "sad", speaker="b") for number in range(3)]
    with pytest.raises(MertkError, match=r"3 of 15 rows cannot be used \(20.0%\)") as raised:
        prepared([*rows, *bad], tmp_path, max_lost=0.1)
    assert "no_file 3: clips.csv:30" in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert reasons(tmp_path / "out.excluded.tsv") == {"no_file": ["clips.csv:30", "clips.csv:31", "clips.csv:32"]}


def test_one_class_alone_is_refused(rows, tmp_path):
    with pytest.raises(MertkError, match="all 12 rows are Sad: there is nothing to tell apart"):
        prepared([replace(row, label="Sad " if n else "sad") for n, row in enumerate(rows)], tmp_path)


def test_a_table_that_makes_no_folds_leaves_the_list_of_what_is_lost(rows, tmp_path):
    lost = OwnRow("clips.csv:30", tmp_path / "none.wav", "rare", speaker="b")
    rare = [replace(row, label="rare") if n == 0 else row for n, row in enumerate(rows)]
    with pytest.raises(MertkError, match=r"rare \(1 utterance, in 1 of \d folds\)(.|\n)*out.excluded.tsv"):
        prepared([*rare, lost], tmp_path, max_lost=0.1)
    assert reasons(tmp_path / "out.excluded.tsv") == {"no_file": ["clips.csv:30"]}
    prepared([*rows, lost], tmp_path, max_lost=0.1)
    assert not (tmp_path / "out.excluded.tsv").exists()


def test_a_refused_table_leaves_the_directory_before_it(rows, tmp_path):
    prepared(rows, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(MertkError):
        prepared([replace(row, file=tmp_path / "none.wav") for row in rows], tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert len(prepared(rows[:9], tmp_path)) == 9


def test_rows_that_contradict_each_other_are_both_left_out(rows, tmp_path):
    more = [
        replace(rows[4], place="clips.csv:99", label="sad"),
        replace(rows[5], place="clips.csv:100", label="\u200b"),
    ]
    prepared([*more[1:], *rows, *more[:1], replace(rows[0], place="t:9", label="Angry ")], tmp_path, max_lost=0.3)
    assert reasons(tmp_path / "out" / "excluded.tsv") == {
        "contradicting_row": [rows[4].place, "clips.csv:99"],
        "duplicate_row": ["t:9"],
        "empty_label": ["clips.csv:100"],
    }


def test_odd_names_are_read_and_named(tmp_path):
    names = ["clip 'one'.wav", 'zwei "Töne".wav', "三.wav", "#4,5;6.wav", "a=b&c%20.wav", "-6 .wav"]
    folder = tmp_path / "my clips"
    files = [write_wav(folder / name, seed=number) for number, name in enumerate(names)]
    files.append(write_wav(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))))
    files.append(write_wav(folder / "below" / "三.wav"))
    made = [
        OwnRow(f"t:{number}", file, "ab"[number % 2], speaker=f"s{number // 2}") for number, file in enumerate(files)
    ]
    manifest = prepared(made, tmp_path)
    assert validate_directory(tmp_path / "out") == []
    assert {"clip_'one'", 'zwei_"Töne"', "caf\\xe9", "below_三", "my_clips_三"} <= set(manifest.ids)
    assert sorted(manifest.column("wav.scp")) == sorted(map(str, files))


def test_ids_of_the_table_are_kept_as_far_as_lists_can_hold_them(rows, tmp_path):
    named = [replace(row, id=f"take {number}") for number, row in enumerate(rows)]
    manifest = prepared(named, tmp_path)
    assert manifest.ids[:3] == ["take_0", "take_1", "take_10"]
    assert any("12 ids" in warning for warning in manifest.corpus["warnings"])


def test_intervals_of_one_file_are_utterances(tmp_path):
    files = [write_wav(tmp_path / f"talk{number}.wav", 3.0, number) for number in range(4)]
    times = [("0", "0,5"), ("0.5", "1.25"), ("0:00:02", None)]
    rows = [
        OwnRow(f"t:{number}", file, "ab"[(number + turn) % 2], start=start, end=end)
        for number, file in enumerate(files)
        for turn, (start, end) in enumerate(times)
    ]
    rows.append(OwnRow("t:9", files[0], "a", start="2.5", end="3.5"))
    manifest = prepared(rows, tmp_path, max_lost=0.1)
    assert validate_directory(tmp_path / "out") == []
    assert manifest.value("audio_segments", "talk1_0.5-1.25") == "0.5 1.25"
    assert manifest.value("audio_segments", "talk1_0:00:02-end") == "2 3"
    assert manifest.value("utt2dur", "talk1_0-0.5") == "0.5000"
    assert reasons(tmp_path / "out" / "excluded.tsv") == {"bad_interval": ["t:9"]}
    fold = read_fold(tmp_path / "out" / "folds" / "recording-clean" / "1")
    assert {name.partition("_")[0] for name in fold.test} & {name.partition("_")[0] for name in fold.train} == set()


def test_text_alone_will_do(tmp_path):
    rows = [OwnRow(f"t:{number}", None, "ab"[number % 2], text=f" word\t{number} ") for number in range(10)]
    manifest = prepared(rows, tmp_path)
    assert manifest.value("text", "t:3") == "word 3"
    assert (tmp_path / "out" / "folds" / "utterance-clean" / "5").is_dir()
    assert not manifest.has("wav.scp")


def test_what_most_rows_have_the_others_are_lost_for(rows, tmp_path):
    worded = [replace(row, text=None if number == 5 else "a word") for number, row in enumerate(rows)]
    assert len(prepared(worded, tmp_path, max_lost=0.1)) == 11
    assert reasons(tmp_path / "out" / "excluded.tsv") == {"empty_text": ["clips.csv:7"]}
    assert len(prepared(worded, tmp_path, modalities=["audio"])) == 12
    assert not (tmp_path / "out" / "text").exists()
    few = [replace(row, text="a word" if number == 5 else None) for number, row in enumerate(rows)]
    manifest = prepared(few, tmp_path)
    assert "only 1 of 12 rows have text, which is not used therefore" in manifest.corpus["warnings"]


def test_a_folder_of_something_else_is_not_written_to(rows, tmp_path):
    (tmp_path / "out" / "sound").mkdir(parents=True)
    with pytest.raises(MertkError, match="holds sound, which would be replaced"):
        prepared(rows, tmp_path)


def test_no_rows_no_labels_and_unknown_choices_are_refused(rows, tmp_path):
    with pytest.raises(MertkError, match="no rows"):
        prepared([], tmp_path)
    with pytest.raises(MertkError, match="no row has a label"):
        prepared([replace(row, label=None) for row in rows], tmp_path)
    with pytest.raises(MertkError, match="task: got 'guess'"):
        prepared(rows, tmp_path, task="guess")
    with pytest.raises(MertkError, match="modalities: got smell"):
        prepared(rows, tmp_path, modalities=["smell"])
    assert not (tmp_path / "out").exists()
    assert "sound" not in OWN_FILES


@pytest.mark.parametrize(
    ("labels", "task", "classes"),
    [
        (["0,5", "-1.25", "2"], "regression", None),
        (["happy|sad", "sad", "-"], "multilabel", ["happy", "sad"]),
        (["2", "0.0", "1"], "classification", ["0", "1", "2"]),
    ],
)
def test_the_data_directory_knows_its_task(rows, tmp_path, labels, task, classes):
    manifest = prepared([replace(row, label=labels[n % 3]) for n, row in enumerate(rows)], tmp_path)
    assert validate_directory(tmp_path / "out") == []
    assert (manifest.task.name, manifest.classes) == (task, classes)
    assert len(list((tmp_path / "out" / "folds" / "speaker-clean").iterdir())) == 4


def test_parts_and_folds_of_the_table_are_used(rows, tmp_path):
    parts = [replace(row, part=("Train", "dev", "test", "train")[n // 3]) for n, row in enumerate(rows)]
    odd = OwnRow("clips.csv:50", write_wav(tmp_path / "odd.wav"), "sad", speaker="b", part="holdout")
    manifest = prepared([*parts, odd], tmp_path, max_lost=0.1)
    assert manifest.corpus["left_out"] == {"bad_part": 1}
    assert manifest.corpus["choices"][-1] == "the parts of the table: train 6, validation 3, test 3"
    prepared([replace(row, fold=str(n // 3)) for n, row in enumerate(rows)], tmp_path)
    assert read_fold(tmp_path / "out" / "folds" / "speaker-clean" / "1").test == ["clip_0", "clip_1", "clip_2"]
    assert not (tmp_path / "out" / "folds" / "official-clean").exists()
    with pytest.raises(MertkError, match="a column part and a column fold"):
        prepared([replace(row, fold="1") for row in parts], tmp_path)
