"""What a user is told of a data directory that was made of a table of his own."""

from __future__ import annotations

from mertk.data.corpus_files import tell_counts, told_size
from mertk.data.data_directory import tell_warnings
from mertk.data.ledger import read_ledger
from mertk.data.manifest import Manifest
from mertk.data_prep.own.utterances import summarise
from mertk.screen import say

#: by column, what it says is there
_WORDS = {"wav.scp": "sound", "video.scp": "picture", "text": "text"}


def tell_prepared(manifest: Manifest) -> None:
    """Print what was left out and why, what was chosen, and the classes with their counts; warnings go to stderr."""
    corpus, out = manifest.corpus, manifest.source
    tell_warnings(corpus)
    there = [word for column, word in _WORDS.items() if manifest.has(column)]
    say(f"{out}: {told_size(corpus, 'utterances')}, with {', '.join(there)}")
    for choice in corpus["choices"]:
        say(f"  {choice}")
    for name, count in corpus["counts"].items():
        say(f"  {name}: {count}")
    tell_counts(corpus, out, "rows")
    left_out = summarise(read_ledger(out / "excluded.tsv"))
    if left_out:
        say(left_out)
