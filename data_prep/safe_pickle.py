"""Read pickles that others made without running what they might hold.

A pickle is a program: it may import any function and call it. Here it can name the few functions that make numpy
arrays and plain containers, and even those are stand-ins that look at what they are handed. Types of arrays are built
from their kind and size alone, never from a state in the file, which could make numpy take bytes for pointers. Memory
and time are bounded before anything is made (`data_prep.pickle_program`).
"""

from __future__ import annotations

import io
import pickle
import reprlib
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mertk.data_prep.pickle_program import MAX_OPERATIONS, OversizedError, check_program, check_unfolded
from mertk.errors import MertkError

#: sizes in bytes of the kinds of numbers that arrays may hold; strings may have any
_SIZES = {"b": {1}, "i": {1, 2, 4, 8}, "u": {1, 2, 4, 8}, "f": {2, 4, 8}}
_ORDERS = {"<", ">", "=", "|"}
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
#: what a damaged or invented pickle makes the reading of it end in
_FAULTS = (
    pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError,
    ImportError, RecursionError, SystemError, AssertionError, BufferError,
)  # fmt: skip


class Refused(Exception):
    """What a pickle asked for and does not get."""


class Array(np.ndarray):
    """An array of a pickle; `numpy.asarray` gives the plain one without a copy."""

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not _ArrayType:
            raise Refused(f"numpy.ndarray with the state {shown(state)}")
        _, shape, kind, is_fortran, content = state
        dtype = kind.dtype()
        _check_shape(shape, dtype.itemsize)
        if dtype.hasobject:
            if type(content) is not list or len(content) != prod(shape):
                raise Refused("numpy.ndarray of objects without a list of them")
        elif type(content) not in (bytes, str) or len(content) != prod(shape) * dtype.itemsize:
            raise Refused(f"numpy.ndarray of shape {shown(shape)} without the bytes it needs")
        super().__setstate__((1, shape, dtype, bool(is_fortran), content))


class _ArrayType:
    """Stands for numpy.dtype: kind, size and byte order."""

    __slots__ = ("kind", "order", "size")

    def __init__(self, kind: str, size: int) -> None:
        self.kind, self.size, self.order = kind, size, "="

    def __setstate__(self, state: Any) -> None:
        sound = type(state) is tuple and len(state) >= 7 and type(state[1]) is str and state[1] in _ORDERS
        if not sound or state[2:5] != (None, None, None):
            raise Refused(f"numpy.dtype with the state {shown(state)}")
        self.order = state[1]
        if self.kind in "US":
            size = state[5]
            if type(size) is not int or not 0 <= size < 2**31 or (self.kind == "U" and size % 4):
                raise Refused(f"numpy.dtype of strings of {shown(size)} bytes")
            self.size = size

    def dtype(self) -> np.dtype:
        if self.kind == "O":
            return np.dtype(object)
        return np.dtype(f"{self.order}{self.kind}{self.size // 4 if self.kind == 'U' else self.size}")


class _StandIn:
    """A function that a pickle may call; without attributes, so that a pickle cannot change it."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        raise Refused(f"{self.__doc__} called with {shown(arguments)}")


class _ArrayClass(_StandIn):
    """numpy.ndarray"""

    __slots__ = ()


class _MakeType(_StandIn):
    """numpy.dtype"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> _ArrayType:
        name = arguments[0] if arguments else None
        kind, size = (name[:1], name[1:]) if type(name) is str else ("", "")
        size = "8" if kind == "O" and size in ("", "4") else size
        known = size.isdecimal() and (
            kind in "US" or (kind == "O" and size == "8") or int(size) in _SIZES.get(kind, ())
        )
        if not known or any(type(flag) not in (bool, int) for flag in arguments[1:]):
            return super().__call__(*arguments)
        return _ArrayType(kind, int(size) * (4 if kind == "U" else 1))


class _MakeArray(_StandIn):
    """numpy.core.multiarray._reconstruct"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Array:
        if len(arguments) != 3 or type(arguments[0]) is not _ArrayClass or arguments[1] != (0,):
            return super().__call__(*arguments)
        return np.ndarray.__new__(Array, (0,), np.int8)


class _MakeScalar(_StandIn):
    """numpy.core.multiarray.scalar"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        if len(arguments) != 2 or type(arguments[0]) is not _ArrayType or type(arguments[1]) not in (bytes, str):
            return super().__call__(*arguments)
        kind, content = arguments
        content = content.encode("latin1") if type(content) is str else content
        dtype = kind.dtype()
        if dtype.hasobject or len(content) != dtype.itemsize:
            return super().__call__(*arguments)
        return np.frombuffer(content, dtype)[0] if content else dtype.type()


