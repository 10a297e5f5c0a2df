"""Conversations of a few friends, of the miniature of MELD: who says what with which emotion, and clips of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic import emotion, opinion, spoken_clip, voice
from mertk.data_prep.synthetic.actor import Actor, draw_actor
from mertk.data_prep.synthetic.dialogue import generator

#: names with the sex of the voice; one has a blank in it, as waiters and doctors have in the real tables
CAST = {"Ada": "F", "Bruno": "M", "Cleo": "F", "Dov": "M", "Edda": "F", "The Waiter": "M"}
#: emotions of the corpus, to those of `emotion`, and the share of the utterances
EMOTIONS = {
    "neutral": ("neu", 0.32),
    "joy": ("hap", 0.18),
    "surprise": ("sur", 0.13),
    "anger": ("ang", 0.13),
    "sadness": ("sad", 0.12),
    "disgust": ("dis", 0.06),
    "fear": ("fea", 0.06),
}
TURNS_PER_DIALOGUE = 6
_TEXT_ERROR = 0.25
#: what people begin with, which tells nothing
_OPENINGS = ("you’re right , ", "well , ", "i’m telling you , ", "", "")


@dataclass(frozen=True)
class Line:
    """One utterance; times are those within its episode."""

    dialogue: int
    number: int
    speaker: str
    emotion: str
    sentiment: str
    text: str
    start_seconds: float
    seconds: float

    @property
    def name(self) -> str:
        return f"dia{self.dialogue}_utt{self.number}"


def plan(seed: int, counts: dict[str, int]) -> dict[str, list[Line]]:
    """Lines of each part, every emotion in each; dialogues are numbered from 0 in each, as in the corpus."""
    return {part: _plan_part(seed, part, count) for part, count in counts.items()}


def _plan_part(seed: int, part: str, count: int) -> list[Line]:
    rng = generator(seed, "conversation", part)
    names = list(EMOTIONS)
    shares = np.array([share for _, share in EMOTIONS.values()])
    drawn = [*names, *rng.choice(names, size=count - len(names), p=shares / shares.sum())]
    lines, clock = [], 0.0
    for position, place in enumerate(rng.permutation(count)):
        number = position % TURNS_PER_DIALOGUE
        clock = 60.0 if number == 0 else clock + rng.uniform(0.1, 0.5)
        seconds = float(np.clip(rng.gamma(10, 0.12), 0.7, 2.0))
        felt = str(drawn[place])
        valence, _ = emotion.CIRCUMPLEX[EMOTIONS[felt][0]]
        words = opinion.say(rng, opinion.ENGLISH, 3 * (valence + rng.normal(0, _TEXT_ERROR)))
        text = _OPENINGS[int(rng.integers(len(_OPENINGS)))] + words
        speaker = list(CAST)[int(rng.integers(len(CAST)))]
        mood = _sentiment(rng, felt)
        lines.append(Line(position // TURNS_PER_DIALOGUE, number, speaker, felt, mood, text, clock, seconds))
        clock += seconds
    return lines


def _sentiment(rng: np.random.Generator, felt: str) -> str:
    """Surprise is good or bad; the others are one of both or neither, as in the corpus."""
    if felt == "surprise":
        return ("negative", "positive")[int(rng.integers(2))]
    return {"neutral": "neutral", "joy": "positive"}.get(felt, "negative")


def tokens() -> dict[str, float]:
    """Every token of the lines, with its intensity (0 for those that tell nothing)."""
    others = " ".join(_OPENINGS).replace("’", " ’ ").split()
    return opinion.tokens_of(opinion.ENGLISH) | dict.fromkeys(others, 0.0)


def draw_cast(seed: int) -> dict[str, Actor]:
    """Voice and face of each speaker, the same in all parts."""
    return {name: draw_actor(seed, name, sex) for name, sex in CAST.items()}


def act(seed: int, cast: dict[str, Actor], part: str, line: Line, path: Path) -> None:
    """Write the clip of a line."""
    rng = generator(seed, "line", part, line.name)
    speaker = cast[line.speaker]
    shown = emotion.show(rng, EMOTIONS[line.emotion][0])
    num_samples = round(line.seconds * voice.SAMPLE_RATE)
    samples = voice.synthesise(rng, speaker.voice, shown.voice_arousal, shown.voice_valence, num_samples)
    pictures = spoken_clip.draw_pictures(rng, speaker.face, shown, samples, 1 + rng.normal(0, 0.03, 3))
    spoken_clip.write_clip(path, pictures, samples)
