"""Memory and time of importing a feature file, at the sizes of CMU-MOSEI's unaligned features.

The file is made first, by a process of its own. The import runs in another one, whose peak memory is held against the
size of the file; what the interpreter and its libraries take is measured by a third and left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program
from mertk.errors import MertkError

MOST_MEMORY = 1.5

#: frames and widths: audio, vision, text
SIZES = {"audio": (500, 74), "vision": (375, 35), "text": (50, 768)}
SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}

MAKE = """\
import sys
from pathlib import Path
from benchmarks.import_features import write_file
write_file(Path(sys.argv[1]), float(sys.argv[2]))
"""
#: what a process of its own runs; without --features it ends when everything is imported
IMPORT = """\
import json, resource, sys, time
from mertk.data_prep import mmsa, mmsa_directory, mmsa_features
start = time.perf_counter()
code = mmsa.main(sys.argv[1:]) if len(sys.argv) > 1 else 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"code": code, "seconds": time.perf_counter() - start, "bytes": peak}))
"""


def write_file(path: Path, gigabytes: float) -> None:
    """A feature file of about this size; a few of its audio values are -inf, as in the published one."""
    import pickle

    import numpy as np

    rng = np.random.default_rng(0)
    count = round(gigabytes * 1e9 / (4 * sum(steps * width for steps, width in SIZES.values())))
    content = {}
    for name, share in SHARES.items():
        number = max(1, round(count * share))
        part = {key: rng.random((number, *size), dtype=np.float32) for key, size in SIZES.items()}
        part["audio"][0, 0, 0] = -np.inf
        tokens = np.zeros((number, 3, SIZES["text"][0]), dtype=np.float32)
        tokens[:, 1] = 1
        part |= {"text_bert": tokens, "id": [f"{name}{row // 10}$_${row}" for row in range(number)]}
        part |= {"raw_text": ["words"] * number, "regression_labels": rng.uniform(-3, 3, number).astype(np.float32)}
        for key in ("audio", "vision"):
            part[f"{key}_lengths"] = [SIZES[key][0]] * number
        content[name] = part
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)


def run(code: str, *arguments: str) -> str:
    """Last line that a process of its own prints.

    Raises:
        MertkError: it fails.
    """
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if ended.returncode != 0:
        raise MertkError(f"a process of the benchmark failed: {ended.stderr.strip()[-300:]}")
    return ended.stdout.strip().rpartition("\n")[2]


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("import_features", __doc__, "--gigabytes 1")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the file")
    parser.add_argument("--rounds", type=int, default=3, help="imports")
    arguments = parser.parse_args(argv)

    baseline = json.loads(run(IMPORT))["bytes"]
    found = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "unaligned.pkl"
        say(f"writing a file of {arguments.gigabytes:g} GB")
        run(MAKE, str(path), str(arguments.gigabytes))
        size = path.stat().st_size
        for turn in range(arguments.rounds):
            say(f"import {turn + 1} of {arguments.rounds}")
            out = ["--out", str(Path(name) / "data"), "--corpus", "mosei", "--features", str(path)]
            found.append(json.loads(run(IMPORT, *out)))
            if found[-1]["code"] != 0:
                raise MertkError(f"the import ended with {found[-1]['code']}.")
    figures = [
        figure(
            "peak memory over size of the file",
            [(one["bytes"] - baseline) / size for one in found],
            at_most=MOST_MEMORY,
            digits=3,
        ),
        figure("importing", [one["seconds"] for one in found], "s", digits=2),
        figure("size of the file", size / 1e9, "GB", digits=3),
        figure("interpreter and libraries", baseline / 1e9, "GB", digits=3),
    ]
    return finish("import_features", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
