"""Write a miniature of CREMA-D in its own layout, for trying everything where the corpus is not.

    DIR/MINIATURE.json                     what this is; the real corpus has none
    DIR/AudioWAV/1001_MTI_ANG_XX.wav       16 kHz, 16 bit, mono
    DIR/VideoFlash/1001_MTI_ANG_XX.flv     the picture of the same clip
    DIR/processedResults/summaryTable.csv  what most of its raters named, of voice, face and both
    DIR/VideoDemographics.csv              of its ten actors
    DIR/models/{wavlm,clip}                small encoders with random weights

One sound is silent, as one of the real corpus is. The seed decides everything. Results on it tell that the code works
and nothing about people.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.synthetic.marker import make_marker, write_marked
from mertk.screen import say

if TYPE_CHECKING:
    import numpy as np

VERSION = 1  # raise it when the same seed gives other files
DEFAULT_SEED = 1234
ACTORS = {f"{number}": "Male" if number % 2 else "Female" for number in range(1001, 1011)}
#: sentence and level of each clip; one sentence has levels of all emotions but NEU
TAKES = (("IEO", "LO"), ("IEO", "HI"), ("MTI", "XX"))
EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
SILENT = "1010_MTI_SAD_XX"
#: raters of a clip, and how often one names the emotion that was meant, by what they were given
NUM_RATERS = 10
AGREEMENT = {"VoiceVote": 0.45, "FaceVote": 0.6, "MultiModalVote": 0.7}


def write_corpus(out: Path | str, seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Write the miniature and its encoders to `out`, all or nothing; what is there already and whole is left as it is.

    Returns:
        Content of MINIATURE.json.

    Raises:
        MertkError: `out` holds something else.
    """
    marker = make_marker("cremad", "cremad", VERSION, seed, len(list(_names())))
    return write_marked(out, marker, lambda folder: _fill(folder, seed))


def _names() -> Iterable[str]:
    for actor in ACTORS:
        for sentence, level in TAKES:
            yield from (f"{actor}_{sentence}_{code}_{level}" for code in EMOTIONS if code != "NEU" or level == "XX")
        yield f"{actor}_IEO_NEU_XX"


def _fill(folder: Path, seed: int) -> None:
    from mertk.data_prep.synthetic import actor, spoken_clip, weights
    from mertk.progress_bar import progress

    cast = {name: actor.draw_actor(seed, name, sex[0]) for name, sex in ACTORS.items()}
    names = list(_names())
    for name in progress(names, len(names), "miniature CREMA-D"):
        samples, pictures = actor.perform(seed, cast[name[:4]], name, name[9:12].lower())
        actor.write_wav(folder / "AudioWAV" / f"{name}.wav", samples * (name != SILENT))
        spoken_clip.write_clip(folder / "VideoFlash" / f"{name}.flv", pictures, None)
    _write_tables(folder, names, seed)
    weights.write_models(folder / "models", seed)


def _write_tables(folder: Path, names: list[str], seed: int) -> None:
    from mertk.data_prep.synthetic.dialogue import generator

    header = ["", "FileName"]
    for vote in AGREEMENT:
        header += [vote, vote.replace("Vote", "Level")]
    votes = [header]
    for number, name in enumerate(names, start=1):
        rng = generator(seed, "votes", name)
        cells = [
            cell for share in AGREEMENT.values() for cell in (_vote(rng, name[9], share), f"{rng.uniform(40, 80):.4g}")
        ]
        votes.append([str(number), name, *cells])
    people = [["ActorID", "Age", "Sex", "Race", "Ethnicity"]]
    people += [[name, str(20 + int(name) % 50), sex, "Unknown", "Not Hispanic"] for name, sex in ACTORS.items()]
    _write_table(folder / "processedResults" / "summaryTable.csv", votes)
    _write_table(folder / "VideoDemographics.csv", people)


def _vote(rng: np.random.Generator, meant: str, agreement: float) -> str:
    """The emotion that most raters named; those of a tie with colons between them."""
    letters = sorted(code[0] for code in EMOTIONS)
    chances = [(1 - agreement) / 6 + agreement * (letter == meant) for letter in letters]
    counts = rng.multinomial(NUM_RATERS, chances)
    return ":".join(letter for letter, count in zip(letters, counts, strict=True) if count == counts.max())


def _write_table(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


@cli.program
def main(argv: list[str] | None = None) -> int:
    """Write the miniature the command line asks for."""
    parser = cli.make_parser(__doc__, "python -m mertk.data_prep.synthetic.cremad --out data/cremad_miniature/corpus")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must be empty, absent or a miniature")
    parser.add_argument("--seed", type=cli.positive_int, default=DEFAULT_SEED, help="decides everything")
    arguments = parser.parse_args(argv)
    marker = write_corpus(arguments.out, arguments.seed)
    say(f"{arguments.out}: miniature of CREMA-D, seed {arguments.seed}, {marker['utterances']} clips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
