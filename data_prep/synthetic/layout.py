"""The text files of IEMOCAP, as they look on its own disk, oddities included."""

from __future__ import annotations

from mertk.data_prep.synthetic.dialogue import Dialogue, Turn

_HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
_RATERS = ("E1", "E2", "E3")
# The first bytes of the "._name" files that a Macintosh leaves on a foreign disk; real copies of the corpus hold many.
APPLE_DOUBLE = bytes.fromhex("00051607 00020000") + b"Mac OS X        " + bytes(58)


def evaluation(dialogue: Dialogue) -> str:
    """`dialog/EmoEvaluation/<dialogue>.txt`: a turn line with the majority emotion, then one line a rater."""
    return _HEADER + "\n".join(_evaluation_of(turn) for turn in dialogue.turns)


def _evaluation_of(turn: Turn) -> str:
    valence, activation, dominance = turn.mean_ratings
    lines = [
        f"[{turn.start_seconds:.4f} - {turn.end_seconds:.4f}]\t{turn.utterance}\t{turn.emotion}\t"
        f"[{valence:.4f}, {activation:.4f}, {dominance:.4f}]"
    ]
    lines += [f"C-{rater}:\t{word};\t()" for rater, word in zip(_RATERS, turn.categories, strict=True)]
    lines.append(f"C-{turn.speaker}1:\t{turn.categories[0]};\t()")  # the actor's own view
    ratings = [(rater, *values) for rater, values in zip(_RATERS, turn.ratings, strict=False)]
    ratings.append((f"{turn.speaker}1", *turn.ratings[0]))
    lines += [f"A-{rater}:\tval {v}; act {a}; dom  {d};\t()" for rater, v, a, d in ratings]
    return "\n".join(lines) + "\n"


def categorical(dialogue: Dialogue) -> str:
    """`dialog/EmoEvaluation/Categorical/<dialogue>_e2_cat.txt`: one rater's own sheet."""
    return "".join(f"{turn.utterance} :{turn.categories[1]}; ()\n" for turn in dialogue.turns)


def transcription(dialogue: Dialogue) -> str:
    """`dialog/transcriptions/<dialogue>.txt`, with lines that belong to no turn in the scripted dialogues."""
    lines = [
        f"{turn.utterance} [{turn.start_seconds:08.4f}-{turn.end_seconds:08.4f}]: {turn.text}"
        for turn in dialogue.turns
    ]
    if "script" in dialogue.name:
        last = dialogue.turns[-1].end_seconds
        lines.insert(len(lines) // 2, "M: [BREATHING]")
        lines.append(f"{dialogue.name}_FXX0 [{last:08.4f}-{last + 0.2:08.4f}]: Mm-hmm.")
    return "\n".join(lines) + "\n"
