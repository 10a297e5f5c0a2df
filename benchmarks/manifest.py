"""Time and memory of loading a manifest of a million utterances: wav.scp and utt2label, checked line by line.

Every load runs in a process of its own, so that its peak memory is its own; the interpreter is included, starting it is
not timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish
from mertk.cli import program
from mertk.errors import MertkError

MOST_SECONDS, MOST_GIGABYTES = 3.0, 1.0
CLASSES = ("neutral", "happy", "angry", "sad")

#: what a process of its own runs
LOAD = """\
import json, resource, sys, time
from mertk.data.manifest import load_manifest
start, processor_start = time.perf_counter(), time.process_time()
manifest = load_manifest(sys.argv[1])
seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(json.dumps({"seconds": seconds, "processor": processor, "gigabytes": peak, "count": len(manifest)}))
"""


def write_directory(folder: Path, count: int) -> None:
    """A data directory of `count` utterances in ten thousand dialogues."""
    with (folder / "wav.scp").open("w", encoding="utf-8") as wav, (folder / "utt2label").open("w") as label:
        for number in range(count):
            dialogue = f"Ses{number * 10_000 // count:05d}F_impro"
            utterance = f"{dialogue}_F{number:07d}"
            wav.write(f"{utterance} /corpus/sentences/wav/{dialogue}/{utterance}.wav\n")
            label.write(f"{utterance} {CLASSES[number % len(CLASSES)]}\n")
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")


def load_once(folder: Path, count: int) -> dict[str, float]:
    """Seconds and peak GB of one load.

    Raises:
        MertkError: it fails or finds another number of utterances.
    """
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if ended.returncode != 0:
        raise MertkError(f"loading failed: {ended.stderr.strip()[-300:]}")
    found = json.loads(ended.stdout)
    if found["count"] != count:
        raise MertkError(f"{found['count']} utterances were loaded, expected {count}.")
    return found


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("manifest", __doc__, "--count 1000000")
    parser.add_argument("--count", type=int, default=1_000_000, help="utterances")
    parser.add_argument("--rounds", type=int, default=3, help="loads")
    arguments = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_directory(folder, arguments.count)
        found = [load_once(folder, arguments.count) for _ in range(arguments.rounds)]
    seconds, processor, gigabytes = ([load[key] for load in found] for key in ("seconds", "processor", "gigabytes"))
    figures = [
        figure(f"loading {arguments.count:,} utterances", seconds, "s", at_most=MOST_SECONDS, digits=2),
        figure("its processor time", processor, "s", digits=2),
        figure("peak memory", gigabytes, "GB", at_most=MOST_GIGABYTES, digits=3),
    ]
    return finish("manifest", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
