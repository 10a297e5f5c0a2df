"""How long a table of one's own takes to become a data directory, and the memory that takes.

Short wav files of many speakers are invented, each under several names (hard links, which a program cannot tell from
files of their own), with labels that differ in case, and a few rows that are of no use. A process of its own prepares
them, so that its largest memory is that of the preparation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program

MOST_SECONDS, MOST_GIGABYTES = 120, 1.0
EMOTIONS = ("neutral", "happy", "Happy", "sad", "angry")

#: files that are there once, and utterances of each speaker
NUM_SOUNDS, PER_SPEAKER = 500, 100

PREPARE = """
import json, resource, sys, time
from pathlib import Path
from mertk.data_prep.csv_table import prepare

started, processor = time.perf_counter(), time.process_time()
prepare([Path(sys.argv[1])], Path(sys.argv[2]), threads=int(sys.argv[3]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(json.dumps([time.perf_counter() - started, time.process_time() - processor, peak]))
"""


def write_corpus(folder: Path, num_rows: int) -> Path:
    """A table, and the files that its rows name but for every 1000th."""
    import numpy as np
    import soundfile

    generator = np.random.default_rng(0)
    sounds = folder / "sounds"
    sounds.mkdir()
    for number in range(min(NUM_SOUNDS, num_rows)):
        samples = generator.normal(0, 0.1, 1600 + 16 * number).astype(np.float32)
        soundfile.write(sounds / f"{number}.wav", samples, 16000, subtype="PCM_16")
    table = folder / "clips.tsv"
    with table.open("w", encoding="utf-8") as lines:
        lines.write("file\tspeaker\temotion\ttext\n")
        for number in range(num_rows):
            speaker = number // PER_SPEAKER
            file = Path(f"speaker {speaker}") / f"clip {number}.wav"
            (folder / file.parent).mkdir(exist_ok=True)
            if number % 1000:
                os.link(sounds / f"{number % NUM_SOUNDS}.wav", folder / file)
            label = EMOTIONS[generator.integers(len(EMOTIONS))]
            lines.write(f"{file}\ts{speaker}\t{label}\tsentence {number % 40}\n")
    return table


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("prepare", __doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2, help="that read headers")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args(argv)

    found = []
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        table = write_corpus(Path(name), arguments.rows)
        say(f"{arguments.rows} files made in {time.perf_counter() - started:.0f} s")
        for number in range(arguments.rounds):
            command = [sys.executable, "-c", PREPARE, str(table), str(Path(name) / f"data{number}")]
            done = subprocess.run(
                [*command, str(arguments.threads)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
            )
            found.append(json.loads(done.stdout.splitlines()[-1]))
            say(f"wall {found[-1][0]:.1f} s, processor {found[-1][1]:.1f} s, {found[-1][2]:.2f} GB")
    wall, processor, peak = zip(*found, strict=True)
    figures = [
        figure("rows prepared", wall, "s", at_most=MOST_SECONDS, digits=1),
        figure("the same by processor time", processor, "s", digits=1),
        figure("largest memory", peak, "GB", at_most=MOST_GIGABYTES, digits=2),
    ]
    return finish("prepare", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
