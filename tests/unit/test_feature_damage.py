"""What is wrong in a feature directory is found when it is read, and said."""

from __future__ import annotations

import json
import os
import pickle
import re

import numpy as np
import pytest

from mertk.data.feature_store import (
    FeatureStore,
    merge_parts,
)
from mertk.errors import MertkError
from tests.feature_directory import RECORD, fill, matrix


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
