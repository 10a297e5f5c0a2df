"""data_prep.meld: the real tables, and tables and clips in all the places and states in which they come."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mertk.data.folds import check_parts, read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest, validate_directory
from mertk.data_prep import corpora, meld
from mertk.data_prep.meld_clips import find_clips, part_of
from mertk.data_prep.meld_tables import CLASSES, mend_text
from mertk.data_prep.synthetic import meld as miniature
from mertk.errors import MertkError
from tests.raw_corpus import write_clip_file

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "meld"
HEADER = miniature.HEADER
SENTIMENTS = {"neutral": "neutral", "joy": "positive", "surprise": "positive"}


def row(
    dialogue: int, number: int, emotion: str, text: str = "well, yes", speaker: str = "Ada", **changes: str
) -> dict:
    values = (1, text, speaker, emotion, SENTIMENTS.get(emotion, "negative"), dialogue, number, 8, 21)
    return dict(zip(HEADER, (*values, "00:16:16,059", "00:16:17,059"), strict=True)) | changes


def make_rows() -> dict[str, list[dict]]:
    """Seven utterances of each part, an emotion each; all parts number theirs alike."""
    return {
        part: [row(number // 4, number % 4, emotion) for number, emotion in enumerate(CLASSES["emotion"])]
        for part in ("train", "dev", "test")
    }


def write_tables(folder: Path, rows: dict[str, list[dict]], encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, some in rows.items():
        with (folder / f"{part}_sent_emo.csv").open("w", encoding=encoding, newline="") as file:
            table = csv.DictWriter(file, HEADER)
            table.writeheader()
            table.writerows(some)
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip_file(path, seconds=1.0)
    return path


@pytest.fixture
def corpus(tmp_path: Path, clip: Path) -> Path:
    return write_corpus(tmp_path / "MELD.Raw", clip)


def write_corpus(root: Path, clip: Path) -> Path:
    """As the archives are unpacked: tables and folders of clips, each with what a Macintosh leaves."""
    write_tables(root, make_rows())
    for part, some in make_rows().items():
        folder = root / miniature.FOLDERS[part]
        folder.mkdir(parents=True)
        for one in some:
            shutil.copy(clip, folder / f"dia{one['Dialogue_ID']}_utt{one['Utterance_ID']}.mp4")
        (folder / "._dia0_utt0.mp4").write_bytes(b"Mac OS X")
    return root


def run(corpus: Path, *options: str) -> int:
    return meld.main(["--corpus", str(corpus), "--out", str(corpus.parent / "data"), *options])


def reasons(corpus: Path) -> dict[str, tuple[str, str]]:
    ledger = read_ledger(corpus.parent / "data" / "excluded.tsv")
    return {entry.utterance: (entry.reason, entry.detail) for entry in ledger if entry.reason != "hidden"}


@pytest.mark.corpus
@pytest.mark.skipif(not REAL.is_dir(), reason="no tables of MELD in ../shared/data/meld")
def test_the_real_tables(tmp_path: Path) -> None:
    manifest = meld.prepare(REAL, tmp_path / "data", text_only=True)
    assert validate_directory(tmp_path / "data") == []
    assert manifest.corpus["parts"] == {"train": 9989, "validation": 1109, "test": 2610}
    assert manifest.corpus["left_out"] == {} and len(manifest.corpus["warnings"]) == 1
    assert "are no interval in 4 utterances" in manifest.corpus["warnings"][0]
    fold = read_fold(tmp_path / "data/folds/official-clean/1")
    report = check_parts(manifest, fold)
    emotions = {"neutral": 1256, "joy": 402, "surprise": 281, "anger": 345, "sadness": 208, "disgust": 68, "fear": 50}
    assert report["classes"]["test"] == emotions and list(emotions) == manifest.classes
    assert report["classes"]["training"]["disgust"] == 271 and report["classes"]["validation"]["fear"] == 40
    parts = {"train": fold.train, "validation": fold.validation, "test": fold.test}
    for column, expected in (("utt2dialogue", [1038, 114, 280]), ("utt2spk", [260, 47, 100])):
        assert [len(set(manifest.subset(ids).column(column))) for ids in parts.values()] == expected
    shared = {pair: found["count"] for pair, found in manifest.corpus["shared"]["speakers"].items()}
    assert shared == {"training and validation": 33, "training and test": 69, "validation and test": 22}
    assert manifest.value("utt2spk", "train_dia0_utt1") == "The_Interviewer"
    assert manifest.value("text", "train_dia0_utt1") == "You must’ve had your hands full."
    sentiments = meld.prepare(REAL, tmp_path / "sentiment", labels="sentiment", text_only=True)
    assert Counter(sentiments.labels()) == {"neutral": 6436, "negative": 4184, "positive": 3088}


def test_parts_that_number_alike_are_apart_by_their_names(corpus: Path, capsys) -> None:
    assert run(corpus) == 0
    data = corpus.parent / "data"
    assert validate_directory(data) == []
    manifest = load_manifest(data)
    assert len(manifest) == 21 and manifest.classes == list(CLASSES["emotion"])
    for part in ("train", "dev", "test"):
        utterance = f"{part}_dia1_utt2"
        assert manifest.value("utt2label", utterance) == "fear"
        assert manifest.value("utt2dialogue", utterance) == f"{part}_dia1"
        assert manifest.value("video.scp", utterance) == str(corpus / miniature.FOLDERS[part] / "dia1_utt2.mp4")
        assert manifest.value("wav.scp", utterance) == str(data / "wav" / part / "dia1_utt2.wav")
        assert manifest.value("utt2video", utterance) == "s08e21"
    assert manifest.corpus["metrics"] == "weighted_f1" and manifest.corpus["labels"] == "emotion"
    fold = read_fold(data / "folds/official-clean/1")
    assert {name.partition("_")[0] for name in fold.test} == {"test"} and fold.info["may_share"] == ["speaker"]
    assert (data / "folds/official-clean-refit/1/train.ids").read_text().count("dev_") == 7
    told = capsys.readouterr()
    assert "7 / 7 / 7 utterances in train, dev and test, the published tables have 9989 / 1109 / 2610" in told.err
    assert "training and test share 1 speakers, such as Ada" in told.out
    assert "27 files seen, 24 taken, 3 left out (hidden 3)" in told.out


def test_a_broken_a_missing_and_a_foreign_clip_are_a_line_each(corpus: Path, clip: Path, capsys) -> None:
    (corpus / miniature.FOLDERS["test"] / "dia1_utt0.mp4").write_bytes(clip.read_bytes()[:200])
    (corpus / "dev/dev_splits_complete/dia1_utt1.mp4").unlink()
    test = corpus / miniature.FOLDERS["test"]
    (test / "dia0_utt1.mp4").rename(test / "final_videos_testdia0_utt1.mp4")
    for path in (test / "final_videos_testdia0_utt0.mp4", test / "dia77_utt7.mp4", corpus / "extra" / "dia0_utt0.mp4"):
        path.parent.mkdir(exist_ok=True)
        shutil.copy(clip, path)
    shutil.copy(clip, test / "trailer.mp4")
    assert run(corpus) == 1
    told = capsys.readouterr().err
    assert (
        "2 of 21 rows of the tables" in told and "(--max_lost)" in told and not (corpus.parent / "data/text").exists()
    )
    assert run(corpus, "--max_lost", "0.1") == 0
    found = reasons(corpus)
    names = ("final_videos_testdia0_utt0", "trailer", "dia77_utt7")
    left_out = [f"{miniature.FOLDERS['test']}/{name}.mp4" for name in names]
    assert found.keys() == {"test_dia1_utt0", "dev_dia1_utt1", "extra/dia0_utt0.mp4", *left_out}
    assert [found[name][0] for name in left_out] == ["duplicate", "bad_name", "no_row"]
    assert found["test_dia1_utt0"][0] == "unreadable_video" and "test_sent_emo.csv:6: " in found["test_dia1_utt0"][1]
    assert found["dev_dia1_utt1"][0] == "no_video"
    assert "no dia1_utt1.mp4 of the dev part" in found["dev_dia1_utt1"][1]
    assert found["extra/dia0_utt0.mp4"][0] == "no_part"
    manifest = load_manifest(corpus.parent / "data")
    assert manifest.value("video.scp", "test_dia0_utt1").endswith("final_videos_testdia0_utt1.mp4")
    assert len(manifest) == 19


def test_a_part_without_any_clip_is_told_before_sound_is_extracted(corpus: Path, capsys) -> None:
    clips = corpus / miniature.FOLDERS["dev"]
    clips.rename(corpus / "more clips")
    (corpus / "dev").rmdir()
    assert run(corpus, "--max_lost", "1") == 1
    told = capsys.readouterr().err
    assert f"{corpus}: no clip diaD_uttU.mp4 of the utterances of dev; 7 clips are in folders that name no part" in told
    assert f"such as {corpus}/more clips/dia0_utt0.mp4; expected them below folders called train, dev and test" in told
    assert not (corpus.parent / "data").exists()


def test_clips_of_another_length_are_told_and_left_out_where_that_is_asked_for(corpus: Path, capsys) -> None:
    write_clip_file(corpus / miniature.FOLDERS["test"] / "dia0_utt3.mp4", seconds=4.0)
    assert run(corpus) == 0
    assert (
        "1 clips are over 2 s longer or shorter than their rows say; the furthest off is test_dia0_utt3, 4.0 s where"
        in (capsys.readouterr().err)
    )
    assert run(corpus, "--max_seconds", "3", "--max_lost", "0.1") == 0
    reason, detail = reasons(corpus)["test_dia0_utt3"]
    assert reason == "too_long" and detail.endswith("lasts 4.0 s, over 3 s")


def test_apostrophes_and_names_are_mended(tmp_path: Path, capsys) -> None:
    rows = make_rows()
    rows["train"][0] |= {"Utterance": "he\x92s  lost\nit", "Speaker": "Richard\x92s  Date"}
    rows["train"][1] |= {"Utterance": "heâ€™s"}
    root = write_tables(tmp_path / "corpus", rows)
    # A whole table in Windows-1252, as a spreadsheet saves it.
    rows["dev"][0] |= {"Utterance": "he’s – well… “lost”"}
    write_tables(root, {"dev": rows["dev"]}, encoding="cp1252")
    manifest = meld.prepare(root, tmp_path / "data", text_only=True)
    assert manifest.value("text", "train_dia0_utt0") == "he’s lost it"
    assert manifest.value("utt2spk", "train_dia0_utt0") == "Richard’s_Date"
    assert manifest.value("text", "train_dia0_utt1") == "he’s"
    assert manifest.value("text", "dev_dia0_utt0") == "he’s – well… “lost”"
    assert any("mended, in 3 utterances" in warning for warning in manifest.corpus["warnings"])
    assert mend_text("A CAF\u00c9 \u00e2 la") == "A CAF\u00c9 \u00e2 la"
    assert mend_text("a\x81b\udc81c") == "a\x81bc"


def test_rows_that_cannot_be_used_go_to_the_ledger(tmp_path: Path) -> None:
    rows = make_rows()
    rows["dev"] += [
        row(2, 0, "joy", text=" "),
        row(2, 1, "bliss"),
        row(0, 0, "anger", text="again"),
        row(2, 2, "joy", Dialogue_ID="two"),
        row(2, 3, "joy", speaker=""),
        row(2, 4, "joy", StartTime="00:16:17,059", EndTime="00:16:16,059", Episode="²"),
    ]
    root = write_tables(tmp_path / "corpus", rows)
    assert run(root, "--text_only", "--max_lost", "0.2") == 0
    found = {name: reason for name, (reason, _) in reasons(root).items()}
    assert found == {
        "dev_dia2_utt0": "empty_text",
        "dev_dia2_utt1": "bad_label",
        "dev_dia0_utt0": "duplicate",
        "dev_diatwo_utt2": "bad_name",
        "dev_dia2_utt3": "no_speaker",
    }
    manifest = load_manifest(tmp_path / "data", need=("utt2label",))
    assert not manifest.has("utt2video") and not manifest.has("wav.scp")
    assert (
        "StartTime and EndTime are no interval in 1 utterances; the first is dev_dia2_utt4"
        in (manifest.corpus["warnings"][1])
    )


def test_tables_are_found_in_folders_and_must_be_three(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    for part, some in make_rows().items():
        write_tables(root / part, {part: some})
    (root / "train_sent_emo_dya.csv").write_text("of the dyadic release", encoding="utf-8")
    shutil.copy(root / "dev/dev_sent_emo.csv", root / "dev_sent_emo.csv")
    assert run(root, "--text_only", "--labels", "sentiment") == 0
    manifest = load_manifest(tmp_path / "data", need=("utt2label",))
    assert manifest.classes == ["negative", "neutral", "positive"] and len(manifest) == 21
    assert sorted(reason for reason, _ in reasons(root).values()) == ["duplicate", "other_file"]
    (root / "dev_sent_emo.csv").write_text("another", encoding="utf-8")
    with pytest.raises(MertkError, match="are both there and differ; keep one of them"):
        meld.prepare(root, tmp_path / "data", text_only=True)
    (root / "test/test_sent_emo.csv").unlink()
    (root / "dev_sent_emo.csv").unlink()
    with pytest.raises(MertkError, match=r"no test_sent_emo\.csv in it or in a folder below it; expected all three"):
        meld.prepare(root, tmp_path / "data", text_only=True)
    with pytest.raises(MertkError, match="no such folder; expected MELD"):
        meld.prepare(tmp_path / "none", tmp_path / "data")
    shutil.rmtree(root)
    write_tables(root, make_rows() | {"dev": []})
    with pytest.raises(MertkError, match=r"dev_sent_emo\.csv: a header and no row"):
        meld.prepare(root, tmp_path / "data", text_only=True)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("MELD.Raw/train/train_splits/dia0_utt0.mp4", "train"),
        ("test/dev_splits_complete/dia0_utt0.mp4", "dev"),
        ("VALIDATION/a/dia0_utt0.mp4", "dev"),
        ("output_repeated_splits_test/dia0_utt0.mp4", "test"),
        ("train/train_and_test/dia0_utt0.mp4", "train"),
        ("latest/dia0_utt0.mp4", None),
        ("dia0_utt0.mp4", None),
    ],
)
def test_the_nearest_folder_says_of_which_part_a_clip_is(path: str, part: str | None) -> None:
    assert part_of(Path(path)) == part


def test_the_doctor_knows_the_corpus(corpus: Path) -> None:
    assert corpora.check_corpus(corpus).told.endswith("3 tables and clips")
    shutil.rmtree(corpus / "train")
    for part in ("dev", "test"):
        shutil.rmtree(corpus / part)
    assert corpora.check_corpus(corpus, {"text": "tokens"}).status == "ok"
    assert corpora.check_corpus(corpus, name="meld").status == "FAIL"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("miniature") / "corpus"
    miniature.write_corpus(folder, seed=3, utterances=56)
    return folder


def test_the_miniature_has_the_corpus_own_layout(small: Path, tmp_path: Path) -> None:
    manifest = meld.prepare(small, tmp_path / "data", max_lost=0.02)
    assert validate_directory(tmp_path / "data") == []
    assert manifest.corpus["miniature"] and manifest.corpus["left_out"] == {"unreadable_video": 1}
    assert manifest.corpus["parts"] == {"train": 33, "validation": 8, "test": 14}
    assert set(manifest.column("utt2spk")) == {"Ada", "Bruno", "Cleo", "Dov", "Edda", "The_Waiter"}
    assert any("mended" in warning for warning in manifest.corpus["warnings"])
    assert not any("clips are over" in warning for warning in manifest.corpus["warnings"])
    assert (small / "models/bert/vocab.txt").is_file() and (small / "models/clip").is_dir()


def test_the_seed_decides_the_miniature(small: Path, tmp_path: Path) -> None:
    before = (small / ".files.json").stat().st_mtime_ns
    assert miniature.write_corpus(small, seed=3, utterances=56)["seed"] == 3
    assert (small / ".files.json").stat().st_mtime_ns == before
    again = tmp_path / "again"
    miniature.write_corpus(again, seed=3, utterances=56)
    for name in ("train_sent_emo.csv", "test/output_repeated_splits_test/dia0_utt0.mp4", ".files.json"):
        assert (again / name).read_bytes() == (small / name).read_bytes(), name
    assert json.loads((again / "MINIATURE.json").read_text())["corpus"] == "meld"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    for folder, count in ((tmp_path / "mine", 56), (tmp_path / "new", 20)):
        with pytest.raises(MertkError):
            miniature.write_corpus(folder, utterances=count)


def test_clips_are_found_by_name_alone(tmp_path: Path) -> None:
    from mertk.data.corpus_files import CorpusFiles

    paths = [tmp_path / "test" / name for name in ("DIA3_UTT4.MP4", "final_videos_testdia3_utt4.mp4", "dia3.mp4")]
    files = CorpusFiles(tmp_path)
    assert find_clips(paths, files) == {("test", 3, 4): paths[0]}
    assert files.with_reason("duplicate") == [paths[1]] and files.with_reason("bad_name") == [paths[2]]
