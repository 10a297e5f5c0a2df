import errno
import json
import os

import pytest

from mertk.atomic import replacing, write_text


def test_text_is_written_and_parents_are_made(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_text(path, "größer\n")
    assert path.read_text(encoding="utf-8") == "größer\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_full_disk_names_the_file(tmp_path):
    def write():
        with replacing(tmp_path / "file.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert caught.value.filename == str(tmp_path / "file.txt")


def test_bytes_of_a_name_that_are_no_utf8_come_back_from_json_and_where_they_are_wanted(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_text(tmp_path / "a.json", json.dumps({"name": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": name}
    write_text(tmp_path / "a.scp", name, errors="surrogateescape")
    assert (tmp_path / "a.scp").read_bytes() == b"caf\xe9"


def test_a_device_is_written_to_and_stays(tmp_path):
    link = tmp_path / "out"
    link.symlink_to("/dev/null")
    write_text(link, "text")
    assert link.is_symlink() and link.is_char_device()
    assert list(tmp_path.iterdir()) == [link]
