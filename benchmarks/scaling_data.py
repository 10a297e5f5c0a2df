"""What a process pays before its first step, and at each epoch, as the number of utterances grows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.manifest import write_directory
from benchmarks.measuring import ROOT
from mertk.errors import MertkError

#: of a program that runs in a process of its own: `peak`, GB. Not from getrusage, which starts at the parent's peak.
PEAK = """\
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e9
"""

#: what a process of its own runs: all that a training process does with the list of utterances
OPEN = f"""\
{PEAK}
import json, sys, time
import numpy as np
from mertk.config import DataConfig, InputConfig
from mertk.data.parts import open_part
from mertk.tasks import find_task
from mertk.data.sampler import BatchPlan
directory, batch_size = sys.argv[1], int(sys.argv[2])
def timed(work):
    start = time.process_time()
    value = work()
    return value, time.process_time() - start
before = peak()
config = DataConfig(directory=directory, train=directory + "/train.ids", inputs=dict(video=InputConfig()))
part, opening = timed(lambda: open_part(config, "train", find_task("classification")))
lengths, measuring = timed(part.dataset.lengths)
after = peak()
plan = BatchPlan(lengths, part.dataset.labels, batch_size)
_, planning = timed(lambda: plan.batches(0))
print(json.dumps(dict(opening=opening, lengths=measuring, planning=planning, gigabytes=after - before,
                      count=len(part.dataset))))
"""

#: an epoch's plan alone, for as many utterances as no list of names is made for here
PLAN = f"""\
{PEAK}
import json, sys, time
import numpy as np
from mertk.data.sampler import BatchPlan
count, batch_size = int(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(0)
lengths, classes = random.uniform(30, 180, count), random.integers(4, size=count)
before, start = peak(), time.process_time()
plan = BatchPlan(lengths, classes, batch_size)
batches = plan.batches(0)
print(json.dumps(dict(seconds=time.process_time() - start, gigabytes=peak() - before, batches=len(batches))))
"""


def write_data(folder: Path, count: int) -> None:
    """A data directory of `count` utterances with video features, all of which are the same matrix on disk."""
    from mertk.data.feature_store import FeatureRecord, FeatureWriter, finished_entries

    write_directory(folder, count)
    ids = [line.split(" ", 1)[0] for line in (folder / "utt2label").read_text(encoding="utf-8").splitlines()]
    (folder / "train.ids").write_text("".join(f"{utterance}\n" for utterance in ids), encoding="utf-8")
    features = folder / "features/video"
    with FeatureWriter(features, FeatureRecord("video", "benchmark", "random", "none", "last", 30.0, 4)) as writer:
        writer.write(ids[0], np.zeros((30, 4), dtype=np.float32))
    ((_, entry),) = finished_entries(features).items()
    with (features / "features.scp").open("w", encoding="utf-8") as places:
        places.writelines(f"{utterance} {entry.part}:{entry.offset}\n" for utterance in ids)
    with (features / "utt2num_frames").open("w", encoding="utf-8") as lengths:
        lengths.writelines(f"{utterance} 30\n" for utterance in ids)


def run_once(program: str, *arguments: object) -> dict[str, float]:
    """What a program in a process of its own prints.

    Raises:
        MertkError: it fails.
    """
    command = [sys.executable, "-c", program, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if ended.returncode != 0:
        raise MertkError(f"measuring failed: {ended.stderr.strip()[-300:]}")
    return json.loads(ended.stdout)


def answer_bytes(num_classes: int = 4, count: int = 10_000) -> float:
    """Bytes an utterance of what a process tells the others of its part's answers (`mertk.training.scoring`)."""
    import pickle

    rows = [
        (f"Ses{number % 100:05d}F_impro_F{number:07d}", np.zeros(num_classes, dtype=np.float32), np.int64(1))
        for number in range(count)
    ]
    return len(pickle.dumps(rows)) / count
