"""Write a miniature of RAVDESS in its own layout, for trying everything where the corpus is not.

    DIR/MINIATURE.json                                                 what this is; the real corpus has none
    DIR/Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav    16 kHz, 16 bit, mono
    DIR/Video_Speech_Actor_01/Actor_01/{01,02}-01-01-01-01-01-01.mp4   the same take, with and without sound
    DIR/Audio_Song_Actors_01-24/Actor_01/03-02-02-01-01-01-01.wav      a song, which is no speech
    DIR/models/{wavlm,clip}                                            small encoders with random weights

All 24 actors, each of whom has one take of every other emotion. The seed decides everything. Results on it tell that
the code works and nothing about people.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mertk import cli
from mertk.data_prep.synthetic.marker import make_marker, write_marked
from mertk.screen import say

VERSION = 1  # raise it when the same seed gives other files
DEFAULT_SEED = 1234
NUM_ACTORS = 24
#: codes of RAVDESS, and how `emotion.CIRCUMPLEX` calls them
EMOTIONS = {
    **{"01": "neu", "02": "cal", "03": "hap", "04": "sad"},
    **{"05": "ang", "06": "fea", "07": "dis", "08": "sur"},
}


def write_corpus(out: Path | str, seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Write the miniature and its encoders to `out`, all or nothing; what is there already and whole is left as it is.

    Returns:
        Content of MINIATURE.json.

    Raises:
        MertkError: `out` holds something else.
    """
    marker = make_marker("ravdess", "ravdess", VERSION, seed, len(list(_takes())))
    return write_marked(out, marker, lambda folder: _fill(folder, seed))


def _takes() -> Iterator[tuple[int, str]]:
    """Actor and emotion of each take. Every fold, published ones too, has actors of either half of the emotions."""
    for number in range(1, NUM_ACTORS + 1):
        yield from ((number, code) for code in EMOTIONS if int(code) % 2 == number // 2 % 2)


def _fill(folder: Path, seed: int) -> None:
    from mertk.data_prep.synthetic import actor, spoken_clip, weights
    from mertk.progress_bar import progress

    takes = list(_takes())
    cast = {number: actor.draw_actor(seed, f"{number:02d}", "FM"[number % 2]) for number in range(1, NUM_ACTORS + 1)}
    for number, code in progress(takes, len(takes), "miniature RAVDESS"):
        name, own = f"{code}-01-{1 + number % 2:02d}-01-{number:02d}", f"Actor_{number:02d}"
        samples, pictures = actor.perform(seed, cast[number], name, EMOTIONS[code])
        actor.write_wav(folder / "Audio_Speech_Actors_01-24" / own / f"03-01-{name}.wav", samples)
        videos = folder / f"Video_Speech_{own}" / own
        spoken_clip.write_clip(videos / f"01-01-{name}.mp4", pictures, samples)
        spoken_clip.write_clip(videos / f"02-01-{name}.mp4", pictures, None)
        if code in ("01", "02"):
            actor.write_wav(folder / "Audio_Song_Actors_01-24" / own / f"03-02-{name}.wav", samples)
    weights.write_models(folder / "models", seed)


@cli.program
def main(argv: list[str] | None = None) -> int:
    """Write the miniature the command line asks for."""
    parser = cli.make_parser(__doc__, "python -m mertk.data_prep.synthetic.ravdess --out data/ravdess_miniature/corpus")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must be empty, absent or a miniature")
    parser.add_argument("--seed", type=cli.positive_int, default=DEFAULT_SEED, help="decides everything")
    arguments = parser.parse_args(argv)
    marker = write_corpus(arguments.out, arguments.seed)
    say(f"{arguments.out}: miniature of RAVDESS, seed {arguments.seed}, {marker['utterances']} utterances")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
