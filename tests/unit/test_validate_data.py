"""mertk.bin.validate_data: every fault in one go, as file:line: utterance: message."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mertk.bin import validate_data
from mertk.data_prep import iemocap
from tests.unit.iemocap_tree import small_corpus, write_tree

FIRST = "Ses01F_impro01_F000"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    corpus = write_tree(tmp_path / "corpus", small_corpus())
    assert iemocap.main(["--corpus", str(corpus), "--out", str(tmp_path / "data")]) == 0
    return tmp_path / "data"


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = validate_data.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_sound_directory(data: Path, capsys: pytest.CaptureFixture) -> None:
    code, output = run(capsys, data)
    assert code == 0
    assert re.search(r"data: sound; 100 utterances, columns wav.scp .* utt2vad, 45 folds, features: none", output)


@pytest.mark.parametrize(
    ("name", "old", "new", "pattern"),
    [
        ("utt2label", f"{FIRST} neutral", f"{FIRST} fru", rf"utt2label:1: {FIRST}: label 'fru' is not in classes.txt"),
        ("utt2dur", f"{FIRST} 1.5000", f"{FIRST} inf", rf"utt2dur:1: {FIRST}: expected a duration"),
        ("utt2vad", "2.5 2.5 2.5", "2.5 2.5", rf"utt2vad:1: {FIRST}: expected `valence activation dominance`"),
        (
            "utt2spk",
            f"{FIRST} Ses01_F\n",
            "",
            rf"utt2spk: {FIRST}: the utterance is in utt2label \(line 1\) but not here",
        ),
        ("utt2spk", FIRST, "Ses01F_impro01_A000", r"utt2spk:1: Ses01F_impro01_A000: the utterance is not in utt2label"),
        ("video_segments", "left", "top", rf"video_segments:1: {FIRST}: half 'top'"),
        ("wav.scp", "F000.wav", "F999.wav", rf"wav.scp:1: {FIRST}: file .*F999.wav does not exist"),
        ("classes.txt", "sad", "neutral", r"classes.txt:4: class neutral is already on line 1"),
        ("folds/session-clean/2/train.ids", "Ses01F_impro01_F000", "Ses02F_impro01_F000", r"session-clean/2: .*Ses02"),
        (
            "folds/session-clean/2/test.ids",
            "Ses02F_impro01_F000",
            "Ses09F_impro01_F000",
            r"2: .*first is Ses09F_impro01",
        ),
        ("folds/speaker-clean/1/fold.json", "{", "", r"speaker-clean/1: .*fold.json:\d+: not valid JSON"),
    ],
)
def test_fault_is_named(data: Path, capsys: pytest.CaptureFixture, name: str, old: str, new: str, pattern: str) -> None:
    change(data / name, old, new)
    code, output = run(capsys, data)
    assert code == 1
    assert re.search(pattern, output), output


def test_all_faults_are_listed(data: Path, capsys: pytest.CaptureFixture) -> None:
    change(data / "utt2dur", "1.5000", "-1")
    change(data / "utt2dur", "1.5000", "soon")
    change(data / "utt2label", "neutral", "bored")
    (data / "utt2session").write_bytes(b"\xff\n")
    code, output = run(capsys, data)
    assert code == 1
    assert len([line for line in output.splitlines() if "utt2dur:" in line]) == 2
    assert "bored" in output
    assert "utt2session:1: byte 0xff is not UTF-8" in output


def test_files_need_not_exist_when_asked_so(data: Path, capsys: pytest.CaptureFixture) -> None:
    (data.parent / "corpus").rename(data.parent / "moved")
    code, output = run(capsys, data)
    assert code == 1
    assert output.count("does not exist") == 200
    assert run(capsys, data, "--no_files")[0] == 0


def test_what_is_no_data_directory(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, output = run(capsys, tmp_path / "nowhere")
    assert code == 1
    assert "error: " in output
    assert "nowhere is not a directory" in output
    assert "utt2label: the file is missing" in run(capsys, tmp_path)[1]


def write_features(data: Path, utterances: list[str]) -> Path:
    from mertk.data.feature_record import FeatureRecord
    from mertk.data.feature_writer import FeatureWriter, merge_parts

    folder = data / "features" / "video"
    record = FeatureRecord(
        modality="video", extractor="test", weights="none", weights_fingerprint="0", layer="last", rate_hz=30.0,
        dimension=3, miniature=True,
    )  # fmt: skip
    with FeatureWriter(folder, record) as writer:
        for utterance in utterances:
            writer.write(utterance, np.ones((4, 3), dtype=np.float32))
    merge_parts(folder, utterances)
    return folder


def test_features_are_checked(data: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write_features(data, [FIRST, "Ses01F_impro01_F001"])
    code, output = run(capsys, data)
    assert code == 0, output
    assert "features: video" in output
    part = next(folder.glob("part-*.bin"))
    content = bytearray(part.read_bytes())
    offset = int((folder / "features.scp").read_text().rpartition(":")[2]) + 128  # of the last matrix, past its header
    content[offset : offset + 4] = b"\x00\x00\xc0\x7f"  # NaN
    part.write_bytes(content)
    code, output = run(capsys, data)
    assert code == 1
    assert re.search(r"features.scp: Ses01F_impro01_F001: .*not the bytes that were written", output), output


def test_features_of_unknown_utterances(data: Path, capsys: pytest.CaptureFixture) -> None:
    write_features(data, [FIRST, "Ses09F_impro01_F001"])
    code, output = run(capsys, data)
    assert code == 1
    assert "Ses09F_impro01_F001: features of an utterance that utt2label does not have" in output


@pytest.fixture
def sentiment(tmp_path: Path) -> Path:
    from mertk.data.manifest import write_manifest

    labels = {"a": "-1", "b": "0.5", "c": "1"}
    columns = {name: dict(labels) for name in ("utt2label", "utt2label_audio", "utt2label_video", "utt2label_text")}
    write_manifest(
        tmp_path / "data", columns | {"utt2video": dict.fromkeys(labels, "v")}, None, {"corpus": "x", "metrics": "sims"}
    )
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("name", "old", "new", "pattern"),
    [
        ("utt2label", "b 0.5", "b 1.5", r"utt2label:2: b: label 1.5 is outside the scale of sims, -1 to 1"),
        ("utt2label_text", "a -1", "a -3", r"utt2label_text:1: a: label -3 is outside the scale of sims"),
        ("utt2label_audio", "b 0.5", "b nan", r"utt2label_audio:2: b: expected an intensity as a number"),
        ("utt2video", "b v", "b v w", r"utt2video:2: b: expected one name without blanks"),
        ("utt2label_video", "c 1\n", "", r"utt2label_video: c: the utterance is in utt2label \(line 3\) but not here"),
        ("corpus.json", '"sims"', '"simms"', r"corpus.json: metrics 'simms' are not known; expected one of mosi, sims"),
        ("corpus.json", "{", "", r"corpus.json:\d+: not valid JSON"),
    ],
)
def test_faults_of_intensities_are_named(
    sentiment: Path, capsys: pytest.CaptureFixture, name: str, old: str, new: str, pattern: str
) -> None:
    assert run(capsys, sentiment)[0] == 0
    change(sentiment / name, old, new)
    code, output = run(capsys, sentiment)
    assert code == 1
    assert re.search(pattern, output), output


def test_scale_is_that_of_the_corpus(sentiment: Path, capsys: pytest.CaptureFixture) -> None:
    change(sentiment / "corpus.json", '"sims"', '"mosi"')
    change(sentiment / "utt2label", "b 0.5", "b -2.8")
    assert run(capsys, sentiment)[0] == 0
    (sentiment / "corpus.json").write_text("{}")
    change(sentiment / "utt2label", "b -2.8", "b 40")
    assert run(capsys, sentiment)[0] == 0


@pytest.mark.parametrize("position", [10, 128, 150])
def test_a_changed_byte_of_features_is_found(data: Path, capsys: pytest.CaptureFixture, position: int) -> None:
    folder = write_features(data, [FIRST])
    assert run(capsys, data, "--deep")[0] == 0
    part = next(folder.glob("part-*.bin"))
    content = bytearray(part.read_bytes())
    content[position] ^= 1
    part.write_bytes(content)
    code, output = run(capsys, data, "--deep")
    assert code == 1 and re.search(rf"features.scp: {FIRST}: .*part-00000-of-00001.bin:0", output), output


def test_an_index_that_says_otherwise_is_found_by_looking_deep(data: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write_features(data, [FIRST])
    change(folder / "part-00000-of-00001.index", f"{FIRST} 0 ", f"{FIRST} 64 ")
    assert run(capsys, data)[0] == 0
    code, output = run(capsys, data, "--deep")
    assert code == 1 and f"features.scp: {FIRST}: the index of its part says otherwise" in output


def test_features_without_checksums_are_named_by_looking_deep(data: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write_features(data, [FIRST])
    change(folder / "record.json", '"format": 2', '"format": 1')
    (folder / "utt2checksum").unlink()
    code, output = run(capsys, data, "--deep")
    assert code == 0 and "video: made before features had checksums" in output


def test_a_damaged_corpus_file_is_one_of_the_faults(data: Path, capsys: pytest.CaptureFixture) -> None:
    (data / "corpus.json").write_text("{")
    change(data / "utt2dur", "1.5000", "-1")
    code, output = run(capsys, data)
    assert code == 1 and "corpus.json:1: not valid JSON" in output and "utt2dur:1:" in output
