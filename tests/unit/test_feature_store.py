"""The feature directory: what is written is read, whole or not at all, whoever wrote it and whatever stopped it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from mertk.data.feature_store import (
    FeatureStore,
    FeatureWriter,
    finished_entries,
    merge_parts,
    prepare_directory,
    read_record,
)
from mertk.errors import MertkError
from tests.feature_directory import RECORD, fill, matrix


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_reads_back_what_several_parts_hold(tmp_path, dtype):
    record = replace(RECORD, dtype=dtype)
    fill(tmp_path, ["bb", "a"], 0, 2, record)
    fill(tmp_path, ["cccc"], 1, 2, record)
    assert merge_parts(tmp_path, ["cccc", "a", "bb"]).count == 3

    store = FeatureStore(tmp_path)
    assert store.ids == ["a", "bb", "cccc"]
    assert len(store) == 3 and "bb" in store and "x" not in store
    assert store.record == replace(record, count=3)
    for name in store.ids:
        read = store.read(name)
        assert read.dtype == dtype and read.ctypes.data % 64 == 0
        np.testing.assert_array_equal(read, matrix(name, 1 + len(name), dtype))
        assert store.num_frames(name) == 1 + len(name)
    np.testing.assert_array_equal(store.read("cccc", 1, 3), matrix("cccc", 5, dtype)[1:3])


def test_index_is_a_kaldi_scp_of_npy_records(tmp_path):
    fill(tmp_path, ["b", "a"])
    merge_parts(tmp_path, ["a", "b"])
    lines = (tmp_path / "features.scp").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["a", "b"]
    for line in lines:
        name, place = line.split()
        path, offset = place.rsplit(":", 1)
        with (tmp_path / path).open("rb") as file:
            file.seek(int(offset))
            np.testing.assert_array_equal(np.load(file), matrix(name, 2))
    assert (tmp_path / "utt2num_frames").read_text() == "a 2\nb 2\n"


def _sum_in_child(store, queue):
    queue.put(float(store.read("a").sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_store_works_in_another_process(tmp_path, method):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, ["a"])
    store = FeatureStore(tmp_path)
    total = float(store.read("a").sum())
    assert len(pickle.dumps(store)) < 2000
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_sum_in_child, args=(store, queue))
    child.start()
    assert queue.get(timeout=60) == total
    child.join()


def test_restart_skips_what_is_there_with_another_number_of_processes(tmp_path):
    fill(tmp_path, ["a"], 0, 2)
    fill(tmp_path, ["b"], 1, 2)
    with FeatureWriter(tmp_path, RECORD, 0, 1) as writer:
        assert writer.finished == {"a", "b"}
        with pytest.raises(MertkError, match="utterance a: .* already"):
            writer.write("a", matrix("a"))
        writer.write("c", matrix("c"))
    merge_parts(tmp_path, "abc")
    assert FeatureStore(tmp_path).ids == ["a", "b", "c"]


def test_same_utterance_from_another_source_is_made_again(tmp_path):
    with FeatureWriter(tmp_path, RECORD) as writer:
        writer.write("a", matrix("a", 2), source="old")
    with FeatureWriter(tmp_path, RECORD) as writer:
        writer.write("a", matrix("a", 3), source="new")
    for source, frames in [("old", 2), ("new", 3)]:
        merge_parts(tmp_path, ["a"], {"a": source})
        assert FeatureStore(tmp_path).num_frames("a") == frames
    with pytest.raises(MertkError, match="missing, the first is a"):
        merge_parts(tmp_path, ["a"], {"a": "newer"})


@pytest.mark.parametrize("cut", [1, 40, 190])
def test_torn_last_matrix_is_dropped(tmp_path, cut):
    fill(tmp_path, ["a", "b"])
    part = tmp_path / "part-00000-of-00001.bin"
    os.truncate(part, part.stat().st_size - cut)
    assert {name for name, _ in finished_entries(tmp_path)} == {"a"}
    fill(tmp_path, ["b"])
    merge_parts(tmp_path, "ab")
    np.testing.assert_array_equal(FeatureStore(tmp_path).read("b"), matrix("b", 2))


@pytest.mark.parametrize("cut", [1, 3, 10])
def test_torn_last_index_line_is_dropped(tmp_path, cut):
    fill(tmp_path, ["a", "b"])
    index = tmp_path / "part-00000-of-00001.index"
    os.truncate(index, index.stat().st_size - cut)
    assert {name for name, _ in finished_entries(tmp_path)} == {"a"}
    fill(tmp_path, ["b", "c"])
    merge_parts(tmp_path, "abc")
    for name in "abc":
        np.testing.assert_array_equal(FeatureStore(tmp_path).read(name), matrix(name, 2))


WRITE_FOREVER = """
import sys, numpy as np
from mertk.data import feature_writer
from mertk.data.feature_store import FeatureRecord, FeatureWriter
feature_writer.COMMIT_BYTES = 20000
record = FeatureRecord(**eval(sys.argv[2]))
with FeatureWriter(sys.argv[1], record) as writer:
    start = len(writer.finished)
    print("ready", flush=True)
    for number in range(start, 10**6):
        writer.write(f"u{number:06d}", np.full((50 + number % 7, 6), number, dtype="float32"))
