"""What stands in JSON and YAML files, which anybody may have written or damaged, read within limits as a kind.

A kind is an annotation (`dict[str, int]`), a dataclass or a TypedDict; msgspec compares, strictly: 1 is no text, true
is no number. Keys that a kind does not name are let through, for a later version may write more. Whatever is wrong is
a `MertkError` that names file and key; its last words, the `remedy`, say what to do.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, is_typeddict

import msgspec

import mertk
from mertk.errors import MertkError, first_line
from mertk.veiling import unveil, veil

Kind = TypeVar("Kind")

#: whole numbers from nought or from one, for kinds; a 64-bit number holds them
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]

#: more is none of the files that mertk writes; a list has one line an utterance
JSON_BYTES = 16 * 2**20
YAML_BYTES = 2**20
LIST_BYTES = 4 * 2**30
#: containers inside one another, values in all (an alias of YAML counts as what it stands for), digits of a number
DEPTH, VALUES, DIGITS = 48, 1_000_000, 40

_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

#: characters of a key's path that messages show
_PLACE = 200
_NAMES = {
    **{"object": "an object", "array": "a list", "str": "text", "bool": "true or false"},
    **{"int": "a whole number", "float": "a number"},
}


class AbsentError(MertkError):
    """There is no such file."""


def read_bytes(path: Path, most: int, remedy: str) -> bytes:
    """Content of a file.

    Raises:
        AbsentError: there is none.
        MertkError: it cannot be read, is no file (a pipe would be waited for), or is longer than `most` bytes.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MertkError(f"{path} is no file that can be read (a folder, a pipe or a device); {remedy}.")
        if status.st_size > most:
            raise MertkError(f"{path} has {status.st_size:,} bytes, expected at most {most:,}; {remedy}.")
        return path.read_bytes()
    except FileNotFoundError:
        raise AbsentError(f"{path} does not exist; {remedy}.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        if isinstance(error, MertkError):
            raise
        raise MertkError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); {remedy}.") from error


def read_text(path: Path, remedy: str, most: int = LIST_BYTES, errors: str = "strict") -> str:
    """Content of a UTF-8 file.

    Args:
        errors: `surrogateescape` where names of files may hold other bytes.

    Raises:
        AbsentError: there is none.
        MertkError: as `read_bytes`, or bytes that are not UTF-8 or no text (names the line).
    """
    content = read_bytes(path, most, remedy)
    odd = _encoding_problem(content)
    if odd:
        raise MertkError(f"{path}:{odd}")
    try:
        return content.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MertkError(
            f"{path}:{line}: byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8, or {remedy}."
        ) from None


def _encoding_problem(content: bytes) -> str | None:
    """Line number and words on bytes that are UTF-16 or no text; None of others, which may still not be UTF-8."""
    if content.startswith(_MARKS_OF_UTF_16):
        return '1: the file is UTF-16 ("Unicode" to Windows); save it as UTF-8.'
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return f"{line}: a zero byte; the file is UTF-16, or no text. Save it as UTF-8."
    return None


def read_json(path: Path, kind: type[Kind], remedy: str, has_nan: bool = False) -> Kind:
    """Content of a JSON file, as `kind`.

    Args:
        has_nan: let NaN and Infinity through, which JSON does not have and which Python writes all the same.

    Raises:
        AbsentError: there is none.
        MertkError: it cannot be read, is no JSON, or holds something else than `kind`.
    """
    return parse_json(read_text(path, remedy, JSON_BYTES), kind, str(path), remedy, has_nan)


def parse_json(text: str, kind: type[Kind], where: str, remedy: str, has_nan: bool = False) -> Kind:
    """`text` as `kind`; `where` is what messages call its source. Raises like `read_json`."""
    try:
        content = json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise MertkError(f"{where}:{error.lineno}: not valid JSON, damaged ({error.msg}); {remedy}.") from error
    except RecursionError:
        raise MertkError(f"{where}: not valid JSON, damaged (nested too deep); {remedy}.") from None
    except ValueError as error:
        raise MertkError(f"{where}: not valid JSON, damaged ({error}); {remedy}.") from error
    return convert(content, kind, where, remedy, has_nan)


