"""Write a miniature of IEMOCAP in its own layout, for trying everything where the licensed corpus is not.

    DIR/MINIATURE.json                                          what this is; the real corpus has none
    DIR/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt        times, emotions, ratings
    DIR/Session1/dialog/transcriptions/Ses01F_impro01.txt       words
    DIR/Session1/dialog/avi/DivX/Ses01F_impro01.avi             both actors; left is the one in the dialogue's name
    DIR/Session1/sentences/wav/Ses01F_impro01/*.wav             16 kHz, 16 bit, mono
    DIR/models/{wavlm,clip,bert}                                small encoders with random weights

The seed decides everything. Results on it tell that the code works and nothing about people.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.data_prep.synthetic import listing
from mertk.data_prep.synthetic.arguments import parse_size
from mertk.data_prep.synthetic.marker import MARKER, check_free, make_marker, read_marker
from mertk.errors import MertkError
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data_prep.synthetic.dialogue import Dialogue
    from mertk.data_prep.synthetic.face import FaceTraits
    from mertk.data_prep.synthetic.voice import VoiceTraits

VERSION = 1  # raise it when the same seed gives other files
DEFAULT_SEED = 1234
DEFAULT_UTTERANCES = 250
BYTES_PER_UTTERANCE = 200_000  # twice what is needed, with 10 MB for the rest


def write_corpus(out: Path | str, seed: int = DEFAULT_SEED, utterances: int = DEFAULT_UTTERANCES) -> bool:
    """Write the miniature and its encoders to `out`, all or nothing.

    Args:
        out: folder to make; a miniature that is there already is replaced when seed, size or version differ.
        seed: decides everything.
        utterances: how many carry one of the four classes; about 8 % further ones carry rarer labels.

    Returns:
        True when it was written, False when the very same was there.

    Raises:
        MertkError: `out` holds something else, or `utterances` is too small.
    """
    out = Path(out).resolve()
    _check(out, utterances)
    if is_complete(out, seed, utterances):
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_room(out.parent, utterances)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        temporary.chmod(0o755)
        _fill(temporary, seed, utterances)
        listing.write_listing(temporary)
        if is_same(out, seed, utterances):
            listing.mend(out, temporary)
            return True
        if out.exists():
            listing.check_own(out)
            shutil.rmtree(out)
        temporary.rename(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(temporary)
    return True


def is_complete(out: Path, seed: int, utterances: int) -> bool:
    """Whether `out` holds the miniature of this seed, size and version, with all its files."""
    # Miniatures of before there was text have no encoder of it; they get one, and keep the rest.
    return is_same(out, seed, utterances) and listing.is_whole(out) and (out / "models" / "bert").is_dir()


def is_same(out: Path, seed: int, utterances: int) -> bool:
    """Whether what `out` holds is, or was, the miniature of this seed, size and version."""
    marker = read_marker(out)
    return marker is not None and (marker.get("seed"), marker.get("utterances"), marker.get("version")) == (
        seed,
        utterances,
        VERSION,
    )


def _check(out: Path, utterances: int) -> None:
    from mertk.data_prep.synthetic.dialogue import MIN_UTTERANCES

    if utterances < MIN_UTTERANCES:
        raise MertkError(f"--utterances {utterances}: five sessions of four classes need at least {MIN_UTTERANCES}")
    if out.exists() and not out.is_dir():
        raise MertkError(f"{out} is a file; expected a folder that is empty or not there yet")
    check_free(out)


def _check_room(folder: Path, utterances: int) -> None:
    needed, free = 10_000_000 + BYTES_PER_UTTERANCE * utterances, shutil.disk_usage(folder).free
    if free < needed:
        raise MertkError(f"no space left in {folder}: {free / 1e6:.0f} MB are free, {needed / 1e6:.0f} MB are needed")


def _fill(root: Path, seed: int, utterances: int) -> None:
    from mertk.data_prep.synthetic import dialogue, face, transcript, voice, weights
    from mertk.progress_bar import progress

    dialogues = dialogue.plan(seed, utterances)
    voices, faces = {}, {}
    for session in range(1, dialogue.NUM_SESSIONS + 1):
        for sex in "FM":
            voices[session, sex] = voice.draw_voice(dialogue.generator(seed, "voice", session, sex), sex)
            faces[session, sex] = face.draw_face(dialogue.generator(seed, "face", session, sex), sex)
    for one in progress(dialogues, total=len(dialogues), description="miniature IEMOCAP"):
        actors = {sex: (voices[one.session, sex], faces[one.session, sex]) for sex in "FM"}
        _write_dialogue(root / f"Session{one.session}", one, actors, seed)
    weights.write_models(root / "models", seed)
    weights.write_bert(root / "models" / "bert", dict.fromkeys(transcript.vocabulary(), 0.0), seed)
    text = json.dumps(_describe(dialogues, seed, utterances), indent=2)
    (root / MARKER).write_text(text + "\n", encoding="utf-8")


def _write_dialogue(folder: Path, one: Dialogue, actors: dict[str, tuple[VoiceTraits, FaceTraits]], seed: int) -> None:
    """Everything of one dialogue; `actors` holds voice and face of "F" and "M"."""
    import numpy as np

    from mertk.data_prep.synthetic import emotion, layout, movie, voice
    from mertk.data_prep.synthetic.actor import write_wav
    from mertk.data_prep.synthetic.dialogue import generator

    rng = generator(seed, "room", one.name)
    snr_db, light = rng.uniform(18, 30), 1 + rng.normal(0, 0.05) + rng.normal(0, 0.02, 3)
    shown, speech = {}, {}
    wav_folder = _made(folder / "sentences" / "wav" / one.name)
    for turn in one.turns:
        own = generator(seed, "turn", turn.utterance)
        shown[turn.utterance] = look = emotion.show(own, turn.emotion)
        samples = voice.synthesise(
            own, actors[turn.speaker][0], look.voice_arousal, look.voice_valence, turn.num_samples, snr_db
        )
        speech[turn.utterance] = samples
        write_wav(wav_folder / f"{turn.utterance}.wav", samples)

    halves = []
    for speaker in (one.left_speaker, "M" if one.left_speaker == "F" else "F"):
        expression, drawn = movie.act(generator(seed, "act", one.name, speaker), one, speaker, shown, speech)
        halves.append((movie.draw(actors[speaker][1], expression, drawn, np.asarray(light)), drawn))
    avi_folder = _made(folder / "dialog" / "avi" / "DivX")
    movie.write(avi_folder / f"{one.name}.avi", movie.num_frames(one), tuple(halves))
    (avi_folder / f"._{one.name}.avi").write_bytes(layout.APPLE_DOUBLE)

    evaluations = _made(folder / "dialog" / "EmoEvaluation")
    (evaluations / f"{one.name}.txt").write_text(layout.evaluation(one), encoding="utf-8")
    (evaluations / f"._{one.name}.txt").write_bytes(layout.APPLE_DOUBLE)
    sheet = _made(evaluations / "Categorical") / f"{one.name}_e2_cat.txt"
    sheet.write_text(layout.categorical(one), encoding="utf-8")
    words = _made(folder / "dialog" / "transcriptions") / f"{one.name}.txt"
    words.write_text(layout.transcription(one), encoding="utf-8")


def _describe(dialogues: list[Dialogue], seed: int, utterances: int) -> dict:
    """The content of MINIATURE.json."""
    from mertk.data_prep.synthetic.emotion import FOUR_CLASSES

    counts, sessions, emotions = {}, {}, {}
    for one in dialogues:
        for turn in one.turns:
            emotions[turn.emotion] = emotions.get(turn.emotion, 0) + 1
            name = FOUR_CLASSES.get(turn.emotion)
            if name:
                counts[name] = counts.get(name, 0) + 1
                sessions[f"Ses{one.session:02d}"] = sessions.get(f"Ses{one.session:02d}", 0) + 1
    return {
        **make_marker("iemocap", "iemocap", VERSION, seed, utterances),
        "turns": sum(emotions.values()),
        "dialogues": len(dialogues),
        "counts": dict(sorted(counts.items())),
        "sessions": sessions,
        "emotions": dict(sorted(emotions.items())),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cli.program
def main(argv: list[str] | None = None) -> int:
    """Write the miniature the command line asks for."""
    parser = cli.make_parser(
        "Write a miniature of IEMOCAP in its own layout, with small encoders of random weights.",
        "python -m mertk.data_prep.synthetic.iemocap --out data/iemocap_miniature --seed 1234",
    )
    arguments = parse_size(parser, argv, DEFAULT_SEED, DEFAULT_UTTERANCES, "of the four classes")
    written = write_corpus(arguments.out, arguments.seed, arguments.utterances)
    marker = read_marker(arguments.out) or {}
    counts = ", ".join(f"{count} {name}" for name, count in marker.get("counts", {}).items())
    state = "wrote" if written else "already there, nothing to do:"
    say(
        f"{state} {arguments.out}: miniature of IEMOCAP, seed {arguments.seed}, {marker.get('turns')} turns in "
        f"{marker.get('dialogues')} dialogues: {counts}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
