"""How a training ends when one of its processes dies, or when it is asked to stop."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.kills import SETTINGS, start, what_it_did

#: what can befall process 1, and what is told of it
DEATHS = {
    "error": "error: this utterance cannot be read; look at it.",
    "fault": "ZeroDivisionError: a fault of ours",
    "kill": "error: process 1 of tests.reliability.training was ended by SIGKILL",
}


@dataclass(frozen=True)
class Ending:
    """The end of a training.

    Attributes:
        seconds: from the cause to the end of the last process.
        code: exit code of the launcher.
        said: all that it printed.
    """

    seconds: float
    code: int
    said: str


def let_a_process_die(run_dir: Path, how: str) -> Ending:
    """Two processes; the second fails in step 5 while the first waits for it in a collective."""
    process = start(run_dir, 2, "--fail", "1", "5", how, "--settings", *SETTINGS, "training.epochs=2")
    code = process.wait(timeout=300)
    seconds = time.time() - float((run_dir / "failed_at").read_text())
    return Ending(seconds, code, (run_dir / "said.txt").read_text())


def ask_to_stop(run_dir: Path, num_processes: int, number: signal.Signals, only_rank: int | None = None) -> Ending:
    """Send a signal behind step 5: to what was started, or to one of its processes alone."""
    import psutil

    process = start(run_dir, num_processes, "--seconds", "0.02", "--settings", *SETTINGS, "training.epochs=2")
    while process.poll() is None and not any(step >= 5 for step, _ in what_it_did(run_dir)):
        time.sleep(0.01)
    asked = time.monotonic()
    if only_rank is None:
        process.send_signal(number)
    else:
        children = psutil.Process(process.pid).children()
        (child,) = [child for child in children if child.environ().get("RANK") == str(only_rank)]
        child.send_signal(number)
    code = process.wait(timeout=300)
    return Ending(time.monotonic() - asked, code, (run_dir / "said.txt").read_text())


def measure_endings(folder: Path) -> dict[str, Ending]:
    """Every kind of ending once, by what happened."""
    endings = {}
    for how in DEATHS:
        print(f"process 1 of 2 ends: {how}", flush=True)
        endings[f"process 1 of 2: {how}"] = let_a_process_die(folder / how, how)
    for num_processes, number in ((1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGUSR1)):
        print(f"{number.name} to {num_processes} process(es)", flush=True)
        ending = ask_to_stop(folder / f"{num_processes}_{number.name}", num_processes, number)
        endings[f"{number.name} to a training of {num_processes} process(es)"] = ending
    return endings
