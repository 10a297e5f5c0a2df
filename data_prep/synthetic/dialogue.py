"""Plan the sessions: who speaks when, with which emotion and which words. Nothing is heard or seen yet."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from mertk.data_prep.synthetic import emotion, transcript

NUM_SESSIONS = 5
SESSION_ENDS = (0.196, 0.381, 0.589, 0.775, 1.0)  # unequal sessions, as the real ones are
MIN_UTTERANCES = 20  # a class for each session
TURNS_PER_DIALOGUE = 13
CLASS_SHARES = {"neu": 0.28, "hap": 0.10, "exc": 0.17, "ang": 0.23, "sad": 0.22}
RARE_SHARE = 0.08  # of further turns, whose label is in no four-class map
RARE_EMOTIONS = ("xxx", "fru", "xxx", "sur", "fru", "oth", "xxx", "fea", "fru", "dis")
# Kinds of dialogue in the order they are added to a session; the letter is the actor in the left half of the picture.
DIALOGUE_NAMES = ("F_impro01", "M_script01_1", "M_impro02", "F_script02_2", "F_impro03", "M_script03_1", "M_impro04")


@dataclass(frozen=True)
class Turn:
    """One utterance."""

    utterance: str
    speaker: str  # "F" or "M"
    start_seconds: float
    end_seconds: float
    emotion: str
    text: str
    categories: tuple[str, ...]
    ratings: tuple[tuple[int, int, int], ...]

    @property
    def mean_ratings(self) -> tuple[float, float, float]:
        """Valence, activation, dominance: the mean over the raters."""
        valence, activation, dominance = np.mean(self.ratings, axis=0)
        return float(valence), float(activation), float(dominance)

    @property
    def num_samples(self) -> int:
        """At 16 kHz."""
        return round((self.end_seconds - self.start_seconds) * 16000)


@dataclass(frozen=True)
class Dialogue:
    """One recording of both actors."""

    session: int
    name: str  # Ses01F_impro01
    turns: tuple[Turn, ...]

    @property
    def left_speaker(self) -> str:
        """The actor in the left half of the picture: the letter in the dialogue's name."""
        return self.name[5]

    @property
    def seconds(self) -> float:
        """Length of the picture: a little longer than the last turn."""
        return self.turns[-1].end_seconds + 0.3


def generator(seed: int, *names: object) -> np.random.Generator:
    """Random numbers of their own for each thing named, so that one thing's do not move another's."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def plan(seed: int, num_utterances: int) -> list[Dialogue]:
    """Dialogues of five sessions with `num_utterances` turns of the four classes, and a few others."""
    dialogues = []
    for session in range(1, NUM_SESSIONS + 1):
        first, last = (round(num_utterances * share) for share in ((0.0, *SESSION_ENDS)[session - 1 : session + 1]))
        emotions = _session_emotions(generator(seed, "emotions", session), session, last - first)
        names = DIALOGUE_NAMES[: max(2, min(len(DIALOGUE_NAMES), round(len(emotions) / TURNS_PER_DIALOGUE)))]
        for name, part in zip(names, np.array_split(np.array(emotions), len(names)), strict=True):
            # The last session's script 1 was recorded in two parts; the second is called b.
            suffix = "b" if session == NUM_SESSIONS and name == "M_script01_1" else ""
            dialogues.append(_dialogue(seed, session, f"Ses{session:02d}{name}{suffix}", [str(x) for x in part]))
    return _stretch_ratings(dialogues)


def _session_emotions(rng: np.random.Generator, session: int, count: int) -> list[str]:
    """Emotions of one session in the order they are said: every class at least once, shares a little off balance."""
    names = list(CLASS_SHARES)
    shares = np.array(list(CLASS_SHARES.values())) * rng.uniform(0.85, 1.15, len(names))
    wanted = shares / shares.sum() * count
    numbers = np.maximum(np.floor(wanted).astype(int), [1, 1, 0, 1, 1])
    while numbers.sum() != count:
        k = int(np.argmax((wanted - numbers) * np.sign(count - numbers.sum())))
        numbers[k] += np.sign(count - numbers.sum())
    num_rare = max(1, round(RARE_SHARE * count))
    rare = [RARE_EMOTIONS[(2 * session + k) % len(RARE_EMOTIONS)] for k in range(num_rare)]
    emotions = [name for name, number in zip(names, numbers, strict=True) for _ in range(number)] + rare
    return [emotions[k] for k in rng.permutation(len(emotions))]


def _dialogue(seed: int, session: int, name: str, emotions: list[str]) -> Dialogue:
    rng = generator(seed, "dialogue", name)
    script = name[6:].removeprefix("_").removesuffix("b")
    turns, clock, numbers = [], rng.uniform(0.4, 0.8), {"F": 0, "M": 0}
    speaker = name[5]
    for place, label in enumerate(emotions):
        # A script has the same words, turns and about the same times in every session.
        words = generator(seed, script, place) if script.startswith("script") else rng
        seconds = float(np.clip(words.gamma(12, 0.18), 1.2, 3.5))
        start, end = round(clock, 4), round(clock + seconds, 4)
        turns.append(
            Turn(
                utterance=f"{name}_{speaker}{numbers[speaker]:03d}",
                speaker=speaker,
                start_seconds=start,
                end_seconds=end,
                emotion=label,
                text=transcript.sentence(words, seconds),
                categories=tuple(emotion.categories(rng, label)),
                ratings=tuple(emotion.rate(rng, label)),
            )
        )
        numbers[speaker] += 1
        clock = end + rng.uniform(0.15, 0.4)
        if words.random() < 0.8:
            speaker = "M" if speaker == "F" else "F"
    return Dialogue(session, name, tuple(turns))


def _stretch_ratings(dialogues: list[Dialogue]) -> list[Dialogue]:
    """Give one turn a valence of 5.5 and one a dominance of 0.5: a few real files hold such values, outside 1 to 5."""
    changed = []
    wanted = {"hap": ((5, 4, 4), (6, 4, 4)), "neu": ((3, 2, 0), (3, 2, 1))}
    for dialogue in dialogues:
        turns = list(dialogue.turns)
        for k, turn in enumerate(turns):
            if turn.emotion in wanted:
                turns[k] = replace(turn, ratings=wanted.pop(turn.emotion))
        changed.append(Dialogue(dialogue.session, dialogue.name, tuple(turns)))
    return changed
