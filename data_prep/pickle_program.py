"""Go through the operations of a pickle without carrying any out, and refuse what would take memory or time.

A few bytes can ask for gigabytes (a memo with a huge index, a text that is longer than the file), and containers that
hold one another twice over unfold to more than any machine can go through. Here the operations are counted, sizes are
held against the file, and the stack is followed far enough to know what becomes a key and how much is in a value.
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools

import numpy as np

#: operations of a pickle; the largest published feature file needs some 300,000
MAX_OPERATIONS = 4_000_000
#: containers within containers
MAX_DEPTH = 32
#: what is fetched again, or unfolds, may be this many times as large as the file, and `_SLACK_BYTES` more
_REPEATS, _SLACK_BYTES = 4, 16 * 2**20
#: bytes of a whole number; characters of one that is written out
_INTEGER_BYTES, _INTEGER_CHARACTERS = 8, 24
_LINE_BYTES = 2**20

_OPERATIONS = {ord(operation.code): operation for operation in pickletools.opcodes}
_SIZE_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_INTEGERS = {"INT", "LONG", "LONG1", "LONG4"}
#: operations that change the object below what they take off the stack, and how much that is
_CHANGES = {"APPEND": 1, "SETITEM": 2, "BUILD": 1, "APPENDS": 0, "SETITEMS": 0, "ADDITEMS": 0}
#: what becomes a key, of the values an operation takes
_KEYS = {
    "SETITEM": slice(0, 1),
    "SETITEMS": slice(0, None, 2),
    "DICT": slice(0, None, 2),
    "ADDITEMS": slice(None),
    "FROZENSET": slice(None),
}
#: what a place in a container takes
_PLACE_BYTES = 8


class OversizedError(Exception):
    """A pickle that would take too much memory or time; the message says what for."""


def check_program(file: io.BufferedIOBase) -> int:
    """Go through the pickle at the beginning of a file; returns its length in bytes.

    Args:
        file: open for reading and seeking; where it is left is undefined.

    Raises:
        OversizedError: a bound is exceeded.
        pickle.UnpicklingError: not a pickle, or cut short.
    """
    return _Program(file).follow()


class _Value:
    """Something on the stack: bytes of all texts and places in it, and whether it is a container that can be hashed."""

    __slots__ = ("is_hashed", "size")

    def __init__(self, size: int, is_hashed: bool = False) -> None:
        self.size, self.is_hashed = size, is_hashed


class _Program:
    """A pickle, and what its stack and its memo would hold."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self.file = file
        self.num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.stack: list[_Value] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Value] = {}
        self.fetched_bytes = 0

    def follow(self) -> int:
        read = self.file.read
        for _ in range(MAX_OPERATIONS):
            code = read(1)
            operation = _OPERATIONS.get(code[0]) if code else None
            if operation is None:
                raise pickle.UnpicklingError(f"operation {code!r}" if code else "no end")
            argument, size = self._argument(operation)
            self._apply(operation, argument, size)
            if operation.name == "STOP":
                return self.file.tell()
        raise OversizedError(f"more than {MAX_OPERATIONS} operations, one or two for each value outside of arrays")

    def _argument(self, operation: pickletools.OpcodeInfo) -> tuple[int, int]:
        """Number that stands behind an operation, and bytes of the text that does."""
        kind = operation.arg
        if kind is None:
            return 0, 0
        if kind.n >= 0:
            return int.from_bytes(self._read(kind.n), "little"), 0
        if kind.n == pickletools.UP_TO_NEWLINE:
            return self._line(operation, kind)
        size = int.from_bytes(self._read(_SIZE_BYTES[kind.n]), "little")
        if size > self.num_bytes - self.file.tell():
            raise pickle.UnpicklingError(f"{operation.name} of {size} bytes, the file has {self.num_bytes} in all")
        if operation.name in _INTEGERS and size > _INTEGER_BYTES:
            raise OversizedError(f"a whole number of {size} bytes")
        self.file.seek(size, os.SEEK_CUR)
        return 0, size

    def _line(self, operation: pickletools.OpcodeInfo, kind: pickletools.ArgumentDescriptor) -> tuple[int, int]:
        num_lines = 2 if kind is pickletools.stringnl_noescape_pair else 1
        size = 0
        for _ in range(num_lines):
            line = b""
            while not line.endswith(b"\n"):
                line = self.file.readline(_LINE_BYTES)
                size += len(line)
                if not line:
                    raise pickle.UnpicklingError(f"{operation.name} without an end of line")
        if operation.name in _INTEGERS and size > _INTEGER_CHARACTERS:
            raise OversizedError(f"a whole number of {size} characters")
        is_index = operation.name in _PUTS or operation.name in _GETS
        return (int(line) if is_index else 0), size

    def _read(self, size: int) -> bytes:
        found = self.file.read(size)
        if len(found) < size:
            raise pickle.UnpicklingError("the pickle ends within an operation")
        return found

    def _apply(self, operation: pickletools.OpcodeInfo, argument: int, size: int) -> None:
        name, stack = operation.name, self.stack
        if name in _PUTS:
            index = len(self.memo) if name == "MEMOIZE" else argument
            if index > MAX_OPERATIONS:
                raise OversizedError(f"a memo of {index} entries")
            self.memo[index] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[argument])
            # Whatever is made of it, an array or bytes of a text, is no larger than what is in it.
            self.fetched_bytes += stack[-1].size
            if self.fetched_bytes > _allowed_bytes(self.num_bytes):
                raise OversizedError("texts or containers that are fetched from the memo again and again")
        elif name == "DUP":
            raise OversizedError("a value that is put on the stack twice, which no program that writes pickles does")
        elif name == "FRAME" and argument > self.num_bytes - self.file.tell():
            raise pickle.UnpicklingError(f"a frame of {argument} bytes, the file has {self.num_bytes} in all")
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name == "POP" and self.marks and self.marks[-1] == len(stack):
            self.marks.pop()
        else:
            self._take_and_put(operation, size)

    def _take_and_put(self, operation: pickletools.OpcodeInfo, size: int) -> None:
        name, stack = operation.name, self.stack
        if pickletools.markobject in operation.stack_before:
            start = self.marks.pop()
        else:
            start = len(stack) - _CHANGES.get(name, len(operation.stack_before))
        if start - (name in _CHANGES) < (self.marks[-1] if self.marks else 0):
            raise pickle.UnpicklingError(f"{name} on an empty stack")
        taken = stack[start:]
        if name in _KEYS and any(value.is_hashed for value in taken[_KEYS[name]]):
            raise OversizedError("a tuple or a set as a key")
        del stack[start:]
        size += sum(value.size + _PLACE_BYTES for value in taken)
        if name in _CHANGES:
            stack[-1].size += size
            return
        for kind in operation.stack_after:
            stack.append(_Value(size, kind is pickletools.pytuple or kind is pickletools.pyfrozenset))


def _allowed_bytes(num_bytes: int) -> int:
    return _REPEATS * num_bytes + _SLACK_BYTES


def check_unfolded(value: object, num_bytes: int) -> None:
    """Refuse a value that is far larger, gone through as a tree, than the file of `num_bytes` that it came from.

    Raises:
        OversizedError: too deep, too many values, or too many bytes; containers that hold themselves are too deep.
    """
    count = size = 0
    levels = [iter((value,))]
    while levels:
        for item in levels[-1]:
            count += 1
            inside = None
            if isinstance(item, (str, bytes)):
                size += len(item)
            elif isinstance(item, dict):
                inside = iter(item.values())
            elif isinstance(item, (list, tuple, set, frozenset)):
                inside = iter(item)
            elif isinstance(item, np.ndarray):
                size += item.nbytes
                inside = iter(np.asarray(item).flat) if item.dtype.hasobject else None
            if count > MAX_OPERATIONS or size > _allowed_bytes(num_bytes):
                raise OversizedError("containers that hold others many times over")
            if inside is not None:
                levels.append(inside)
                break
        else:
            levels.pop()
        if len(levels) > MAX_DEPTH:
            raise OversizedError(f"containers more than {MAX_DEPTH} deep, or that hold themselves")
