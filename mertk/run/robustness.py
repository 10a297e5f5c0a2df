"""Score trained models again with modalities absent, partly missing or noisy (`mertk.run.conditions`)."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.batch import MODALITIES
from mertk.data.absence import Absence
from mertk.data.changed_input import ChangedInput
from mertk.data.dataset import UtteranceDataset
from mertk.data.noise import UtteranceNoise, check_noises, find_noises
from mertk.features import Places
from mertk.run.conditions import WHITE, Condition, Wanted, is_scored
from mertk.run.evaluation import evaluate, find_finished_runs, open_run, run_model, tell_scores, write_results
from mertk.run.noisy_features import NoisyFeatures

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import InputConfig
    from mertk.data.inputs import Input

#: a frame of a waveform, of which models take samples
SOUND_FRAME_SECONDS = 0.02


def evaluate_conditions(
    directories: Sequence[Path],
    wanted: Wanted,
    num_processes: int | None = None,
    again: bool = False,
    trusted: Sequence[str] = (),
    places: Places | None = None,
    tell: Callable[[str], object] = print,
    whole_process: bool = False,
    finish: Callable[[Path], object] | None = None,
    summarize: Callable[[list[Path]], object] | None = None,
) -> list[Path]:
    """Score every finished run at or below `directories`, as it is and under the conditions; the directories of all.

    What was scored before is kept, unless `again`; results.json and predictions.tsv of a run stay what they are.

    Args:
        places: where encoders are that are not where they were: of features that are made of noisy recordings, and
            those that stand beside adapters of a model.
        summarize: what is done with the runs at the end, on the main process.

    Others as `mertk.run.evaluation.evaluate` has them.

    Raises:
        MertkError: as `evaluate`; a model that has no such modality, or none left; noise that cannot be had, or
            features that cannot be made of noisy recordings.
    """
    for run_dir in find_finished_runs(directories):
        wanted.check(modalities_of(run_dir), run_dir)
    noises = () if wanted.noise_folder is None else tuple(find_noises(wanted.noise_folder.expanduser()))
    check_noises(noises)
    conditions = wanted.conditions(WHITE if wanted.noise_folder is None else name_noises(wanted.noise_folder, noises))

    def score_conditions(accelerator: Accelerator, runs: list[Path]) -> None:
        from mertk.distributed import gather_objects
        from mertk.progress_bar import progress

        pairs = itertools.product(runs, conditions)
        todo = [(run, one) for run, one in pairs if again or not is_scored(run / one.folder, run)]
        todo = gather_objects(todo)[0]
        steps = progress(todo, len(todo), "conditions scored", accelerator.is_main_process and bool(todo))
        for run_dir, of_run in itertools.groupby(steps, key=itemgetter(0)):
            scoring = _Scoring(accelerator, run_dir, noises, trusted, places or Places())
            if any(run == run_dir and one.kind == "noise" for run, one in todo):
                scoring.prepare_noise()
            for _, condition in of_run:
                scoring.score(condition)
        if accelerator.is_main_process:
            tell(f"conditions: {len(todo)} scored now, {len(runs) * len(conditions) - len(todo)} were before")
            if summarize is not None:
                summarize(runs)

    done = {"finish": finish, "then": score_conditions, "places": places}
    return evaluate(directories, "test", num_processes, again, trusted, tell, whole_process, **done)


def modalities_of(run_dir: Path) -> list[str]:
    """What the model of a run takes, by its configuration."""
    from mertk.config import load_config

    config = load_config([run_dir / "config.yaml"])
    used = config.model.get("modalities") or MODALITIES
    return [name for name in MODALITIES if name in config.data.inputs and name in used]


def name_noises(folder: Path, files: Sequence[Path]) -> str:
    """What recordings of noise are called: their folder's name, and a digest of what is in it."""
    told = "\n".join(f"{file.relative_to(folder.expanduser())}\t{file.stat().st_size}" for file in files)
    digest = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = re.sub(r"[^\w.-]", "-", folder.expanduser().resolve().name)[:60]
    return f"{name}-{digest}"


class _Scoring:
    """One run, which is opened once for all conditions."""

    def __init__(
        self,
        accelerator: Accelerator,
        run_dir: Path,
        noises: tuple[Path, ...],
        trusted: Sequence[str],
        places: Places,
    ) -> None:
        self.accelerator, self.run_dir, self.noises = accelerator, run_dir, noises
        self.config, self.saved, self.part = open_run(run_dir, "test", trusted, places)
        self._trusted, self._places = trusted, places

    def prepare_noise(self) -> None:
        """Find out whether noise can be had, before anything is scored.

        Raises:
            MertkError: features that cannot be made of noisy recordings.
        """
        if self.config.data.inputs["audio"].kind != "waveform":
            _ = self._features

    def score(self, condition: Condition) -> None:
        """Score the model under a condition; the main process writes the files."""
        clean = self.part.dataset
        changed = change_inputs(clean.inputs, condition, self.config.data.inputs, self.noises, self._noisy_features)
        dataset = UtteranceDataset(clean.ids, changed, clean.labels)
        # An extractor computes on the device of this process, not of those that read for it.
        num_workers = 0 if any(isinstance(source, NoisyFeatures) for source in changed.values()) else None
        scores = run_model(self.accelerator, self.config, self.saved, dataset, num_workers)
        if self.accelerator.is_main_process:
            about = self.run_dir, self.config, self.saved, self.part, "test", scores
            results, rows = tell_scores(self.accelerator, *about)
            results |= {"condition": condition.as_dict()}
            write_results(self.run_dir / condition.folder, "test", results, rows)

    @functools.cached_property
    def _features(self) -> NoisyFeatures:
        """Made once for a run: its extractor may hold a large encoder."""
        inputs, given = self.part.dataset.inputs, self.config.data.inputs
        device = self.accelerator.device
        manifest = self.part.manifest
        return NoisyFeatures(inputs["audio"], given["audio"], manifest, self._places, device, self._trusted)

    def _noisy_features(self, noise: UtteranceNoise) -> NoisyFeatures:
        return self._features.under(noise)


def change_inputs(
    inputs: Mapping[str, Input],
    condition: Condition,
    given: Mapping[str, InputConfig],
    noises: tuple[Path, ...],
    noisy_features: Callable[[UtteranceNoise], Input],
) -> dict[str, Input]:
    """The inputs of a model by modality, as they are under a condition.

    Args:
        given: their configuration.
        noises: recordings of noise; none for white noise.
        noisy_features: makes the input of features of noisy recordings.
    """
    changed = dict(inputs)
    if condition.kind == "noise":
        noise = UtteranceNoise(condition.level, condition.seed or 0, noises)
        if given["audio"].kind == "waveform":
            over = functools.partial(noise.over, sample_rate_hz=given["audio"].sample_rate_hz)
            return changed | {"audio": ChangedInput(inputs["audio"], over)}
        return changed | {"audio": noisy_features(noise)}
    for name in condition.modalities:
        absence = Absence(condition.level, condition.seed or 0, name, _unit(condition, given[name]))
        changed[name] = ChangedInput(inputs[name], absence.of)
    return changed


def _unit(condition: Condition, given: InputConfig) -> int | None:
    """Frames, or samples, that are missing at once; None for all that there is of an utterance."""
    if condition.units in (None, "utterances"):
        return None
    frame = round(SOUND_FRAME_SECONDS * given.sample_rate_hz) if given.kind == "waveform" else 1
    return frame * (condition.block_frames or 1)
