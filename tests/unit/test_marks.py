import os

from mertk.run import marks
from mertk.run.marks import dependencies, differences, fingerprint, read_mark, write_mark


def test_mark_is_read_as_written(tmp_path):
    (tmp_path / "in").write_text("a", encoding="utf-8")
    now = dependencies(["train", "--epochs", "3"], [tmp_path / "in", tmp_path / "not there"])
    write_mark(tmp_path / ".done" / "1", now)
    assert read_mark(tmp_path / ".done" / "1") == now
    assert now["inputs"][str(tmp_path / "not there")] == "absent"


def test_missing_or_damaged_mark_is_no_mark(tmp_path):
    assert read_mark(tmp_path / "none") is None
    (tmp_path / "damaged").write_text('{"options": ', encoding="utf-8")
    assert read_mark(tmp_path / "damaged") is None


def test_small_file_counts_by_content_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("a", encoding="utf-8")
    first = fingerprint(path)
    os.utime(path, (1, 1))
    assert fingerprint(path) == first
    path.write_text("b", encoding="utf-8")
    assert fingerprint(path) != first


def test_large_file_counts_by_size_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "CONTENT_BYTES", 2)
    path = tmp_path / "file"
    path.write_text("abc", encoding="utf-8")
    os.utime(path, (1, 1))
    first = fingerprint(path)
    os.utime(path, (2, 2))
    assert fingerprint(path) != first


def test_directory_counts_by_the_files_below(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "one").write_text("a", encoding="utf-8")
    first = fingerprint(folder)
    (folder / ".hidden").write_text("b", encoding="utf-8")
    assert fingerprint(folder) == first
    (folder / "deep" / "two").write_text("b", encoding="utf-8")
    second = fingerprint(folder)
    assert second != first
    (folder / "deep" / "one").write_text("longer", encoding="utf-8")
    assert fingerprint(folder) not in (first, second)


def test_differences_name_keys_of_either_side():
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}, "d": 4}) == ["b.c", "d"]
    assert differences({"a": 1}, {"a": 1}) == []


def test_directories_are_seen_through_links(tmp_path):
    corpus, disk = tmp_path / "corpus", tmp_path / "disk"
    (disk / "VIDEO").mkdir(parents=True)
    (disk / "VIDEO" / "1.mp4").write_text("a")
    (corpus / "Raw").mkdir(parents=True)
    (corpus / "Raw" / "VIDEO").symlink_to(disk / "VIDEO")
    first = fingerprint(corpus)
    assert first.startswith("1 files")
    (disk / "VIDEO" / "2.mp4").write_text("b")
    assert fingerprint(corpus).startswith("2 files")
    (disk / "VIDEO" / "again").symlink_to(disk)  # a circle
    (corpus / "Raw" / "nothing").symlink_to(disk / "nothing")
    (corpus / "Raw" / "itself").symlink_to(corpus / "Raw" / "itself")
    assert fingerprint(corpus).startswith("2 files")


def test_a_mark_that_is_none_is_not_believed(tmp_path):
    for content in ("[]", "3", "null", '{"options": 1}', '{"options": 1, "inputs": []}', "[" * 100_000):
        (tmp_path / "mark").write_text(content, encoding="utf-8")
        assert read_mark(tmp_path / "mark") is None
