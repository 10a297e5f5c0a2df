import fcntl
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from mertk import caches
from mertk.checkup import folders
from mertk.features.librosa_features import LibrosaFeatures


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory that may only be read, and a folder for temporary files."""
    closed, temporary = tmp_path / "home", tmp_path / "temporary"
    temporary.mkdir()
    closed.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: closed not in [path, *path.parents] and real(path, mode))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(caches, "chosen", {})
    monkeypatch.setenv("HOME", str(closed))
    for name in (*caches.DEFAULTS, "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "")
    return closed


def test_a_home_that_can_be_written_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*caches.DEFAULTS, "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    caches.choose_caches()
    assert not set(caches.DEFAULTS) & set(os.environ)
    assert list(tmp_path.iterdir()) == []


def test_another_folder_is_chosen_where_home_cannot_be_written(home, tmp_path, monkeypatch):
    caches.choose_caches()
    own = tmp_path / f"temporary/mertk_{os.getuid()}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(own / "numba")
    assert os.environ["MPLCONFIGDIR"] == str(own / "matplotlib")
    assert caches.chosen["NUMBA_CACHE_DIR"] == (home / ".cache/numba", own / "numba")
    assert set(caches.chosen) == set(caches.DEFAULTS)
    monkeypatch.setattr(folders, "chosen", caches.chosen)
    (finding,) = folders.check_caches()
    assert finding.status == "warn" and f"cannot be written; {own} is used" in finding.told


def test_a_folder_that_was_named_is_kept_if_it_can_be_written(home, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("MPLCONFIGDIR", str(home / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    caches.choose_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "mine")
    assert os.environ["MPLCONFIGDIR"].endswith("mine") and "temporary" in os.environ["MPLCONFIGDIR"]
    assert "TORCH_EXTENSIONS_DIR" not in caches.chosen


def test_a_folder_that_others_may_write_to_is_not_trusted(home, tmp_path):
    other = tmp_path / f"temporary/mertk_{os.getuid()}"
    other.mkdir()
    other.chmod(0o777)
    assert caches.own_folder() != other
    other.rmdir()
    other.symlink_to(tmp_path)
    assert caches.own_folder() not in (other, tmp_path)


def test_without_room_for_temporary_files_nothing_is_chosen(home, monkeypatch):
    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    caches.choose_caches()
    assert caches.chosen == {}


def test_a_missing_home_is_borne(home, monkeypatch):
    def refuse(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", refuse)
    assert caches.cache_place("NUMBA_CACHE_DIR").is_absolute()


def test_two_processes_do_not_compile_into_one_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    package = tmp_path / "package"
    lock = package / "__pycache__" / caches.LOCK
    with caches.compiling_alone(package), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(tmp_path.iterdir()) == [package], "no folder for temporary files is made where none is needed"


def test_a_package_that_cannot_be_written_is_locked_in_the_users_folder(tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.write_text("no folder can be made below a file")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    with caches.compiling_alone(package):
        assert (tmp_path / "numba" / caches.LOCK).exists()


def test_librosa_is_compiled_by_one_process_at_a_time(monkeypatch):
    held = []
    monkeypatch.setattr(caches, "compiling_alone", lambda package: held.append(package.name) or nullcontext())
    LibrosaFeatures()
    assert held == ["librosa"]
