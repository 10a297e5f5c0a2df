"""The feature directory: what is written is read, whole or not at all, whoever wrote it and whatever stopped it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from mertk.data.feature_store import (
    FeatureRecord,
    FeatureStore,
    FeatureWriter,
    finished_entries,
    merge_parts,
    prepare_directory,
    read_record,
)
from mertk.errors import MertkError

RECORD = FeatureRecord("video", "clip", "weights", "abc", "projected", 30.0, dimension=6, options={"max_seconds": 6.0})


def matrix(name: str, num_frames: int = 5, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(sum(map(ord, name))).standard_normal((num_frames, 6)).astype(dtype)


def fill(directory, names, part=0, num_parts=1, record=RECORD):
    with FeatureWriter(directory, record, part, num_parts) as writer:
        for name in names:
            writer.write(name, matrix(name, 1 + len(name), record.dtype))


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
    assert queue.get(timeout=30) == total
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


def test_reading_says_what_is_wrong(tmp_path):
    with pytest.raises(MertkError, match="record.json not found"):
        FeatureStore(tmp_path)
    fill(tmp_path, ["a", "b"])
    with pytest.raises(MertkError, match="run it again, it continues"):
        FeatureStore(tmp_path)
    with pytest.raises(MertkError, match="1 of 3 utterances are missing, the first is c"):
        merge_parts(tmp_path, "abc")
    merge_parts(tmp_path, "ab")
    with pytest.raises(MertkError, match="utterance c: no video features in .*features.scp"):
        FeatureStore(tmp_path).read("c")

    content = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(content | {"dimension": 7}))
    with pytest.raises(MertkError, match=r"utterance a.*expected a matrix of 2 x 7 float32 .* found 2 x 6 float32"):
        FeatureStore(tmp_path).read("a")
    (tmp_path / "record.json").write_text(json.dumps(content))

    for key, wrong in (("dimension", "many"), ("dimension", 0), ("dtype", "int8"), ("format", 3), ("rate_hz", "30")):
        (tmp_path / "record.json").write_text(json.dumps(content | {key: wrong}))
        with pytest.raises(MertkError, match=rf"record.json: {key}.* expected .* extract th.* again"):
            FeatureStore(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps(content))

    os.truncate(tmp_path / "part-00000-of-00001.bin", 200)
    with pytest.raises(MertkError, match=r"part-00000-of-00001.bin:192 \(utterance b\)"):
        FeatureStore(tmp_path).read("b")
    (tmp_path / "part-00000-of-00001.bin").write_bytes(b"x" * 400)
    with pytest.raises(MertkError, match="damaged"):
        FeatureStore(tmp_path).read("b")


def make_first_format(directory):
    """A directory as it was before there were checksums."""
    content = json.loads((directory / "record.json").read_text())
    (directory / "record.json").write_text(json.dumps(content | {"format": 1}))
    (directory / "utt2checksum").unlink(missing_ok=True)
    for index in directory.glob("*.index"):
        index.write_text("".join(f"{line.rpartition(' ')[0]}\n" for line in index.read_text().splitlines()))


@pytest.mark.parametrize("position", [0, 8, 60, 127, 128, 150, 128 + 2 * 6 * 4 - 1])
def test_any_other_byte_is_found_when_it_is_read(tmp_path, position):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, "a")
    with (tmp_path / "part-00000-of-00001.bin").open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(MertkError, match=r"part-00000-of-00001.bin:0 \(utterance a\): "):
        FeatureStore(tmp_path).read("a", 0, 1)
    with pytest.raises(MertkError, match=r"utterance a"):
        pickle.loads(pickle.dumps(FeatureStore(tmp_path))).read("a")


def test_matrix_of_another_utterance_is_found(tmp_path):
    fill(tmp_path, ["a", "b"])
    merge_parts(tmp_path, "ab")
    index = tmp_path / "features.scp"
    first, second = (line.split(":")[1] for line in index.read_text().splitlines())
    index.write_text(f"a part-00000-of-00001.bin:{second}\nb part-00000-of-00001.bin:{first}\n")
    with pytest.raises(MertkError, match=r"utterance a\): these are not the bytes that were written"):
        FeatureStore(tmp_path).read("a")


def test_matrix_that_an_index_gives_another_name_is_found(tmp_path):
    fill(tmp_path, ["a", "b"])
    index = tmp_path / "part-00000-of-00001.index"
    index.write_text(index.read_text().replace("a 0 ", "b 0 "))
    merge_parts(tmp_path, "b")
    with pytest.raises(MertkError, match=r"utterance b\): these are not the bytes that were written"):
        FeatureStore(tmp_path).read("b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("utt2checksum", None, "utt2checksum does not exist"),
        ("utt2checksum", "a 123\n", "expected two|16 hexadecimal digits"),
        ("utt2checksum", "a 00000000000000xy\n", "16 hexadecimal digits"),
        ("utt2checksum", "b 0000000000000000\n", "do not list the same utterances"),
        ("features.scp", "a part-00000-of-00001.bin:-64\n", "whole number from 0"),
        ("features.scp", "a part-00000-of-00001.bin:1_0\n", "whole number from 0"),
        ("features.scp", f"a part-00000-of-00001.bin:{10**30}\n", "more than 18 digits"),
        ("features.scp", f"a part-00000-of-00001.bin:{10**17}\n", "bytes expected, the file ends"),
        ("features.scp", "a ../../secret.bin:0\n", "no part of a feature directory"),
        ("features.scp", "a part-00000-of-00001.bin:0\nb part-00000-of-00001.bin:0\n", "record.json counts 1"),
        ("features.scp", "", "names 0 utterances, record.json counts 1"),
        ("utt2num_frames", "a 0\n", "0 frames"),
        ("utt2num_frames", "a -5\n", "whole number from 0"),
        ("utt2num_frames", f"a {10**17}\n", "bytes expected, the file ends"),
        ("utt2num_frames", "a \u0665\n", "whole number from 0"),
    ],
)
def test_index_that_contradicts_itself(tmp_path, name, content, message):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, "a")
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_text(content)
    with pytest.raises(MertkError, match=message):
        FeatureStore(tmp_path).read("a")


def test_directory_of_the_first_format_is_read_and_continued(tmp_path):
    fill(tmp_path, ["a"])
    make_first_format(tmp_path)
    fill(tmp_path, ["b"])
    record = merge_parts(tmp_path, "ab")
    assert (record.format, record.count, record.differences(RECORD)) == (1, 2, [])
    assert not (tmp_path / "utt2checksum").exists()
    store = FeatureStore(tmp_path)
    assert all(np.array_equal(store.read(name), matrix(name, 2)) for name in "ab")


def test_check_finite_finds_damage(tmp_path):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, "a")
    make_first_format(tmp_path)
    with (tmp_path / "part-00000-of-00001.bin").open("r+b") as file:
        file.seek(128)
        file.write(np.float32("nan").tobytes())
    store = FeatureStore(tmp_path)
    assert np.isnan(store.read("a")[0, 0])
    with pytest.raises(MertkError, match="utterance a.*NaN"):
        store.read("a", check_finite=True)


@pytest.mark.parametrize("line", ["a", "a part:x", "a part", "a part:1 2"])
def test_malformed_index_is_reported(tmp_path, line):
    fill(tmp_path, ["a"])
    merge_parts(tmp_path, "a")
    (tmp_path / "features.scp").write_text(line + "\n")
    with pytest.raises(MertkError, match=re.escape(str(tmp_path / "features.scp"))):
        FeatureStore(tmp_path).read("a")


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
