"""Write a miniature feature file of CMU-MOSI, CMU-MOSEI, CH-SIMS or CH-SIMS v2, where the corpora are not.

    DIR/MINIATURE.json    what this is; the published files have none beside them
    DIR/unaligned.pkl     features in the layout of the published files, each modality with frames of its own
    DIR/aligned.pkl       the same utterances with one frame of audio and video a token
    DIR/models/bert       a small BERT with random weights, and the tokenizer that made the tokens of both files

The seed decides everything. Words, voice and face follow the intensity of what is said, each with an error of its own,
so that together they tell more than any of them alone. Results on it tell that the code works and nothing about people.
"""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.synthetic.arguments import parse_size
from mertk.data_prep.synthetic.marker import make_marker, write_marked
from mertk.errors import MertkError
from mertk.screen import say

if TYPE_CHECKING:
    import numpy as np

    from mertk.data_prep.synthetic.utterance import Utterance

VERSION = 1  # raise it when the same seed gives other files
DEFAULT_SEED = 1234
DEFAULT_UTTERANCES = 640
MIN_UTTERANCES = 24
TEXT_DIM = 32
#: share of the utterances in each part
SHARES = {"train": 0.625, "valid": 0.125, "test": 0.25}


@dataclass(frozen=True)
class Miniature:
    """Sizes of one corpus: widths as published where they are small, and fewer frames."""

    corpus: str
    audio_dim: int
    video_dim: int
    audio_steps: int = 40
    video_steps: int = 30
    text_steps: int = 20

    @property
    def is_chinese(self) -> bool:
        return self.corpus in ("sims", "sims2")


MINIATURES = {
    "mosi": Miniature("mosi", audio_dim=5, video_dim=20),
    "mosei": Miniature("mosei", audio_dim=74, video_dim=35),
    "sims": Miniature("sims", audio_dim=33, video_dim=48, video_steps=20, text_steps=24),
    "sims2": Miniature("sims2", audio_dim=25, video_dim=177, video_steps=20, text_steps=24),
}
#: a part that is there besides, without labels
UNLABELLED = {"sims2": "train_mix"}
UNLABELLED_SHARE = 0.05


def write_corpus(
    out: Path | str, corpus: str, seed: int = DEFAULT_SEED, utterances: int = DEFAULT_UTTERANCES
) -> dict[str, Any]:
    """Write both files and the text encoder to `out`, all or nothing; what is there already and whole is left as it is.

    Returns:
        Content of MINIATURE.json.

    Raises:
        MertkError: `out` holds something else, or `utterances` is too small.
    """
    if utterances < MIN_UTTERANCES:
        raise MertkError(f"--utterances {utterances}: three parts need at least {MIN_UTTERANCES}.")
    marker = make_marker(corpus, "mmsa", VERSION, seed, utterances)
    marker["sizes"] = asdict(MINIATURES[corpus]) | {"text_dim": TEXT_DIM}
    return write_marked(out, marker, lambda folder: _fill(folder, MINIATURES[corpus], seed, utterances))


def _fill(folder: Path, sizes: Miniature, seed: int, count: int) -> None:
    from mertk.data_prep.synthetic import utterance, weights
    from mertk.data_prep.synthetic.opinion import CHINESE, ENGLISH, tokens_of

    language = CHINESE if sizes.is_chinese else ENGLISH
    counts = {part: round(count * share) for part, share in SHARES.items()}
    unlabelled = UNLABELLED.get(sizes.corpus)
    if unlabelled:
        counts[unlabelled] = round(count * UNLABELLED_SHARE)
    parts = utterance.draw_parts(sizes, language, seed, counts)
    tokenizer = weights.write_bert(folder / "models" / "bert", tokens_of(language), seed)
    embeddings = weights.token_embeddings(tokens_of(language), len(tokenizer), TEXT_DIM, seed)
    for name, is_aligned in (("unaligned", False), ("aligned", True)):
        content = {
            part: _part(utterances, sizes, tokenizer, embeddings, is_aligned) for part, utterances in parts.items()
        }
        if unlabelled:
            for key in [key for key in content[unlabelled] if "labels" in key or key == "annotations"]:
                del content[unlabelled][key]
        with (folder / f"{name}.pkl").open("wb") as file:
            pickle.dump(content, file, protocol=4)


def _part(
    utterances: list[Utterance], sizes: Miniature, tokenizer: Any, embeddings: np.ndarray, is_aligned: bool
) -> dict[str, Any]:
    """One part in the layout of the published files."""
    import numpy as np

    from mertk.data_prep.synthetic.utterance import embed, follow_tokens

    encoded = tokenizer(
        [one.text for one in utterances], padding="max_length", truncation=True, max_length=sizes.text_steps
    )
    keys = ("input_ids", "attention_mask", "token_type_ids")
    tokens = np.stack([np.array(encoded[key]) for key in keys], axis=1)
    num_tokens = tokens[:, 1].sum(axis=1)
    audio, video = [one.audio for one in utterances], [one.video for one in utterances]
    audio_steps, video_steps = sizes.audio_steps, sizes.video_steps
    if is_aligned:
        audio, video = (
            [follow_tokens(frames, count) for frames, count in zip(sequence, num_tokens, strict=True)]
            for sequence in (audio, video)
        )
        audio_steps = video_steps = sizes.text_steps
    labels = np.array([one.label for one in utterances], dtype=np.float32)
    part: dict[str, Any] = {
        "raw_text": np.array([one.text for one in utterances]),
        "audio": _pad(audio, audio_steps),
        "vision": _pad(video, video_steps),
        "id": np.array([one.name for one in utterances]),
        "text": embed(tokens[:, 0], tokens[:, 1], embeddings),
        "text_bert": tokens.astype(np.float32),
        "annotations": np.array(["Negative", "Neutral", "Positive"])[np.sign(labels).astype(int) + 1],
        "classification_labels": np.sign(labels) + 1,
        "regression_labels": labels,
    }
    if not is_aligned:
        part["audio_lengths"] = [len(frames) for frames in audio]
        part["vision_lengths"] = [len(frames) for frames in video]
    if sizes.is_chinese:
        for letter, modality in (("T", "text"), ("A", "audio"), ("V", "video")):
            own = np.array([one.unimodal[modality] for one in utterances], dtype=np.float32)
            part[f"regression_labels_{letter}"] = own
            part[f"classification_labels_{letter}"] = np.sign(own) + 1
    return part


def _pad(sequences: list[np.ndarray], num_steps: int) -> np.ndarray:
    """(N, T, D) with zeros behind each sequence."""
    import numpy as np

    padded = np.zeros((len(sequences), num_steps, sequences[0].shape[1]), dtype=np.float32)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded


@cli.program
def main(argv: list[str] | None = None) -> int:
    """Write the miniature the command line asks for."""
    parser = cli.make_parser(
        __doc__, "python -m mertk.data_prep.synthetic.mmsa --corpus mosi --out data/mosi_miniature/corpus"
    )
    parser.add_argument("--corpus", choices=tuple(MINIATURES), required=True, help="whose layout and sizes")
    arguments = parse_size(parser, argv, DEFAULT_SEED, DEFAULT_UTTERANCES, "in all three parts")
    write_corpus(arguments.out, arguments.corpus, arguments.seed, arguments.utterances)
    say(f"{arguments.out}: miniature of {arguments.corpus}, seed {arguments.seed}, {arguments.utterances} utterances")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
