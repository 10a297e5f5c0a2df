"""Damaged copies of a file, as Hypothesis draws them: bytes, lines and words, and values of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

#: what is put in the place of a value of JSON, and what is put there as it is written
VALUES = (
    *(None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308),
    *("", " ", "x", "ü", "1", "../x", "\0", "\ud800", "${oc.env:HOME}", "${a", "NaN", "x" * 5000),
    *([], {}, [[]], [None], {"": None}, {"component": 5}),
)
RAW = (
    *("NaN", "-Infinity", "1e999", "9" * 5000, "1,", "[" * 100_000),
    *("[" * 3000 + "]" * 3000, '{"a":' * 60 + "1" + "}" * 60),
)
#: what is put in the place of a word of a text
WORDS = (
    *("", "-1", "0", "1_0", "+1", "1e5", "nan", "inf", "1e999", "9" * 30, "9" * 5000, "\u0665"),
    *("x", "-", "../x", "/dev/zero", "a b", "a:b:c", ":", "::", "\0", "\t", "\r", "\ufeff", "\u00a0", "\u2028"),
    *('"', "'", "{", "[", "${a", "&a [*a]", "<<: 1", "!!python/name:os.system"),
)
BYTES = (b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\n", b"\r\n", b" ", b"\t", b"{", b"]", b'"')


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with one to three faults."""
    for _ in range(draw(st.integers(1, 3))):
        kinds = [_edit_bytes, _edit_words] if _is_text(content) else [_edit_bytes]
        if _as_json(content) is not None:
            kinds += [_edit_json, _edit_json]
        content = draw(draw(st.sampled_from(kinds))(content))
    return content


@st.composite
def _edit_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    first, second = sorted(draw(st.lists(st.integers(0, len(content)), min_size=2, max_size=2)))
    kind = draw(st.sampled_from(("flip", "cut", "remove", "repeat", "insert", "turn round", "swap")))
    if kind == "flip" and first < len(content):
        return content[:first] + bytes([content[first] ^ 1 << draw(st.integers(0, 7))]) + content[first + 1 :]
    if kind == "cut":
        return content[:first]
    if kind == "remove":
        return content[:first] + content[second:]
    if kind == "repeat":
        return content[:second] + content[first:second] + content[second:]
    if kind == "turn round":
        return content[:first] + content[first:second][::-1] + content[second:]
    if kind == "swap":
        return content[second:] + content[first:second] + content[:first]
    return content[:first] + draw(st.sampled_from(BYTES) | st.binary(max_size=20)) + content[first:]


@st.composite
def _edit_words(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.decode("utf-8").split("\n")
    number = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.sampled_from(("word", "word", "word", "remove", "repeat", "exchange", "insert")))
    if kind == "remove":
        del lines[number]
    elif kind == "repeat":
        lines.insert(number, lines[number])
    elif kind == "exchange":
        other = draw(st.integers(0, len(lines) - 1))
        lines[number], lines[other] = lines[other], lines[number]
    elif kind == "insert":
        lines.insert(number, draw(st.sampled_from(WORDS)))
    else:
        blank = "\t" if "\t" in lines[number] else "," if lines[number].count(",") > 1 else " "
        words = lines[number].split(blank)
        words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(WORDS) | st.text(max_size=8))
        lines[number] = blank.join(words)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@st.composite
def _edit_json(draw: st.DrawFn, content: bytes) -> bytes:
    document = _as_json(content)
    places = list(_places(document))
    if not places:
        return json.dumps(draw(st.sampled_from(VALUES))).encode()
    container, key = draw(st.sampled_from(places))
    kind = draw(st.sampled_from(("replace", "replace", "raw", "remove", "wrap", "rename", "twice")))
    if kind == "replace":
        container[key] = draw(st.sampled_from(VALUES))
    elif kind == "wrap":
        container[key] = draw(st.sampled_from(([container[key]], {"x": container[key]}, str(container[key]))))
    elif kind == "remove":
        del container[key]
    elif kind == "rename" and isinstance(container, dict):
        container[draw(st.sampled_from(("", "x", f"{key}x", "\0", "component")))] = container.pop(key)
    else:  # what json does not write: a number without end, the same key again
        container[key] = "@raw@"
        raw = draw(st.sampled_from(RAW)) if kind == "raw" or isinstance(container, list) else f'1, "{key}": 2'
        return json.dumps(document).replace('"@raw@"', raw).encode()
    return json.dumps(document).encode()


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key of a document."""
    if not isinstance(document, (dict, list)):
        return
    for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
        yield document, key
        yield from _places(value)


def _as_json(content: bytes) -> Any:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, (dict, list)) else None


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
