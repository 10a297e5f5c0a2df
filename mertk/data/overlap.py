"""How much of a test part was already there in training: its wording, and the scripts that are performed.

Actors may perform the same scripts in several sessions, so that test sentences occur in training, spoken by others.
Folds by session cannot avoid it without giving up the scripted half of a corpus; it is counted, so that a model that
reads or hears words can be judged by it. Which utterance performs which script only the corpus knows: whoever prepares
it says so when folds are made, and fold.json keeps the counts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: sentences shorter than this ("yes", "I know") recur without any script
LONG_SENTENCE_WORDS = 4

#: counts that cannot be made again without knowing the scripts
SCRIPT_COUNTS = ("test_scripted", "test_script_in_training", "scripts")

#: every fold asks for the same sentences again
_REMEMBERED = 2**19

_NOT_WORD = re.compile(r"[^\w\s]|_")


@functools.lru_cache(maxsize=_REMEMBERED)
def normalize(transcript: str) -> str:
    """Words of a transcript without case and punctuation.

    >>> normalize("Well --  I don't KNOW!")
    'well i dont know'
    """
    return " ".join(_NOT_WORD.sub("", transcript).lower().split())


def count_overlap(trained: Manifest, tested: Manifest, scripts: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Counts of test utterances whose script or wording is in training too.

    Args:
        trained, tested: manifests of the two parts.
        scripts: by utterance the script that it performs; improvised ones are not in it. None: nobody knows.

    Returns:
        Where scripts are known: `test_scripted`, those of them whose script training has
        (`test_script_in_training`), and these scripts' names (`scripts`). Where transcripts are known:
        `test_transcript_in_training`, and `test_long_transcript_in_training` for sentences of four words or more.
    """
    counts: dict[str, Any] = {}
    if scripts is not None:
        known = {scripts[utterance] for utterance in trained.ids if utterance in scripts}
        performed = [scripts[utterance] for utterance in tested.ids if utterance in scripts]
        counts["test_scripted"] = len(performed)
        counts["test_script_in_training"] = sum(script in known for script in performed)
        counts["scripts"] = sorted(known.intersection(performed))
    if tested.has("text"):
        sentences = set(map(normalize, trained.column("text"))) - {""}
        shared = [words for words in map(normalize, tested.column("text")) if words in sentences]
        counts["test_transcript_in_training"] = len(shared)
        counts["test_long_transcript_in_training"] = sum(len(words.split()) >= LONG_SENTENCE_WORDS for words in shared)
    return counts


def tell_overlap(counts: Mapping[str, Any]) -> list[str]:
    """The counts of `count_overlap` in words; nothing where nothing is shared.

    >>> tell_overlap({"test_transcript_in_training": 3, "test_long_transcript_in_training": 1})
    ['of the transcripts of the test part, training has 3 too, 1 of them of 4 words or more']
    """
    told = []
    if counts.get("test_transcript_in_training"):
        told.append(
            f"of the transcripts of the test part, training has {counts['test_transcript_in_training']} too, "
            f"{counts['test_long_transcript_in_training']} of them of {LONG_SENTENCE_WORDS} words or more"
        )
    if counts.get("test_script_in_training"):
        told.append(
            f"{counts['test_script_in_training']} of {counts['test_scripted']} scripted utterances of the test part "
            f"are of scripts that training has too: {', '.join(counts['scripts'])}"
        )
    return told