def check_format(found: Any, known: int, where: Path | str, otherwise: str = "use the version that wrote it") -> None:
    """Refuse a file whose format this version does not know; those of earlier versions are read.

    Args:
        found: what stands in it under `format`; files of before there were any count as 1.
        known: the newest that is known.
        otherwise: what to do where mertk cannot be updated.

    Raises:
        MertkError: it is newer, or no number of a format.
    """
    if type(found) is not int or found < 1:
        raise MertkError(f"{where}: format {found!r:.40}, expected a number from 1 to {known}; restore it.")
    if found > known:
        raise MertkError(
            f"{where}: format {found}, expected at most {known}, the newest that mertk {mertk.__version__} knows: "
            f"a newer mertk wrote it. Update mertk (pip install --upgrade), or {otherwise}."
        )


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r:.80} stands twice")
    return found


def read_yaml(path: Path, kind: type[Kind], remedy: str, is_text: bool = False) -> Kind:
    """Content of a YAML file, as `kind`; an empty one is an empty mapping, and `${...}` in it is text.

    OmegaConf reads it: no tags, no key twice, and aliases that do not multiply.

    Args:
        is_text: leave every value as it is written; YAML takes 12:00:00 for a number in base 60.

    Raises:
        AbsentError: there is none.
        MertkError: it cannot be read, is no YAML, or holds something else than `kind`.
    """
    import io

    import yaml
    from omegaconf import OmegaConf

    text = read_text(path, remedy, YAML_BYTES)
    try:
        if is_text:
            content = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)) or {}
        else:
            content = unveil(OmegaConf.to_container(OmegaConf.load(io.StringIO(veil(text)))))
    except RecursionError:
        raise MertkError(f"{path}: not valid YAML (nested too deep); {remedy}.") from None
    except Exception as error:  # those of PyYAML and OmegaConf have no base in common
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        told = getattr(error, "problem", None) or first_line(error)
        raise MertkError(f"{place}: not valid YAML ({told}); {remedy}.") from error
    return convert(content, kind, str(path), remedy)


def convert(content: Any, kind: type[Kind], where: str, remedy: str, has_nan: bool = False) -> Kind:
    """Plain containers as `kind`.

    Raises:
        MertkError: something in them is of another kind, or no program could have meant it: see `_check_values`.
    """
    _check_values(content, where, remedy, has_nan)
    try:
        found = msgspec.convert(content, kind, strict=True)
    except msgspec.ValidationError as error:
        told, _, place = str(error).partition(" - at `$")
        # Of a mapping with any keys msgspec does not say which it is.
        place = place.rstrip("`").replace("[...]", ".*")
        raise MertkError(f"{_at(where, place)}: {_in_words(told)}; {remedy}.") from None
    # A TypedDict comes back with the keys alone that it names.
    return content if is_typeddict(kind) else found


def _in_words(told: str) -> str:

    def name_kinds(match: re.Match[str]) -> str:
        kinds = match[1].split(" | ")
        return " or ".join(_NAMES.get(kind, kind) for kind in kinds)

    told = re.sub("`([^`]*)`", name_kinds, told)
    told = told.replace("`", "").replace("Object missing required field", "lacks")
    return told[:1].lower() + told[1:]


def _at(where: str, place: str) -> str:
    return f"{where}: {place.lstrip('.')}" if place else where


def _check_values(content: Any, where: str, remedy: str, has_nan: bool) -> None:
    """Refuse containers too deep to be walked by recursion, texts that cannot be written, numbers without end."""
    waiting: list[tuple[str, Any, int]] = [("", content, 0)]
    count = 0
    while waiting:
        place, value, depth = waiting.pop()
        count += 1
        problem = None if has_nan and isinstance(value, float) else _problem(value)
        if isinstance(value, (dict, list)):
            if depth >= DEPTH:
                problem = f"more than {DEPTH} containers inside one another"
            elif count + len(waiting) + len(value) > VALUES:
                problem = f"more than {VALUES:,} values"
            else:
                waiting += [(f"{place}{name}"[:_PLACE], inner, depth + 1) for name, inner in _items(value)]
        if problem:
            raise MertkError(f"{_at(where, place)}: {problem}; {remedy}.")


def _items(value: dict[Any, Any] | list[Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((f".{name}"[:_PLACE], inner) for name, inner in value.items())
    return ((f"[{number}]", inner) for number, inner in enumerate(value))


def _problem(value: Any) -> str | None:
    """What is wrong with a value, or with the keys of a mapping."""
    if isinstance(value, str):
        if "\0" in value:
            return "a NUL in a text"
        return None if _can_be_written(value) else "half a character (a surrogate) in a text"
    if isinstance(value, int):
        return None if abs(value) < 10**DIGITS else f"a number of more than {DIGITS} digits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is no number"
    if isinstance(value, dict):
        return next(filter(None, (_problem(key) for key in value)), None)
    return None


def _can_be_written(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
