"""Under what a model is scored again to see what it copes with: modalities absent, partly missing, or noisy.

Of each condition a run directory has a folder below `robustness`, of the form of a scored run: results.json, which also
says under `condition` what it is of, and predictions.tsv. There is none of what changes nothing, the clean score.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mertk.batch import MODALITIES
from mertk.content import convert, read_json
from mertk.errors import MertkError
from mertk.run.files import CONDITIONS, ROBUSTNESS

#: what is missing at once: a modality of an utterance, a frame of it, or several in a row
UNITS = ("utterances", "frames", "blocks")
WHITE = "white"
#: decibels beyond which float32 has nothing left of one of the two
MOST_DECIBELS = 100.0
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Condition:
    """One of them, with one draw of what is missing or of the noise.

    Attributes:
        kind: `drop`, `missing` or `noise`.
        modalities: which are absent, each by itself missing, or noisy.
        level: share that is missing, or ratio of speech to noise in decibels; of `drop` 1.
        units: of `missing`, one of `UNITS`.
        block_frames: of `blocks`, how many frames are missing at once.
        noise: of `noise`, `white`, or the folder's name and what tells its recordings from others.
        seed: of the draw; None where nothing is drawn.
    """

    kind: str
    modalities: tuple[str, ...]
    level: float = 1.0
    units: str | None = None
    block_frames: int | None = None
    noise: str | None = None
    seed: int | None = None

    @property
    def folder(self) -> str:
        """Where its scores are, below the run directory."""
        names = "+".join(self.modalities)
        of_units = f"blocks_of_{self.block_frames}" if self.units == "blocks" else self.units
        name = {
            "drop": f"drop_{names}",
            "missing": f"missing_{names}_{of_units}_{self.level:.10g}",
            "noise": f"noise_{self.noise}_{self.level:.10g}_dB",
        }[self.kind]
        return f"{ROBUSTNESS}/{name}" if self.seed is None else f"{ROBUSTNESS}/{name}/seed_{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Wanted:
    """What a user wants to see.

    Attributes:
        drops: modalities that are absent together.
        missing: modalities with the shares at which each of them is missing.
        units: what is missing at once, of all of these.
        block_frames: of `blocks`.
        snrs: ratios of speech to noise, in decibels.
        noise_folder: recordings of noise; None for white noise.
        num_seeds: draws of each share and ratio.

    Raises:
        MertkError: a value that means nothing.
    """

    drops: Sequence[tuple[str, ...]] = ()
    missing: Sequence[tuple[tuple[str, ...], Sequence[float]]] = ()
    units: str = UNITS[0]
    block_frames: int = 10
    snrs: Sequence[float] = ()
    noise_folder: Path | None = None
    num_seeds: int = 1

    def __post_init__(self) -> None:
        _expect(self.units in UNITS, "units", self.units, f"one of {', '.join(UNITS)}")
        _expect(self.block_frames >= 1, "block_frames", self.block_frames, "a number from 1")
        _expect(1 <= self.num_seeds <= MOST_SEEDS, "seeds", self.num_seeds, f"a number from 1 to {MOST_SEEDS}")
        for names, rates in self.missing:
            odd = next((rate for rate in rates if not 0 <= rate <= 1), None)
            _expect(odd is None, f"missing {'+'.join(names)}", odd, "shares from 0 to 1")
        odd = next((snr for snr in self.snrs if not abs(snr) <= MOST_DECIBELS), None)
        _expect(odd is None, "noise_snr", odd, f"decibels from {-MOST_DECIBELS:g} to {MOST_DECIBELS:g}")
        if self.noise_folder is not None and not self.snrs:
            raise MertkError("noise_folder is given without noise_snr; say how loud the noise shall be.")

    def __bool__(self) -> bool:
        return bool(self.drops or self.missing or self.snrs)

    def conditions(self, noise: str = WHITE) -> list[Condition]:
        """All that must be scored, each once: a share of 0 changes nothing, and one of 1 is a drop.

        Args:
            noise: what the noise is.
        """
        found = [Condition("drop", names) for names in self.drops]
        seeds = range(1, self.num_seeds + 1)
        block = self.block_frames if self.units == "blocks" else None
        for names, rates in self.missing:
            found += [Condition("drop", names)] * (1 in rates)
            between = itertools.product((rate for rate in rates if 0 < rate < 1), seeds)
            found += [Condition("missing", names, rate, self.units, block, seed=seed) for rate, seed in between]
        drawn = itertools.product(self.snrs, seeds)
        found += [Condition("noise", ("audio",), snr, noise=noise, seed=seed) for snr, seed in drawn]
        return list(dict.fromkeys(found))

    def check(self, modalities: Collection[str], run_dir: Path) -> None:
        """Refuse what a model has no input for, and what leaves it none.

        Args:
            modalities: what it takes.

        Raises:
            MertkError: names the modalities that it has.
        """
        takes = f"{run_dir} takes {' and '.join(modalities)}"
        for names in [*self.drops, *(names for names, _ in self.missing), *([("audio",)] if self.snrs else [])]:
            odd = [name for name in names if name not in modalities]
            if odd:
                raise MertkError(f"{takes}, no {odd[0]}, which therefore can be neither missing nor noisy.")
        rates = dict.fromkeys(self.drops, 1.0)
        for names, given in self.missing:
            rates[names] = max([rates.get(names, 0.0), *given])
        for names, rate in rates.items():
            if set(names) != set(modalities):
                continue
            if rate == 1:
                rates_below = (
                    "; let the rates of mertk evaluate --missing end below 1" if names not in self.drops else ""
                )
                raise MertkError(
                    f"{takes}, and without {' and '.join(names)} nothing is left to judge by; keep one{rates_below}."
                )
            if rate > 0 and self.units == "utterances":
                raise MertkError(
                    f"{takes}; were {' and '.join(names)} missing of whole utterances, nothing would be left of some. "
                    "Keep one, or let frames or blocks be missing (mertk evaluate --missing_units)."
                )


def _expect(is_so: bool, what: str, got: Any, expected: str) -> None:
    if not is_so:
        raise MertkError(f"{what}: got {got}, expected {expected}.")


def read_modalities(text: str) -> tuple[str, ...]:
    """Modalities that belong together, `audio+video`, in their order.

    >>> read_modalities("video+audio")
    ('audio', 'video')

    Raises:
        MertkError: one that there is not, or one twice.
    """
    names = text.split("+")
    if len(set(names)) < len(names) or not set(names) <= set(MODALITIES):
        raise MertkError(f"got {text!r}, expected one of {', '.join(MODALITIES)}, or several joined by +.")
    return tuple(name for name in MODALITIES if name in names)


def read_levels(text: str) -> list[float]:
    """Numbers separated by commas, or START:STOP:STEP, where the stop is one of them.

    >>> read_levels("0:0.3:0.1"), read_levels("20,10"), read_levels("10:-10:-10")
    ([0.0, 0.1, 0.2, 0.3], [20.0, 10.0], [10.0, 0.0, -10.0])

    Raises:
        MertkError: neither, or a step that does not lead to the stop.
    """
    try:
        numbers = [float(word) for word in text.split(":" if ":" in text else ",")]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(text)
        return list(dict.fromkeys(numbers if ":" not in text else _steps(*numbers)))
    except (ValueError, TypeError, ZeroDivisionError):
        raise MertkError(f"got {text!r}, expected numbers such as 0,0.5,1, or START:STOP:STEP.") from None


def _steps(start: float, stop: float, step: float) -> Iterator[float]:
    count = (stop - start) / step
    if not 0 <= count <= 10_000 or abs(count - round(count)) > 1e-6:
        raise ValueError(step)
    return (round(start + number * step, 10) for number in range(round(count) + 1))


def read_condition(results: Path) -> Condition:
    """What a results.json below `robustness` is of.

    Raises:
        MertkError: it does not say, or stands where scores of another condition belong.
    """
    remedy = "delete that folder and score again"
    content = read_json(results, dict[str, Any], remedy, has_nan=True)
    condition = convert(content.get("condition"), Condition, f"{results}: condition", remedy)
    if condition.kind not in ("drop", "missing", "noise") or not results.parent.match(condition.folder):
        raise MertkError(f"{results}: its condition is {content['condition']!r:.80}, not that of its folder; {remedy}.")
    return condition


def find_scored(run_dir: Path) -> dict[Condition, Path]:
    """By condition the folder of its scores, of those that were scored after the model of the run was trained."""
    scored = (file for file in sorted(run_dir.glob(CONDITIONS)) if is_scored(file.parent, run_dir))
    return {read_condition(file): file.parent for file in scored}


def is_scored(folder: Path, run_dir: Path) -> bool:
    """Whether the scores of a condition are there, whole, and newer than the model of the run."""
    results, model = folder / "results.json", run_dir / "best" / "model.json"
    if not (results.is_file() and (folder / "predictions.tsv").is_file()):
        return False
    return not model.is_file() or results.stat().st_mtime >= model.stat().st_mtime
