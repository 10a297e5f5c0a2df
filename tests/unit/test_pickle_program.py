"""data_prep.pickle_program: a few bytes cannot ask for much memory or time, and what picklers write is read."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections import OrderedDict

import numpy as np
import pytest

from mertk.data_prep import pickle_program
from mertk.data_prep.safe_pickle import load_pickle
from mertk.errors import MertkError
from tests.unit.test_safe_pickle import DTYPE, EMPTY_ARRAY, FLOAT_TYPE, RECONSTRUCT, Call, named

START = b"\x80\x04"


def load(data: bytes):
    return load_pickle(io.BytesIO(data), "features.pkl")


def doubled(kind: bytes, depth: int = 16) -> bytes:
    """A program that puts containers on the stack, each of which holds the one before twice."""
    make = {"tuple": b"h%ch%c\x86\x94", "list": b"](h%ch%ce\x94", "frozenset": b"(h%ch%c\x91\x94"}[kind.decode()]
    return b"N\x94" + b"".join(make % (level, level) for level in range(depth))


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (b"Np2000000000\n.", "a memo of 2000000000 entries"),
        (START + b"Nr\xff\xff\xff\x7f.", "a memo of 2147483647 entries"),
        (START + doubled(b"tuple", 50) + b".", "texts or containers that are fetched"),
        (START + doubled(b"list", 50) + b".", "texts or containers that are fetched"),
        (START + doubled(b"list", 28) + b".", "texts or containers that are fetched"),
        (START + b"}" + doubled(b"tuple") + b"Ns.", "a tuple or a set as a key"),
        (START + b"}(" + doubled(b"tuple") + b"Nu.", "a tuple or a set as a key"),
        (START + b"(" + doubled(b"tuple") + b"Nd.", "a tuple or a set as a key"),
        (START + b"\x8f(" + doubled(b"tuple") + b"\x90.", "a tuple or a set as a key"),
        (START + doubled(b"frozenset") + b".", "a tuple or a set as a key"),
        (START + b"}N" + b"\x85" * 200_000 + b"Ns.", "a tuple or a set as a key"),  # hashing it ends the process
        (START + b"}N\x85NbNs.", "a tuple or a set as a key"),  # BUILD with no state leaves the tuple
        (START + b"]\x94h\x00a.", "or that hold themselves"),
        (START + b"}\x94(\x8c\x01ah\x00u.", "or that hold themselves"),
        (START + b"]" * 1000 + b"a" * 999 + b".", "containers more than 32 deep"),
        (START + b"]2a.", "put on the stack twice"),
        (START + b"\x8b" + struct.pack("<i", 10**4) + b"\x7f" * 10**4 + b".", "a whole number of 10000 bytes"),
        (b"L" + b"9" * 5000 + b"L\n.", "a whole number of 5002 characters"),
        (
            START + b"X@B\x0f\x00" + b"a" * 10**6 + b"\x94(" + b"h\x00" * 100 + b"l.",
            "texts or containers that are fetched",
        ),
        (pickle.dumps([np.zeros(10**5)] * 100), "texts or containers that are fetched"),
    ],
)
def test_what_would_take_memory_or_time_is_refused(program, told):
    with pytest.raises(MertkError, match=f"features.pkl is made to take too much memory or time: .*{told}"):
        load(program)


COPY_TEXT = named("_codecs", "encode") + b"\x94" + b"X@B\x0f\x00" + b"a" * 10**6 + b"\x8c\x06latin1\x86\x94"


@pytest.mark.parametrize(
    "program",
    [
        START + b"](" + COPY_TEXT + b"(" + b"h\x00h\x01R" * 100 + b"l.",  # its arguments are a tuple
        START
        + b"]"
        + named("_codecs", "encode")
        + b"\x94]("
        + b"N" * 10**6
        + b"e\x85\x94("
        + b"h\x00h\x01R" * 100
        + b"l.",
    ],
)
def test_what_is_made_again_and_again_is_counted_before_it_is_made(program):
    with pytest.raises(MertkError, match="texts or containers that are fetched from the memo again and again"):
        load(program)


@pytest.mark.parametrize("array", [np.empty(0, "S1"), np.empty((0, 0))])
def test_rows_of_nothing_are_counted(array):
    for protocol in range(5):
        assert load(pickle.dumps(array, protocol)).shape == array.shape
    program = EMPTY_ARRAY + b"(I1\n(I%d\nI0\nt" % 10**12 + FLOAT_TYPE + b"I00\nS''\ntb."
    with pytest.raises(MertkError, match="without a byte"):
        load(program)


def test_operations_are_counted(monkeypatch):
    monkeypatch.setattr(pickle_program, "MAX_OPERATIONS", 1000)
    assert len(load(pickle.dumps(list(range(900))))) == 900
    with pytest.raises(MertkError, match="more than 1000 operations.* turn lists of numbers into arrays"):
        load(pickle.dumps(list(range(1000))))


def test_an_array_of_objects_that_holds_itself_is_refused():
    array = np.empty(2, dtype=object)
    array[:] = array, 1
    with pytest.raises(MertkError, match="or that hold themselves"):
        load(pickle.dumps(array))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (START + b"\x8e" + struct.pack("<Q", 2**40) + b".", "BINBYTES8 of 1099511627776 bytes, the file has 12 in all"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b".", "BYTEARRAY8 of 8589934592 bytes"),
        (START + b"X\xff\xff\xff\xffabc.", "BINUNICODE of 4294967295 bytes"),
        (START + b"\x95" + struct.pack("<Q", 2**33) + b"N.", "a frame of 8589934592 bytes"),
        (START + b"Np-5\n.", "negative"),
        (START + b"Npx\n.", "invalid literal"),
        (b"g0\n.", "KeyError"),
        (START + b"(.", "STOP on an empty stack"),
        (START + b"h\x00" + b".", "KeyError"),
        (b"q\x00.", "IndexError"),
        (START + b"(0.", "STOP on an empty stack"),
        (b"\xfe.", "operation"),
    ],
)
def test_sizes_that_the_file_does_not_have_are_damage(program, told):
    with pytest.raises(MertkError, match=f"features.pkl is no pickle, or is damaged or cut short .*{told}"):
        load(program)


@pytest.mark.parametrize(
    "value",
    [
        Call(np.ndarray, nested(16)),
        Call(np.dtype, nested(16)),
        Call(OrderedDict, [[tuple(nested(16)), 1]]),
        Call(OrderedDict, [[1, 2, 3]]),
    ],
)
def test_messages_show_little_of_a_value(value):
    with pytest.raises(MertkError, match="asks for") as error:
        load(pickle.dumps(value, 2))
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "program",
    [
        RECONSTRUCT + b"(" + named("numpy", "ndarray") + doubled(b"tuple") + b"S'b'\ntR.",
        EMPTY_ARRAY + b"(I1\n" + doubled(b"tuple") + FLOAT_TYPE + b"I00\nS'AAAA'\ntb.",
        DTYPE + b"(S'f4'\nI0\nI1\ntR(I3\n" + doubled(b"tuple") + b"NNNI-1\nI-1\nI0\ntb.",
    ],
)
def test_states_that_hold_tuples_twice_over_are_refused_at_once(program):
    with pytest.raises(MertkError, match="asks for") as error:
        load(program)
    assert len(str(error.value)) < 500


def test_names_of_functions_cannot_write_on_the_terminal():
    with pytest.raises(MertkError, match=r"asks for os\\x1b\[2J\.system") as error:
        load(named("os\x1b[2J", "system") + b".")
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("protocol", range(6))
def test_what_is_shared_as_picklers_share_it_is_read(protocol):
    lengths, label, array = [1, 2, 3], "Neutral", np.arange(3.0)
    value = {
        "audio_lengths": lengths,
        "vision_lengths": lengths,
        "annotations": [label] * 1000,
        "labels": [array, array],
        "ordered": OrderedDict([("a", 1), (2, "b")]),
        "pairs": [("a", 1), ("a", 1)],
        "scalars": {np.str_("word"): np.float32(1)},
    }
    for data in (pickle.dumps(value, protocol), pickletools.optimize(pickle.dumps(value, protocol))):
        found = load(data)
        assert found["audio_lengths"] == found["vision_lengths"] == lengths
        assert found["annotations"] == [label] * 1000
        assert found["ordered"] == {"a": 1, 2: "b"}
        assert np.array_equal(found["labels"][1], array)
        assert found["scalars"] == {"word": 1}


def test_pairs_of_an_ordered_dictionary_of_python_2():
    assert load(named("collections", "OrderedDict") + b"((l(lS'a'\naI1\naatR.") == {"a": 1}
