"""data_prep.safe_pickle: arrays of any protocol are read, and nothing that a pickle asks for is run."""

from __future__ import annotations

import builtins
import io
import operator
import os
import pickle
import struct
import subprocess
from collections import OrderedDict

import numpy as np
import pytest

from mertk.data_prep.safe_pickle import load_pickle
from mertk.errors import MertkError

CONTENT = {
    "float": np.arange(6, dtype=np.float32).reshape(2, 3),
    "double": np.linspace(0, 1, 4),
    "half": np.ones(2, dtype=np.float16),
    "order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">i4"),
    "strings": np.array(["video$_$1", "电影"]),
    "bytes": np.array([b"a", b"bc"]),
    "objects": np.array(["text", None, 3], dtype=object),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "scalar": np.float64(0.25),
    "flag": np.bool_(True),
    "name": np.str_("word"),
    "number": np.array(3.0),
}


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self):
        return (self.function, self.arguments, self.state) if self.state else (self.function, self.arguments)


def load(data: bytes):
    return load_pickle(io.BytesIO(data), "features.pkl")


def named(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_of_every_protocol(protocol):
    plain = {"list": [1, 2.5, None, True], "tuple": ("a", b"bytes", b""), "ordered": OrderedDict(a=1), "set": {1}}
    if protocol < 4:
        del plain["set"]  # a call of builtins.set there
    found = load(pickle.dumps({**CONTENT, "plain": plain}, protocol))
    assert found.pop("plain") == plain
    for name, expected in CONTENT.items():
        value = np.asarray(found[name])
        assert value.dtype.newbyteorder("=") == np.asarray(expected).dtype.newbyteorder("="), name
        assert np.array_equal(value, expected), name
    assert type(np.asarray(found["float"])) is np.ndarray


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_names_of_numpy_1_and_2(module):
    array = np.arange(4, dtype=np.float32)
    for protocol in (2, 5):
        data = pickle.dumps(array, protocol)
        ours = b"numpy._core" if b"numpy._core" in data else b"numpy.core"
        if protocol == 5:  # the name is preceded by its length
            for kind in ("multiarray", "numeric"):
                old, new = ours + b"." + kind.encode(), f"{module}.{kind}".encode()
                data = data.replace(bytes([len(old)]) + old, bytes([len(new)]) + new)
            frame = data.index(b"\x95")  # whose length has changed with the name
            data = data[: frame + 1] + struct.pack("<Q", len(data) - frame - 9) + data[frame + 9 :]
        else:
            data = data.replace(ours, module.encode())
        assert module.encode() in data
        assert np.array_equal(load(data), array)


def test_large_arrays_take_the_memory_that_was_read():
    array = np.zeros((1000, 50), dtype=np.float32)
    found = load(pickle.dumps(array, 4))
    assert isinstance(found.base, bytes)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Call(os.system, "touch {mark}"), r"\w+\.system"),
        (Call(eval, "open('{mark}', 'w')"), "eval"),
        (Call(exec, "open('{mark}', 'w')"), "exec"),
        (Call(getattr, "x", "upper"), "getattr"),
        (Call(builtins.__import__, "os"), "__import__"),
        (Call(open, "{mark}", "w"), "open"),
        (Call(subprocess.Popen, "touch {mark}"), r"\w+\.Popen"),
        (Call(operator.methodcaller, "tofile", "{mark}"), "operator.methodcaller"),
        (Call(np.fromfile, "{mark}"), "numpy.*fromfile"),
        (Call(np.load, "{mark}"), "numpy.*load"),
        (Call(bytearray, 2**62), "bytearray"),
        (complex(1, 2), "complex"),
        (io.BytesIO, "_io.BytesIO"),
        (MertkError("x"), "mertk.errors.MertkError"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_named_and_not_run(tmp_path, value, name, protocol):
    mark = tmp_path / "mark"
    if isinstance(value, Call):
        value.arguments = tuple(
            one.replace("{mark}", str(mark)) if isinstance(one, str) else one for one in value.arguments
        )
    with pytest.raises(MertkError, match=rf"features.pkl asks for .*{name}.*nothing was run"):
        load(pickle.dumps({"train": [value]}, protocol))
    assert not mark.exists()


NDARRAY, DTYPE = named("numpy", "ndarray"), named("numpy", "dtype")
RECONSTRUCT = named("numpy.core.multiarray", "_reconstruct")
FLOAT_TYPE = DTYPE + b"(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
OBJECT_TYPE = DTYPE + b"(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb"
EMPTY_ARRAY = RECONSTRUCT + b"(" + NDARRAY + b"(I0\ntS'b'\ntR"


@pytest.mark.parametrize(
    "program",
    [
        NDARRAY + b"((I1000000000\nI1000000000\nttR.",  # a huge array made directly
        RECONSTRUCT + b"(" + named("collections", "OrderedDict") + b"(I0\ntS'b'\ntR.",
        RECONSTRUCT + b"(" + NDARRAY + b"(I-5\ntS'b'\ntR.",
        DTYPE + b"(S'V8'\nI0\nI1\ntR.",
        DTYPE + b"(S'f3'\nI0\nI1\ntR.",
        DTYPE + b"(S'M8'\nI0\nI1\ntR.",
        DTYPE + b"((lI0\nI1\ntR.",
        DTYPE + b"(S'f4'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\nt(dI8\nI8\nI0\ntb.",  # fields
        DTYPE + b"(S'U1'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI4\nI0\ntb.",  # strings of negative size
        OBJECT_TYPE[:-1] + b"b" + b"0" + EMPTY_ARRAY + b"(I1\n(I1\nt" + OBJECT_TYPE + b"I00\nS'AAAAAAAA'\ntb.",
        EMPTY_ARRAY + b"(I1\n(I1\nt" + OBJECT_TYPE + b"I00\n(ltb.",  # one object, none given
        EMPTY_ARRAY + b"(I1\n(I2\nt" + FLOAT_TYPE + b"I00\nS'AAAA'\ntb.",  # bytes for one of two numbers
        EMPTY_ARRAY + b"(I1\n(I-1\nt" + FLOAT_TYPE + b"I00\nS''\ntb.",
        EMPTY_ARRAY + b"(I1\n(I1\ntS'f4'\nI00\nS'AAAA'\ntb.",  # a type that is none
        EMPTY_ARRAY + b"}b.",
        named("numpy.core.multiarray", "scalar") + b"(" + OBJECT_TYPE + b"S'AAAAAAAA'\ntR.",
        named("numpy.core.multiarray", "scalar") + b"(" + FLOAT_TYPE + b"S'AAAAAAAA'\ntR.",
        named("numpy.core.numeric", "_frombuffer") + b"(S'AAAAAAAA'\n" + OBJECT_TYPE + b"(I1\ntS'C'\ntR.",
        named("numpy.core.numeric", "_frombuffer") + b"(S'AAAA'\n" + FLOAT_TYPE + b"(I2\ntS'C'\ntR.",
        named("_codecs", "encode") + b"(S'touch'\nS'rot13'\ntR.",
        named("_codecs", "encode") + b"(S'touch'\ntR.",
        named("numpy", "ndarray.tofile") + b".",
        named("numpy.core.multiarray", "fromfile") + b".",
        named("builtins", "bytes") + b"(I1000000\ntR.",
        b"Pmodule\n.",  # a persistent object
    ],
)
def test_odd_arguments_of_admitted_names_are_refused(program):
    with pytest.raises(MertkError, match="features.pkl asks for"):
        load(program)


@pytest.mark.parametrize("name", [NDARRAY, DTYPE, RECONSTRUCT, named("collections", "OrderedDict")])
@pytest.mark.parametrize("state", [b"(dS'__call__'\nI1\nsb.", b"(N(dS'__call__'\nI1\nstb."])
def test_admitted_names_cannot_be_changed(name, state):
    with pytest.raises(MertkError, match=r"features.pkl (is no pickle|asks for)"):
        load(name + state)
    assert np.array_equal(load(pickle.dumps(CONTENT["float"])), CONTENT["float"])


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 archive", b"hello", b"\x80\x04", pickle.dumps(CONTENT, 4)[:-30], pickle.dumps(CONTENT, 2)[:90]],
)
def test_what_is_no_pickle_or_cut_short_is_said_in_one_message(data):
    with pytest.raises(MertkError, match="features.pkl is no pickle, or is damaged or cut short"):
        load(data)


def test_every_truncation_is_found():
    data = pickle.dumps({"a": CONTENT["float"], "b": ["x"], "c": CONTENT["strings"]}, 4)
    for end in range(len(data)):
        with pytest.raises(MertkError, match=r"features\.pkl"):
            load(data[:end])
