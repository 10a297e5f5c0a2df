"""What a run tells the world: log lines, a progress bar, a history file, and Accelerate's trackers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.atomic import write_text
from mertk.screen import columns, duration
from mertk.screen_log import ScreenHandler
from mertk.tasks import is_smaller_better
from mertk.training.epoch_line import LEGEND, epoch_line, tell_figure
from mertk.training.tracked_names import tracked
from mertk.training.trackers import make_own_trackers

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.training.progress import Progress

#: under which trackers that are shared by many projects keep all runs
PROJECT = "mertk"
#: what trackers of Accelerate call the name of a single run; the others choose one themselves
RUN_NAME_KEYWORDS = {
    "clearml": "task_name",
    "mlflow": "run_name",
    "swanlab": "experiment_name",
    "trackio": "name",
    "wandb": "name",
}
#: characters of a run's name that all trackers take
LONGEST_NAME = 128
#: without a bar, seconds after which an epoch that goes on says how far it is
LINE_SECONDS = 60.0


@contextlib.contextmanager
def log_lines(is_main: bool, file: Path | None = None, whole_process: bool = False) -> Iterator[None]:
    """Within, log lines go to the terminal and to `file` from the main process; others only speak of trouble.

    The file has time, level and all figures of a line, the terminal what a reader wants of it (`mertk.screen_log`).

    Args:
        whole_process: what other libraries log is told too, in our form, as a program likes it. Otherwise the logging
            of the process stays as it is: lines of mertk go to `file` too, and to the terminal if nobody set up a
            place for them, and a level that was set for the logger `mertk` stays.
    """
    logger = logging.getLogger(None if whole_process else "mertk")
    handlers: list[logging.Handler] = []
    if whole_process or not logger.hasHandlers():
        handlers.append(ScreenHandler())
    if is_main and file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8", errors="backslashreplace"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    before = logger.handlers[:], logger.level, logging.raiseExceptions
    logger.handlers[:] = handlers if whole_process else [*logger.handlers, *handlers]
    if whole_process or logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO if is_main else logging.ERROR)
    # A log file on a full disk would print a stack trace for every line it does not take.
    logging.raiseExceptions = False
    if whole_process:
        for name in ("httpx", "urllib3", "matplotlib", "accelerate"):
            logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler in handlers:
            with contextlib.suppress(OSError):  # what a full disk did not take
                handler.close()
        logger.handlers[:], level, logging.raiseExceptions = before
        logger.setLevel(level)


class Tracking:
    """Progress and figures of one training run; silent on every process but the main one."""

    def __init__(self, accelerator: Accelerator, run_dir: Path, settings: dict[str, Any], total_steps: int) -> None:
        self.accelerator = accelerator
        self.history = run_dir / "history.jsonl"
        self.is_main = accelerator.is_main_process
        self.log = logging.getLogger("mertk.train")
        self.bar = None
        if self.is_main and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from tqdm import tqdm

            self.bar = tqdm(total=total_steps, desc="train", unit="step", dynamic_ncols=True, leave=False)
        self._settings = settings
        self._monitor = settings["training"]["monitor"]
        self._lines: list[str] = []
        self._trackers_work = True
        self._last_time = self._said = self._began = time.perf_counter()
        self._utterances = 0

    def start(self, progress: Progress) -> None:
        """Begin, or go on behind the step of `progress`: what was told of later ones belongs to work that was lost."""
        if self.bar is not None:
            self.bar.update(progress.step)
        self._start_trackers(progress.step)
        if self.is_main and not progress.stopped:
            self.say(LEGEND)
        if self.is_main and self.history.exists():
            lines = self.history.read_text(encoding="utf-8", errors="replace").splitlines()
            self._lines = [line for line in lines if 0 <= _epoch_of(line) < progress.epoch]
        self._last_time = self._said = self._began = time.perf_counter()

    def _start_trackers(self, step: int) -> None:
        run_name = name_run(self._settings["run"], self._settings["training"]["seed"])
        own = self._settings["training"]["trackers"] if self.is_main else []
        trackers = [*self.accelerator.log_with, *make_own_trackers(own, run_name, self.history.parent)]
        if not trackers:
            return
        from mertk.training.tensorboard import TensorBoard

        # TensorBoard would take the name of the project for its folder in the run directory.
        folder = self.accelerator.logging_dir
        self.accelerator.log_with = [
            TensorBoard("tensorboard", folder, purge_step=step + 1) if str(name) == "tensorboard" else name
            for name in trackers
        ]
        names = {tracker: {keyword: run_name} for tracker, keyword in RUN_NAME_KEYWORDS.items()}
        self.accelerator.init_trackers(PROJECT, config=_flat(self._settings), init_kwargs=names)

    def step(self, num_utterances: int) -> None:
        """Count one optimizer step over `num_utterances`."""
        self._utterances += num_utterances
        if self.bar is not None:
            self.bar.update(1)

    def report_step(self, step: int, epoch: int, figures: dict[str, float]) -> None:
        """Say how the steps since the last report went."""
        now = time.perf_counter()
        rate = self._utterances / max(now - self._last_time, 1e-9)
        self._last_time, self._utterances = now, 0
        self._track(tracked("train", figures | {"utterances_per_second": rate}), step)
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{figures['loss']:.4f}", utterances=f"{rate:.0f}/s")
        elif self.is_main:
            told = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
            screen = ""
            if now - self._said > LINE_SECONDS:
                self._said = now
                screen = f"epoch {epoch:3}  step {step}, loss {figures['loss']:.3f}, {rate:.0f} utterances/s"
            line = "epoch %d step %d %s (%.0f utterances/s)"
            self.log.info(line, epoch, step, told, rate, extra={"screen": screen})

    def report_epoch(self, record: dict[str, Any]) -> None:
        """One line for the history, one on the terminal, and figures under `validation/` for the trackers."""
        now, began = time.perf_counter(), self._began
        self._last_time = self._said = self._began = now
        self._utterances = 0
        if not self.is_main:
            return
        self._lines.append(json.dumps(record))
        metrics = record["validation"]
        self._track(tracked("validation", metrics), record["step"])
        told = " ".join(f"{name} {value:.4f}" for name, value in metrics.items()) or "no validation part"
        screen = epoch_line(record, self._monitor, columns(), duration(now - began))
        line = "epoch %d (step %d): %s%s"
        self.say(line, record["epoch"], record["step"], told, " *" if record["best"] else "", screen=screen)

    def report_end(self, progress: Progress) -> None:
        """Say which epoch is the best, and how long all of it took."""
        if not self.is_main:
            return
        best = f"best epoch {progress.best_epoch}"
        if progress.best is not None:
            value = -progress.best if is_smaller_better(self._monitor) else progress.best
            best += f", {tell_figure(self._monitor, value)}"
        why = ", since when none was better" if progress.stopped == "early" else ""
        self.say("%s%s; trained for %s", best, why, duration(progress.seconds))

    def write_history(self) -> None:
        """Write history.jsonl, one line an epoch; whole, so that a full disk or a crash tears no line."""
        write_text(self.history, "".join(line + "\n" for line in self._lines))

    def _track(self, figures: dict[str, float], step: int) -> None:
        if not (self.accelerator.log_with and figures and self._trackers_work):
            return
        try:
            self.accelerator.log(figures, step)
        except OSError as error:  # most likely a full disk; TensorBoard does not recover from it
            self._trackers_work = False
            self.log.warning("trackers get no figures from step %d on: %s", step, error)

    def say(self, message: str, *values: Any, screen: str | None = None) -> None:
        """A log line that does not break the progress bar; `screen` are its words on the terminal, where others."""
        extra = {"screen": screen}
        if self.bar is None:
            self.log.info(message, *values, extra=extra)
        else:
            from tqdm.contrib.logging import logging_redirect_tqdm

            loggers = [one for one in (logging.getLogger(), logging.getLogger("mertk")) if one.handlers]
            with logging_redirect_tqdm(loggers=loggers):
                self.log.info(message, *values, extra=extra)

    def close(self) -> None:
        """Finish bar and trackers; `Accelerator.end_training` would take the process group down as well."""
        if self.bar is not None:
            self.bar.close()
        for tracker in self.accelerator.trackers:
            with contextlib.suppress(OSError):  # told before, or nothing that the training depends on
                tracker.finish()


def name_run(run: dict[str, Any], seed: int) -> str:
    """What a run is called among all others.

    >>> run = {"recipe": "iemocap/foal", "variant": "paper", "ablation": "audio", "cv": "session", "protocol": "clean"}
    >>> name_run(run | {"fold": 1, "settings": ["training.epochs=3"]}, 1234)
    'iemocap/foal paper audio session-clean fold_1 seed_1234 training.epochs=3'
    """
    kind = f"{run['recipe']} {run['variant']} {run['ablation']}"
    name = f"{kind} {run['cv']}-{run['protocol']} fold_{run['fold']} seed_{seed}"
    name = " ".join([name, *(run.get("settings") or ())])
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]} {zlib.crc32(name.encode()):08x}"


def _epoch_of(line: str) -> int:
    """The epoch that a line of the history tells of; -1 for one that a crash tore."""
    try:
        epoch = json.loads(line)["epoch"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return -1
    return epoch if isinstance(epoch, int) else -1


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `a.b` keys with values that every tracker takes."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            told = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
            flat[prefix + name] = value if isinstance(value, (int, float, str, bool)) else told
    return flat
