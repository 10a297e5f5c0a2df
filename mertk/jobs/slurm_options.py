"""What is asked of Slurm for each job: YAML files and `key=value`, in sbatch's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertk.content import AbsentError, read_yaml
from mertk.errors import MertkError

TASKS = "Accelerate starts the processes of a run: the recipes' --num_processes, or that of mertk launch"
#: options of sbatch that are not the user's to give, and why
TAKEN = {
    "array": "each run is a task of it; `parallel` is how many run at once",
    "chdir": "jobs run where they were submitted",
    "error": "logs go to the folder jobs of the experiment",
    "job-name": "it is the experiment's",
    "nodes": "a run of several nodes is a job script of its own, see docs/slurm.md",
    "ntasks": TASKS,
    "ntasks-per-node": TASKS,
    "output": "logs go to the folder jobs of the experiment",
    "signal": "`warning_seconds` is how long before the time limit a run is told to stop",
    "wrap": "the command is that of a run",
}


@dataclass(frozen=True)
class SlurmOptions:
    """What each job asks for.

    Attributes:
        time: minutes that a job may take; one that takes longer is put in the queue again and goes on.
        parallel: jobs that run at once, at most.
        restarts: times that a job may reach its time limit and go on.
        warning_seconds: how long before the time limit a job is told to save and stop.
        setup: shell lines before the job, such as `module load cuda`.
        sbatch: all else, by the names of sbatch's long options.
    """

    time: int = 24 * 60
    parallel: int = 256
    restarts: int = 20
    warning_seconds: int = 120
    setup: list[str] = field(default_factory=list)
    sbatch: dict[str, str | bool] = field(default_factory=dict)


def read_options(words: Sequence[str]) -> SlurmOptions:
    """Read YAML files and `key=value` in their order; what comes later wins.

    Raises:
        MertkError: a file that is missing or no mapping, a key that is not the user's, a value that is no number, a
            time limit that the warning before it uses up.
    """
    given: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        found = {key: value} if equals else _read_file(Path(word))
        given |= {str(name).replace("-", "_"): value for name, value in found.items()}
    own: dict[str, Any] = {}
    sbatch: dict[str, str | bool] = {}
    for name, value in given.items():
        option = name.replace("_", "-")
        if option in TAKEN:
            raise MertkError(f"--slurm {option}: this option of sbatch is not to be given; {TAKEN[option]}.")
        if name == "time":
            own[name] = minutes(value)
        elif name == "setup":
            own[name] = [value] if isinstance(value, str) else [str(line) for line in value or []]
        elif name in ("parallel", "restarts", "warning_seconds"):
            own[name] = _number(name, value)
        elif value in ("", None):
            raise MertkError(
                f"--slurm {option}: got no value; options of sbatch without one are written {option}=true."
            )
        elif value != "false":
            sbatch[option] = True if value == "true" else value
    options = SlurmOptions(**own, sbatch=sbatch)
    if options.warning_seconds * 2 > options.time * 60:
        raise MertkError(
            f"--slurm time: {options.time} minutes, of which warning_seconds={options.warning_seconds} are for saving, "
            "leave too little to get on in; give more time, or less warning."
        )
    return options


def minutes(text: str) -> int:
    """Minutes of a time as sbatch writes it.

    Raises:
        MertkError: it is none.

    >>> [minutes(text) for text in ("90", "8:00:00", "1-12", "2-00:30:00", "10:30")]
    [90, 480, 2160, 2910, 11]
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", str(text).strip())
    if match is None:
        raise MertkError(f"--slurm time={text}: expected minutes, hours:minutes:seconds or days-hours:minutes:seconds.")
    days, *words = match.groups()
    parts = [int(word) for word in words if word is not None]
    if days is not None:
        hours, own_minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, own_minutes, seconds = parts
    else:
        hours, (own_minutes, seconds) = 0, [*parts, 0][:2]
    total = (int(days or 0) * 24 + hours) * 60 + own_minutes + (1 if seconds else 0)
    if total < 1:
        raise MertkError(f"--slurm time={text}: a job without a time limit is not told to stop; give one.")
    return total


def _read_file(path: Path) -> dict[str, Any]:
    try:
        # As text: YAML takes 12:00:00 for a number in base 60.
        remedy = "expected lines `key: value`, options of sbatch by their long names"
        return read_yaml(path, dict[str, str | list[str]], remedy, is_text=True)
    except AbsentError as error:
        raise MertkError(f"--slurm {path}: no such file; settings are written key=value.") from error


def _number(name: str, value: Any) -> int:
    if not str(value).isdigit():
        raise MertkError(f"--slurm {name}={value}: expected a whole number.")
    return int(value)