"""


def test_killed_writer_leaves_only_complete_matrices(tmp_path):
    command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path), repr(RECORD.as_dict())]
    seen = 0
    for delay in (0.05, 0.11, 0.17):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
        names = sorted(name for name, _ in finished_entries(tmp_path))
        assert len(names) > seen
        seen = len(names)
    merge_parts(tmp_path, names)
    store = FeatureStore(tmp_path)
    assert names == [f"u{number:06d}" for number in range(len(names))]
    for number, name in enumerate(names):
        features = store.read(name)
        assert len(features) == 50 + number % 7 and (features == number).all()


class FullDisk:
    """A file on a disk that has room for `room` more bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self.file.write(data[: self.room])
        self.room -= count
        return count

    def __getattr__(self, name):
        return getattr(self.file, name)


def fill_disk(directory, victim, room):
    with FeatureWriter(directory, RECORD) as writer:
        setattr(writer, victim, FullDisk(getattr(writer, victim), room))
        for number in range(20):
            writer.write(f"b{number}", matrix("b"))


@pytest.mark.parametrize("victim", ["_data", "_index"])
@pytest.mark.parametrize("room", [0, 5, 130])
def test_full_disk_names_the_file_and_keeps_what_was_complete(tmp_path, victim, room):
    fill(tmp_path, ["a"])
    with pytest.raises(OSError, match="No space left") as caught:
        fill_disk(tmp_path, victim, room)
    assert caught.value.errno == errno.ENOSPC and "part-00000" in caught.value.filename
    names = sorted({name for name, _ in finished_entries(tmp_path)})
    assert "a" in names
    fill(tmp_path, ["c"])
    merge_parts(tmp_path, [*names, "c"])
    for name in names[1:]:
        np.testing.assert_array_equal(FeatureStore(tmp_path).read(name), matrix("b"))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((3, 5), np.float32), r"utterance u .*shape \(3, 5\), the record says \(T, 6\)"),
        (np.zeros(6, np.float32), "shape"),
        (np.zeros((0, 6), np.float32), "no frames"),
        (np.full((2, 6), np.nan, np.float32), "NaN or infinite"),
        (np.full((2, 6), np.inf, np.float32), "NaN or infinite"),
        (np.full((2, 6), 1e6, np.float32), "too large for float16; store them as float32"),
    ],
)
def test_refuses_bad_features(tmp_path, features, message):
    with FeatureWriter(tmp_path, replace(RECORD, dtype="float16")) as writer:
        with pytest.raises(MertkError, match=message):
            writer.write("u", features)
        assert writer.finished == set()


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\u2028"])
def test_refuses_names_that_would_break_the_index(tmp_path, name):
    with FeatureWriter(tmp_path, RECORD) as writer, pytest.raises(MertkError, match="no white space"):
        writer.write(name, matrix("a"))


def test_other_record_is_refused_with_the_difference_unless_overwritten(tmp_path):
    fill(tmp_path, ["a"])
    other = replace(RECORD, weights_fingerprint="xyz", options={"max_seconds": 4.0})
    with pytest.raises(MertkError) as caught:
        FeatureWriter(tmp_path, other)
    message = str(caught.value)
    assert "weights_fingerprint: 'xyz' here, 'abc' there" in message
    assert "options.max_seconds: 4.0 here, 6.0 there" in message
    assert "delete the old features" in message and "dimension" not in message

    prepare_directory(tmp_path, replace(RECORD, weights="moved/elsewhere"))  # same weights, another folder: the same
    prepare_directory(tmp_path, other, overwrite=True)
    assert finished_entries(tmp_path) == {} and read_record(tmp_path) == other
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_empty_directory_is_an_empty_store(tmp_path):
    fill(tmp_path, [])
    merge_parts(tmp_path, [])
    assert len(FeatureStore(tmp_path)) == 0


def test_index_loads_fast(tmp_path):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, "a")
    count = 200_000
    names = [f"Ses01F_impro01_F{number:07d}" for number in range(count)]
    (tmp_path / "features.scp").write_text(
        "".join(f"{name} part-00000-of-00001.bin:{n * 553088}\n" for n, name in enumerate(names))
    )
    (tmp_path / "utt2num_frames").write_text("".join(f"{name} 180\n" for name in names))
    (tmp_path / "utt2checksum").write_text("".join(f"{name} {n:016x}\n" for n, name in enumerate(names)))
    replace(RECORD, count=count).write(tmp_path)
    start = time.process_time()
    assert FeatureStore(tmp_path).num_frames(names[-1]) == 180
    assert time.process_time() - start < 1.5  # a million takes about 1.5 s; here a fifth, with room for a slow machine


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["features.scp", "record.json", "utt2num_frames"])
def test_features_of_others_are_not_replaced(tmp_path, name, overwrite):
    (tmp_path / name).write_text("u1 /kaldi/raw.ark:5\n")
    (tmp_path / "part-mine.bin").write_text("mine")
    with pytest.raises(MertkError, match=f"holds {name}, but no features that mertk made"):
        prepare_directory(tmp_path, RECORD, overwrite)
    assert (tmp_path / name).read_text() == "u1 /kaldi/raw.ark:5\n"


def test_only_parts_of_an_extraction_are_thrown_away(tmp_path):
    prepare_directory(tmp_path, RECORD)
    (tmp_path / "part-mine.bin").write_text("mine")
    (tmp_path / "part-00000-of-00001.bin").write_text("ours")
    prepare_directory(tmp_path, replace(RECORD, layer="other"), overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-mine.bin", "record.json"]


def test_features_have_a_folder_of_their_own(tmp_path):
    (tmp_path / "utt2label").write_text("u1 sad\n")
    with pytest.raises(MertkError, match="is a data directory .*give a folder of their own"):
        prepare_directory(tmp_path, RECORD)
