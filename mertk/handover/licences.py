"""Under which terms the corpora and encoders of recipes are had, as far as the recipes say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from mertk.content import read_yaml
from mertk.run.recipes import RECIPES

FILE = RECIPES / "common" / "licences.yaml"


class _Corpus(TypedDict):
    title: str
    licence: str


class _Licences(TypedDict):
    corpora: dict[str, _Corpus]
    encoders: dict[str, str]


@dataclass(frozen=True)
class CorpusTerms:
    """A corpus as people call it, and its licence; None where nobody noted it."""

    title: str
    licence: str | None


def terms_of_corpus(name: str, licence: str | None = None) -> CorpusTerms:
    """What is known of a corpus; `licence` is what the user says."""
    known = _read()["corpora"].get(name)
    return CorpusTerms(known["title"] if known else name, licence or (known["licence"] if known else None))


def licence_of_encoder(weights: str) -> str | None:
    """The licence of weights by what they are called, `owner/name[@revision]` or a folder; None where unknown."""
    name = weights.partition("@")[0]
    known = _read()["encoders"]
    return known.get(name) or next((terms for one, terms in known.items() if one.endswith(f"/{name}")), None)


def _read() -> _Licences:
    return read_yaml(FILE, _Licences, "restore the file, it belongs to mertk")