class _FromBuffer(_StandIn):
    """numpy.core.numeric._frombuffer"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> np.ndarray:
        sound = (
            len(arguments) in (4, 5) and type(arguments[0]) in (bytes, bytearray) and arguments[3] in ("C", "F", "K")
        )
        if not sound or type(arguments[1]) is not _ArrayType or arguments[4:] not in ((), (None,)):
            return super().__call__(*arguments)
        content, kind, shape, order = arguments[:4]
        dtype = kind.dtype()
        _check_shape(shape, dtype.itemsize)
        if dtype.hasobject or len(content) != prod(shape) * dtype.itemsize:
            return super().__call__(*arguments)
        flat = np.frombuffer(content, dtype) if content else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if order == "F" else "C")


class _Encode(_StandIn):
    """_codecs.encode"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> bytes:
        if len(arguments) != 2 or type(arguments[0]) is not str or arguments[1] not in ("latin1", "latin-1"):
            return super().__call__(*arguments)
        return arguments[0].encode("latin1")


class _MakeOrdered(_StandIn):
    """collections.OrderedDict"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> dict[str, Any]:
        """A plain dictionary, which keeps its order as well; Python 2 hands over the pairs."""
        pairs = arguments[0] if len(arguments) == 1 else []
        sound = type(pairs) is list and all(type(pair) is list and len(pair) == 2 for pair in pairs)
        if len(arguments) > 1 or not sound or any(type(key) not in (str, bytes, int) for key, _ in pairs):
            return super().__call__(*arguments)
        return dict(pairs)


class _NoBytes(_StandIn):
    """bytes"""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> bytes:
        return super().__call__(*arguments) if arguments else b""


def _check_shape(shape: Any, item_bytes: int) -> None:
    if type(shape) is not tuple or len(shape) > 32 or any(type(size) is not int or size < 0 for size in shape):
        raise Refused(f"numpy.ndarray of shape {shown(shape)}")
    # Rows of nothing take no bytes, but each takes a turn.
    if not prod(shape) * item_bytes and prod(max(size, 1) for size in shape) > MAX_OPERATIONS:
        raise Refused(f"numpy.ndarray of shape {shown(shape)} without a byte")


class _BriefRepr(reprlib.Repr):
    """Looks at a few values of a container alone; one that holds another twice over has no end otherwise."""

    def repr_Array(self, array: Array, level: int) -> str:
        return f"<array of shape {tuple(array.shape)} and {array.dtype}>"


def shown(value: Any) -> str:
    """Some 80 characters of what a pickle held."""
    text = _BriefRepr().repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _word(text: str) -> str:
    """A name from a pickle, fit for a message."""
    return text.encode("unicode_escape").decode("ascii")[:80]


_NUMPY = {
    "ndarray": _ArrayClass(),
    "dtype": _MakeType(),
    "_reconstruct": _MakeArray(),
    "scalar": _MakeScalar(),
    "_frombuffer": _FromBuffer(),
}
#: how protocols 0 to 2 write bytes, and the one container that is a class of its own
_OTHERS = {
    ("_codecs", "encode"): _Encode(),
    ("__builtin__", "bytes"): _NoBytes(),
    ("builtins", "bytes"): _NoBytes(),
    ("collections", "OrderedDict"): _MakeOrdered(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) in _OTHERS:
            return _OTHERS[module, name]
        raise Refused(f"{_word(module)}.{_word(name)}")

    def persistent_load(self, identifier: Any) -> NoReturn:
        raise Refused(f"a persistent object {shown(identifier)}")


def load_pickle(file: io.BufferedIOBase, path: str | Path) -> Any:
    """Content of a pickle of numpy arrays and plain containers, of any protocol and of numpy 1 or 2.

    Each array is read once, into the memory that it keeps. Arrays are of class `Array`.

    Args:
        file: open for reading and seeking; with `readinto`, so that large arrays need no second copy. It is gone
            through twice, the second time from its beginning without a gap.
        path: what messages call it.

    Raises:
        MertkError: it asks for anything else (which is named, and not run), is no pickle, is cut short, does not fit
            into memory, or is made to take memory and time (see `data_prep.pickle_program`).
    """
    try:
        num_bytes = check_program(file)
        file.seek(0)
        content = _Unpickler(file, encoding="latin1").load()
        check_unfolded(content, num_bytes)
        return content
    except OversizedError as error:
        raise MertkError(
            f"{path} is made to take too much memory or time: {error}. Get the file from its publisher again and "
            "compare its checksum; if it is your own, turn lists of numbers into arrays and what is nested into lists."
        ) from None
    except Refused as refused:
        raise MertkError(
            f"{path} asks for {refused}. Only numpy arrays, strings, numbers and plain containers are read from "
            "pickles, since anything else could run code; nothing was run. Get the file from its publisher again and "
            "compare its checksum; if it is your own, turn what it holds into arrays, lists and dictionaries."
        ) from None
    except MemoryError:
        raise MertkError(
            f"{path} does not fit into memory, or is damaged and claims to be larger than it is; compare its checksum, "
            "close other programs, or use a larger machine."
        ) from None
    except _FAULTS as error:
        raise MertkError(
            f"{path} is no pickle, or is damaged or cut short ({type(error).__name__}: {error!s:.200}); copy or "
            "download it again and compare its size and checksum."
        ) from None
