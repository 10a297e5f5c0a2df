"""Write a miniature of MELD in its own layout, for trying everything where the corpus is not.

    DIR/MINIATURE.json                                             what this is; the real corpus has none
    DIR/{train,dev,test}_sent_emo.csv                              words, speakers, labels, times
    DIR/train/train_splits/dia0_utt0.mp4                           one face and voice a clip
    DIR/dev/dev_splits_complete, DIR/test/output_repeated_splits_test
    DIR/models/{bert,clip,wavlm}                                   small encoders with random weights

The seed decides everything. One clip of the training part is broken, as in the real corpus. Results on it tell that the
code works and nothing about people.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.synthetic.arguments import parse_size
from mertk.data_prep.synthetic.marker import make_marker, write_marked
from mertk.errors import MertkError
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data_prep.synthetic.conversation import Line

VERSION = 1  # raise it when the same seed gives other files
DEFAULT_SEED = 1234
DEFAULT_UTTERANCES = 120
MIN_UTTERANCES = 56
#: share of the utterances in each part, and the folder of its clips
SHARES = {"train": 0.6, "dev": 0.15, "test": 0.25}
FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev/dev_splits_complete",
    "test": "test/output_repeated_splits_test",
}
HEADER = (
    *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
    *("Season", "Episode", "StartTime", "EndTime"),
)


def write_corpus(out: Path | str, seed: int = DEFAULT_SEED, utterances: int = DEFAULT_UTTERANCES) -> dict[str, Any]:
    """Write the miniature and its encoders to `out`, all or nothing; what is there already and whole is left as it is.

    Returns:
        Content of MINIATURE.json.

    Raises:
        MertkError: `out` holds something else, or `utterances` is too small.
    """
    if utterances < MIN_UTTERANCES:
        raise MertkError(f"--utterances {utterances}: seven emotions in three parts need at least {MIN_UTTERANCES}.")
    marker = make_marker("meld", "meld", VERSION, seed, utterances)
    return write_marked(out, marker, lambda folder: _fill(folder, seed, utterances))


def _fill(folder: Path, seed: int, utterances: int) -> None:
    from mertk.data_prep.synthetic import conversation, weights
    from mertk.data_prep.synthetic.layout import APPLE_DOUBLE
    from mertk.progress_bar import progress

    parts = conversation.plan(seed, {part: round(share * utterances) for part, share in SHARES.items()})
    cast = conversation.draw_cast(seed)
    lines = [(part, line) for part, said in parts.items() for line in said]
    for part, line in progress(lines, len(lines), "miniature MELD"):
        path = folder / FOLDERS[part] / f"{line.name}.mp4"
        conversation.act(seed, cast, part, line, path)
        if (line.dialogue, line.number) == (0, 0):
            path.with_name(f"._{path.name}").write_bytes(APPLE_DOUBLE)
    broken = folder / FOLDERS["train"] / f"{parts['train'][-1].name}.mp4"
    broken.write_bytes(broken.read_bytes()[:100])
    for part, said in parts.items():
        with (folder / f"{part}_sent_emo.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *_rows(said)])
    weights.write_models(folder / "models", seed)
    weights.write_bert(folder / "models" / "bert", conversation.tokens(), seed)


def _rows(lines: list[Line]) -> Iterator[tuple[str | int, ...]]:
    """Rows of a table; some apostrophes are bytes of Windows-1252, as in copies of the real tables."""
    for number, line in enumerate(lines, start=1):
        text = line.text.replace("’", "\x92") if number % 2 else line.text
        times = map(_clock, (line.start_seconds, line.start_seconds + line.seconds))
        ids = line.dialogue, line.number, 1 + line.dialogue % 9, 1 + line.dialogue % 5
        yield number, text, line.speaker, line.emotion, line.sentiment, *ids, *times


def _clock(seconds: float) -> str:
    thousandths = round(1000 * seconds)
    whole = thousandths // 1000
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths % 1000:03d}"


@cli.program
def main(argv: list[str] | None = None) -> int:
    """Write the miniature the command line asks for."""
    parser = cli.make_parser(__doc__, "python -m mertk.data_prep.synthetic.meld --out data/meld_miniature/corpus")
    arguments = parse_size(parser, argv, DEFAULT_SEED, DEFAULT_UTTERANCES, "in all three parts")
    write_corpus(arguments.out, arguments.seed, arguments.utterances)
    say(f"{arguments.out}: miniature of MELD, seed {arguments.seed}, {arguments.utterances} utterances")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
