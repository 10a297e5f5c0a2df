"""How much of a test part's wording was already there in training.

Actors of several sessions perform the same scripts, so that test sentences of scripted dialogues occur in training,
spoken by others. Folds by session cannot avoid it without giving up the scripted half of a corpus; it is counted, so
that a model that reads or hears words can be judged by it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: sentences shorter than this ("yes", "I know") recur without any script
LONG_SENTENCE_WORDS = 4

#: every fold asks for the same sentences again
_REMEMBERED = 2**19

_SCRIPT = re.compile(r"script[\d_]*")
_NOT_WORD = re.compile(r"[^\w\s]|_")


@functools.lru_cache(maxsize=_REMEMBERED)
def script_name(dialogue: str) -> str | None:
    """Which script a dialogue performs, None for improvised ones; a letter after it marks another take.

    >>> script_name("Ses05M_script01_1"), script_name("Ses05M_script01_1b"), script_name("Ses03M_impro01")
    ('script01_1', 'script01_1', None)
    """
    match = _SCRIPT.search(dialogue)
    return match.group() if match else None


@functools.lru_cache(maxsize=_REMEMBERED)
def normalize(transcript: str) -> str:
    """Words of a transcript without case and punctuation.

    >>> normalize("Well --  I don't KNOW!")
    'well i dont know'
    """
    return " ".join(_NOT_WORD.sub("", transcript).lower().split())


def scripted_overlap(manifest: Manifest, train: Iterable[str], test: Iterable[str]) -> dict[str, Any]:
    """Counts of test utterances whose script or wording is in training too.

    Returns:
        Where dialogues are known: `test_scripted`, those of them whose `script` training has
        (`test_script_in_training`), and the scripts' names (`scripts`). Where transcripts are known:
        `test_transcript_in_training`, and `test_long_transcript_in_training` for sentences of four words or more.
    """
    return overlap_of(manifest.subset(train), manifest.subset(test))


def overlap_of(trained: Manifest, tested: Manifest) -> dict[str, Any]:
    """As `scripted_overlap`, of the manifests of the two parts."""
    counts: dict[str, Any] = {}
    if tested.has("utt2dialogue"):
        known = set(map(script_name, set(trained.column("utt2dialogue")))) - {None}
        scripts = list(map(script_name, tested.column("utt2dialogue")))
        counts["test_scripted"] = sum(script is not None for script in scripts)
        counts["test_script_in_training"] = sum(script in known for script in scripts)
        counts["scripts"] = sorted(known.intersection(scripts))
    if tested.has("text"):
        sentences = set(map(normalize, trained.column("text"))) - {""}
        shared = [words for words in map(normalize, tested.column("text")) if words in sentences]
        counts["test_transcript_in_training"] = len(shared)
        counts["test_long_transcript_in_training"] = sum(len(words.split()) >= LONG_SENTENCE_WORDS for words in shared)
    return counts


def tell_overlap(counts: dict[str, Any]) -> list[str]:
    """The counts of `scripted_overlap` in words; nothing where nothing is shared.

    >>> tell_overlap({"test_transcript_in_training": 3, "test_long_transcript_in_training": 1})
    ['3 transcripts of the test part occur in training too, 1 of them of 4 words or more']
    """
    told = []
    if counts.get("test_transcript_in_training"):
        told.append(
            f"{counts['test_transcript_in_training']} transcripts of the test part occur in training too, "
            f"{counts['test_long_transcript_in_training']} of them of {LONG_SENTENCE_WORDS} words or more"
        )
    if counts.get("test_script_in_training"):
        told.append(
            f"{counts['test_script_in_training']} of {counts['test_scripted']} scripted utterances of the test part "
            f"are of scripts that training has too: {', '.join(counts['scripts'])}"
        )
    return told
