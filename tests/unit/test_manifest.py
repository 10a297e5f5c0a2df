"""mertk.data.manifest and the files below it: reading, writing, and what is said of faulty ones."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from mertk.atomic import building
from mertk.data.manifest import (
    load_manifest,
    read_ids,
    read_three_column_scp,
    write_ids,
    write_manifest,
    write_three_column_scp,
)
from mertk.errors import MertkError

COLUMNS = {
    "wav.scp": {"b": "/corpus/a folder/b.wav", "a": "/corpus/a.wav", "B": "/corpus/B.wav"},
    "utt2label": {"a": "sad", "b": "happy", "B": "sad"},
    "text": {"a": "well hello", "b": "", "B": "caf\u00e9"},
    "utt2dur": {"a": "1.5", "b": "2", "B": "0.25"},
    "video_segments": {"a": "0 1.5 left", "b": "2.5 3.0 right", "B": "1 2 whole"},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    write_manifest(directory, COLUMNS, ["happy", "sad"], {"corpus": "tiny", "miniature": True})
    return directory


def test_what_is_written_is_read_back_sorted_by_code_point(data: Path) -> None:
    manifest = load_manifest(data)
    assert manifest.ids == ["B", "a", "b"]
    assert len(manifest) == 3
    assert manifest.classes == ["happy", "sad"]
    assert manifest.corpus == {"corpus": "tiny", "miniature": True}
    for name, column in COLUMNS.items():
        assert dict(zip(manifest.ids, manifest.column(name), strict=True)) == column
    assert manifest.labels() == ["sad", "sad", "happy"]
    assert manifest.value("wav.scp", "b") == "/corpus/a folder/b.wav"
    assert (data / "text").read_bytes() == "B caf\u00e9\na well hello\nb\n".encode()
    assert manifest.has("text")
    assert not manifest.has("utt2spk")


def test_absent_column_and_unknown_utterance_are_named(data: Path) -> None:
    with pytest.raises(MertkError, match="data has no column utt2spk; make the manifest again"):
        load_manifest(data, need=("utt2spk",))
    with pytest.raises(MertkError, match="utterance c is not in .*data"):
        load_manifest(data).value("text", "c")


def test_subset_is_sorted_and_aligned(data: Path) -> None:
    part = load_manifest(data).subset(["b", "B"])
    assert part.ids == ["B", "b"]
    assert part.column("utt2dur") == ["0.25", "2"]
    assert part.subset(["b"]).labels() == ["happy"]
    assert part.value("text", "B") == "caf\u00e9"
    assert not part.has("utt2spk")
    with pytest.raises(MertkError, match="utterance a is not in"):
        part.value("text", "a")
    with pytest.raises(MertkError, match="1 of 2 utterances are not in .*first is c"):
        part.subset(["b", "c"])
    with pytest.raises(MertkError, match="utterance b is listed twice"):
        part.subset(["b", "b"])


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("utt2label", "B sad\nb happy\na sad\n", r"utt2label:3: a: not sorted: it comes after b"),
        ("utt2label", "B sad\na sad\na sad\nb happy\n", r"utt2label:3: a: the utterance was already on line 2"),
        ("utt2label", "B sad\na fru\nb happy\n", r"utt2label:2: a: label 'fru' is not in classes.txt \(happy, sad\)"),
        ("utt2label", "B sad\na\nb happy\n", r"utt2label:2: a: no value"),
        ("utt2label", "B sad\n\nb happy\n", r"utt2label:2: expected `utterance value`"),
        ("utt2label", "B sad\na\tsad\nb happy\n", r"utt2label:2: expected `utterance value`"),
        ("utt2label", "B sad\r\na sad\r\nb happy\r\n", r"utt2label:1: B: value 'sad\\r'"),
        ("utt2label", "B sad\r\na sad\r\nb happy\r\n", r"utt2label:1: B: .*save the file with line ends of Unix"),
        ("text", "B\r\na x\r\nb y\r\n", r"text:1: expected `utterance value` .*line ends of Unix"),
        (
            "utt2label",
            "\ufeffB sad\na sad\nb happy\n",
            r"utt2label:1: the file begins with a byte order mark.*BOM\)\. M",
        ),
        ("text", "\ufeffB x\n", r"text:1: the file begins with a byte order mark"),
        ("utt2label", "B sad\n\ufeffa sad\nb happy\n", r"utt2label:2: the name of .* invisible character, U\+FEFF"),
        ("utt2spk", "B x\na\u200b x\nb y\n", r"utt2spk:2: the name of the utterance holds an invisible .* U\+200B"),
        ("utt2label", "B sad\na sad\n".encode("utf-16"), r"utt2label:1: the file is UTF-16 .*save it as UTF-8"),
        ("utt2label", "B sad\na sad\n".encode("utf-16-be"), r"utt2label:1: a zero byte; the file is UTF-16, or no"),
        ("utt2label", "B sad\na Sad\nb happy\n", r"utt2label:2: a: label 'Sad' is not in .*; it is sad in another sp"),
        ("classes.txt", "happy\r\nsad\r\n", r"classes.txt:1: expected one class name .*line ends of Unix"),
        ("utt2label", "B  sad\na sad\nb happy\n", r"utt2label:1: B: value ' sad' has blanks"),
        ("utt2label", "", r"utt2label: the file holds no utterance"),
        ("utt2label", "B sad\na \xff\n".encode("latin-1"), r"utt2label:2: byte 0xff is not UTF-8"),
        ("utt2label", "B sad\na\u3000x sad\nb happy\n", r"utt2label:2: expected `utterance value`"),
        ("wav.scp", "B /x\na\nb /y\n", r"wav.scp:2: a: no value"),
        ("wav.scp", "B /x\na /z\n", r"wav.scp: b: missing here, though other files of the directory have it"),
        ("utt2dur", "B 1\na 2\nb 3\nc 4\n", r"utt2dur:4: c: not in the other files"),
        ("utt2dur", "B 1\na nan\nb 3\n", r"utt2dur:2: a: expected a duration above 0 seconds, got 'nan'"),
        ("utt2dur", "B 1\na 0\nb 3\n", r"utt2dur:2: a: expected a duration above 0 seconds, got '0'"),
        ("utt2dur", "B 1\na inf\nb long\n", r"utt2dur:2: a: .*got 'inf' \(1 more like it"),
        (
            "video_segments",
            "B 0 1 left\na 2 1 left\nb 0 1 left\n",
            r"video_segments:2: a: end 1 s is not after start 2",
        ),
        ("video_segments", "B 0 1 left\na 0 1 top\nb 0 1 left\n", r"video_segments:2: a: half 'top' is none of left"),
        ("video_segments", "B 0 1 left\na 0 left\nb 0 1 left\n", r"video_segments:2: a: expected `start_seconds"),
        ("utt2video", "B v1\na v 2\nb v1\n", r"utt2video:2: a: expected one name without blanks, got 'v 2'"),
        (
            "utt2label_audio",
            "B 1\na loud\nb 0\n",
            r"utt2label_audio:2: a: expected an intensity as a number, got 'loud'",
        ),
        ("utt2label_text", "B 1\na nan\nb 0\n", r"utt2label_text:2: a: expected an intensity as a number, got 'nan'"),
        ("utt2label_video", "B 1\na\nb 0\n", r"utt2label_video:2: a: no value"),
        ("classes.txt", "happy\nhappy\n", r"classes.txt:2: class happy is already on line 1"),
        ("classes.txt", "", r"classes.txt: no class"),
        ("corpus.json", "{", r"corpus.json:1: not valid JSON"),
        ("corpus.json", "[]", r"corpus.json: expected an object, got a list"),
    ],
)
def test_faults_name_file_line_and_utterance(data: Path, name: str, content: str | bytes, pattern: str) -> None:
    (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MertkError) as error:
        load_manifest(data, need=("utt2label", "wav.scp")).column(name)
    assert re.search(f"{re.escape(str(data))}/{pattern}", str(error.value)), str(error.value)


def test_labels_without_classes_are_numbers(tmp_path: Path) -> None:
    write_manifest(tmp_path / "data", {"utt2label": {"a": "-1.5", "b": "3"}}, None, {})
    assert load_manifest(tmp_path / "data", need=("utt2label",)).classes is None
    with pytest.raises(MertkError, match=r"utt2label: a: label 'sad' is neither a number nor is there a classes.txt"):
        write_manifest(tmp_path / "other", {"utt2label": {"a": "sad"}}, None, {})
    with pytest.raises(MertkError, match=r"utt2label: a: got 1.5 \(float\), expected text; write it as str"):
        write_manifest(tmp_path / "other", {"utt2label": {"a": 1.5}}, None, {})


@pytest.mark.parametrize(
    ("columns", "pattern"),
    [
        ({"utt2sex": {"a": "m"}}, r"utt2sex: not a column of a data directory; expected one of wav.scp"),
        ({"utt2label": {"a": "sad"}, "text": {"b": "x"}}, r"text:1: b: not in the other files"),
        ({"utt2label": {"a": "sad", "b": "sad"}, "text": {"b": "x"}}, r"text: a: missing here"),
        ({"utt2label": {"a b": "sad"}}, r"utterance 'a b' is empty or holds blanks"),
        ({"text": {"a": "two\nlines"}}, r"text: a: value 'two\\nlines' has blanks or control"),
        ({"utt2label": {}}, r"no utterance is left to write"),
    ],
)
def test_unsound_columns_are_refused_and_nothing_is_written(tmp_path: Path, columns: dict, pattern: str) -> None:
    with pytest.raises(MertkError, match=pattern):
        write_manifest(tmp_path / "data", columns, ["happy", "sad"], {})
    assert list(tmp_path.iterdir()) == []


def test_path_that_is_no_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(MertkError, match=r"nowhere does not exist; expected a data directory"):
        load_manifest(tmp_path / "nowhere")
    with pytest.raises(MertkError, match=r"has none of the files of a data directory"):
        load_manifest(tmp_path)


def test_three_column_scp_is_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "train.scp"
    path.write_text("Ses03F_impro01_F002 /my corpus/F002.wav neu\n\nSes03F_impro01_F001\t/x/F001.wav\thap\n")
    manifest = load_manifest(path)
    assert manifest.ids == ["Ses03F_impro01_F001", "Ses03F_impro01_F002"]
    assert manifest.column("wav.scp") == ["/x/F001.wav", "/my corpus/F002.wav"]
    assert manifest.labels() == ["hap", "neu"]
    assert manifest.classes is None
    with pytest.raises(MertkError, match=r"train.scp has no column utt2dur"):
        manifest.column("utt2dur")
    (tmp_path / "classes.txt").write_text("neu\nhap\n")
    assert load_manifest(path).classes == ["neu", "hap"]
    (tmp_path / "classes.txt").write_text("neu\nsad\n")
    with pytest.raises(MertkError, match=r"Ses03F_impro01_F001: label 'hap' is not in .*classes.txt \(neu, sad\)"):
        load_manifest(path)


def test_three_column_scp_round_trip(tmp_path: Path) -> None:
    rows = [("b", "/a folder/b.wav", "sad"), ("a", "/a.wav", "happy")]
    write_three_column_scp(tmp_path / "x.scp", rows)
    assert read_three_column_scp(tmp_path / "x.scp") == sorted(rows)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a /a.wav sad\nb /b.wav\n", r"x.scp:2: expected three columns `utterance path label`, got 'b /b.wav'"),
        ("a /a.wav sad\n\na /b.wav sad\n", r"x.scp:3: a: the utterance was already on line 1"),
        ("\n", r"x.scp: no utterance"),
        ("a /a.wav sad\rb /b.wav sad\r", r"x.scp:1: a: the path holds a line end \(CR\), or the lines end in CR alone"),
    ],
)
def test_faulty_three_column_scp_names_the_line(tmp_path: Path, text: str, pattern: str) -> None:
    (tmp_path / "x.scp").write_text(text, newline="")
    with pytest.raises(MertkError, match=pattern):
        read_three_column_scp(tmp_path / "x.scp")


@pytest.mark.parametrize(
    "rows", [[("a b", "/a", "sad")], [("a", "", "sad")], [("a", "/a", "")], [("a", "/a", "x"), ("a", "/b", "x")]]
)
def test_rows_that_could_not_be_read_back_are_refused(tmp_path: Path, rows: list) -> None:
    with pytest.raises(MertkError, match=r"x.scp: 'a|x.scp: a"):
        write_three_column_scp(tmp_path / "x.scp", rows)
    assert list(tmp_path.iterdir()) == []


def test_lists_of_utterances(tmp_path: Path) -> None:
    write_ids(tmp_path / "train.ids", ["b", "a"])
    assert read_ids(tmp_path / "train.ids") == ["a", "b"]
    (tmp_path / "train.ids").write_text("a\nb c\n")
    with pytest.raises(MertkError, match=r"train.ids:2: expected one utterance id, got 'b c'"):
        read_ids(tmp_path / "train.ids")
    (tmp_path / "train.ids").write_text("a\nb\na\n")
    with pytest.raises(MertkError, match=r"train.ids:3: a: already on line 1"):
        read_ids(tmp_path / "train.ids")
    with pytest.raises(MertkError, match=r"other.ids does not exist"):
        read_ids(tmp_path / "other.ids")


def test_directory_is_built_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "data"
    with pytest.raises(TypeError), building(target) as temporary:
        (temporary / "half").write_text(None)  # fails after the file was opened
    assert list(target.parent.iterdir()) == []
    (tmp_path / "deep" / ".data.building").mkdir()  # left by a run that was killed
    with building(target) as temporary:
        (temporary / "one").write_text("new")
        (temporary / "two").mkdir()
    with building(target, replaces=("two",)) as temporary:
        (temporary / "three").write_text("new")
    assert sorted(entry.name for entry in target.iterdir()) == ["one", "three"]
    assert [entry.name for entry in target.parent.iterdir()] == ["data"]
    with pytest.raises(MertkError, match="one is a file, expected a directory"), building(target / "one"):
        pass


def test_directory_may_lie_on_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    target = disk / "data"
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    (target / "kept").write_text("old")
    (tmp_path / "link").symlink_to(target)

    rename = Path.replace

    def rename_within_a_disk(source: Path, destination: Path) -> None:
        if len({path.parent.resolve().is_relative_to(disk) for path in (source, destination)}) == 2:
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))
        rename(source, destination)

    monkeypatch.setattr(Path, "replace", rename_within_a_disk)
    with pytest.raises(TypeError), building(tmp_path / "link") as temporary:
        (temporary / "kept").write_text(None)  # fails after the file was opened
    assert {entry.name: entry.read_text() for entry in target.iterdir()} == {"old": "old", "kept": "old"}
    (target / ".building" / "half").mkdir(parents=True)  # left by a run that was killed
    with building(tmp_path / "link", replaces=("old",)) as temporary:
        (temporary / "new").write_text("new")
    assert {entry.name: entry.read_text() for entry in target.iterdir()} == {"new": "new", "kept": "old"}
    assert (tmp_path / "link").is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["disk", "link"]
    target.rename(disk / "elsewhere")
    with pytest.raises(MertkError, match="link is a link to nothing"), building(tmp_path / "link"):
        pass


def test_full_disk_names_the_directory(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as error, building(tmp_path / "data"):
        raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_messages_show_little_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "utt2label").write_text("a sad\r" * 10_000, newline="")
    (tmp_path / "classes.txt").write_text("sad\n")
    with pytest.raises(MertkError, match="its lines end as on Windows") as error:
        load_manifest(tmp_path, need=("utt2label",))
    assert len(str(error.value)) < 600
