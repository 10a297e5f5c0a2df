"""Texts as tokens: what a text encoder or a language model reads.

Legend: `T` tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from mertk.encoders.loading import told_of_foreign_code
from mertk.errors import MertkError, first_line
from mertk.features.modalities import TextExtractor

#: How it is cut up tells what a vocabulary alone does not: case, accents, Chinese characters, blanks.
_PROBE = "Hello WORLD, café! 你好 don't  3.5"


#: what transformers takes as the length of a text for a model that names none is larger
_NOT_NAMED = 10**9


class Tokenizer(TextExtractor):
    """Tokens of a tokenizer of transformers, `[CLS] ... [SEP]`, cut off behind `max_tokens`.

    Language models have a special token on one side, or none: theirs is what their tokenizer puts there. A text of
    which there would be no token at all has one, that which the model knows as the end of a text or as its beginning.

    Args:
        weights: folder with the files of a tokenizer (the folder of its model, or one without weights), or hub id,
            `owner/model[@revision]`.
        max_tokens: most tokens of a text, the special ones included.

    Attributes:
        most_tokens: that its model takes, as far as it says so; infinite where it does not.
        fingerprint: digest of the vocabulary and of how it is applied; where the files lie does not matter.

    Raises:
        MertkError: no tokenizer there, or one of an encoder without the special tokens at both ends.
    """

    dimension = 2
    dtype = "int32"
    layer = "tokens"

    def __init__(self, weights: str | Path, max_tokens: int = 50) -> None:
        if max_tokens < 3:
            raise MertkError(f"max_tokens is {max_tokens}; expected 3 or more, two of which are [CLS] and [SEP].")
        self.weights = str(weights)
        self.max_tokens = max_tokens
        self._tokenizer = _load(self.weights)
        named = self._tokenizer.model_max_length
        self.most_tokens = named if named < _NOT_NAMED else math.inf
        self._special, self._num_behind = self._find_special()
        if len(self._special) != 2 and not _is_of_language_model(self.weights):
            raise MertkError(
                f"tokenizer {weights}: expected one that puts a token before a text and one behind it, as BERT's do."
            )
        self.fingerprint = self._digest()

    @property
    def tokenizer(self) -> Tokenizer:
        return self

    @property
    def options(self) -> dict[str, Any]:
        return {
            "vocabulary": self.fingerprint,
            "max_tokens": self.max_tokens,
            "sequence_length": self.max_tokens,
        }

    def save(self, folder: Path) -> None:
        """Write the files of the tokenizer, from which it can be loaded again."""
        self._tokenizer.save_pretrained(folder)

    def encode(self, words: str) -> np.ndarray:
        """Tokens (T, 2) int32: id and segment of each, 2 <= T <= `max_tokens`."""
        return self.cut(self.whole(words))

    def whole(self, text: str) -> np.ndarray:
        """All tokens (T, 2) int32 of a text, whatever `max_tokens` is."""
        encoded = self._encode(text)
        if not encoded["input_ids"]:
            encoded = {"input_ids": [self._lone_token()], "token_type_ids": [0]}
        return np.array([encoded["input_ids"], encoded["token_type_ids"]], dtype=np.int32).T

    def cut(self, tokens: np.ndarray) -> np.ndarray:
        """At most `max_tokens` of the tokens (T, 2) of a whole text: its beginning and the special ones behind it."""
        if len(tokens) <= self.max_tokens:
            return tokens
        behind = self._num_behind
        return np.concatenate([tokens[: self.max_tokens - behind], tokens[len(tokens) - behind :]])

    def _find_special(self) -> tuple[list[int], int]:
        """The special tokens around a text, and how many of them stand behind it."""
        special, around = self._encode("")["input_ids"], self._encode("a")["input_ids"]
        before = 0
        while before < len(special) and special[before] == around[before]:
            before += 1
        return special, len(special) - before

    def _lone_token(self) -> int:
        known = self._tokenizer
        numbers = (known.eos_token_id, known.bos_token_id, known.pad_token_id, known.unk_token_id)
        found = next((number for number in numbers if number is not None), None)
        if found is None:
            raise MertkError(f"tokenizer {self.weights}: makes no token of an empty text, and has none for its end.")
        return found

    def _encode(self, text: str) -> dict[str, list[int]]:
        # `verbose` would warn of texts longer than the model has positions for; they are cut afterwards.
        encoded = self._tokenizer(text, return_token_type_ids=True, return_attention_mask=False, verbose=False)
        ids = list(encoded["input_ids"])
        return {"input_ids": ids, "token_type_ids": list(encoded.get("token_type_ids", [0] * len(ids)))}

    def _digest(self) -> str:
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        described = json.dumps([vocabulary, self._encode(_PROBE)], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(described.encode()).hexdigest()


def _is_of_language_model(source: str) -> bool:
    """Whether config.json beside a tokenizer is that of a language model."""
    from transformers import AutoConfig

    from mertk.encoders.text_families import is_language_model

    name, revision, places = _places(source)
    for local_only in places:
        # Nothing there, nothing that can be read, or an architecture that transformers does not know.
        with contextlib.suppress(Exception):
            found = AutoConfig.from_pretrained(name, local_files_only=local_only, trust_remote_code=False, **revision)
            return is_language_model(found.to_dict())
    return False


def _places(source: str) -> tuple[str, dict[str, str], tuple[bool, ...]]:
    """Folder or id on the hub, its revision as an option, and whether to look only here, in the order of looking."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return str(folder), {}, (True,)
    name, _, revision = source.partition("@")
    return name, {"revision": revision} if revision else {}, (True, False)


def _load(source: str) -> Any:
    """The tokenizer of a folder or of the hub, of whose local copy, if there is one, nobody asks the network."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    name, revision, places = _places(source)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    failure: BaseException | None = None
    try:
        for local_only in places:
            try:
                return AutoTokenizer.from_pretrained(
                    name, local_files_only=local_only, trust_remote_code=False, **revision
                )
            # A damaged tokenizer.json raises a plain Exception, a missing library ImportError.
            except Exception as error:
                failure = error
    finally:
        logging.set_verbosity(verbosity)
    if told := told_of_foreign_code(f"tokenizer {source!r}", failure):
        raise MertkError(told) from failure
    told = first_line(failure)
    raise MertkError(
        f"tokenizer {source!r}: cannot be loaded ({told}). Expected a folder that holds tokenizer.json or vocab.txt "
        "beside tokenizer_config.json or config.json, or a hub id such as bert-base-uncased; where there is no "
        "network, copy the folder from a machine that has one."
    )
