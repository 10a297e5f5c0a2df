"""Tell whether this machine, its packages and what was named on the command line are fit for a run.

One line a check: ok, warn (goes on, but read it) or FAIL with what to do about it. Exit code 1 when anything failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.checkup.finding import Finding
from mertk.checkup.folders import check_caches, check_temporary, check_writable
from mertk.checkup.needs import check_config, named_weights, used_inputs
from mertk.checkup.software import (
    check_codecs,
    check_devices,
    check_python,
    check_speech_features,
    check_versions,
    missing_packages,
)
from mertk.checkup.weights import check_clip, check_tokenizer, check_weights
from mertk.cli import make_parser, program

if TYPE_CHECKING:
    import argparse

EXAMPLE = """\
python -m mertk.bin.doctor
python -m mertk.bin.doctor --corpus /corpora/IEMOCAP_full_release --writable data exp --num_processes 4 \\
    --config recipes/iemocap/foal/conf/foal.yaml -- training.epochs=10"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--corpus", type=Path, metavar="PATH", help="corpus to look into")
    parser.add_argument("--corpus_name", metavar="NAME", help="which it must be, such as iemocap (whichever it is)")
    parser.add_argument("--config", nargs="+", metavar="YAML", help="configuration of the run, files merged in order")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="WEIGHTS", help="hub ids or folders that are needed"
    )
    parser.add_argument("--clip", metavar="WEIGHTS", help="the same of a CLIP model, for features of pictures")
    parser.add_argument("--tokenizer", metavar="WEIGHTS", help="a text encoder whose tokenizer is needed")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="table of labels, for that in the corpus")
    parser.add_argument("--sessions", metavar='"1 2"', help="the sessions of IEMOCAP that are used (all five)")
    parser.add_argument("--writable", nargs="+", type=Path, default=[], metavar="DIR", help="where a run writes to")
    parser.add_argument("--num_processes", default="auto", metavar="N", help="number of processes wanted, or auto")
    parser.add_argument(
        "--missing",
        choices=("run", "dev"),
        help="only list packages that are not installed; exit code 1 if there are any",
    )
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of --config")
    arguments = parser.parse_args(argv)
    if arguments.missing:
        missing = missing_packages(arguments.missing)
        print("\n".join(missing), end="\n" if missing else "")
        return 1 if missing else 0
    if arguments.num_processes != "auto" and not re.fullmatch("[1-9][0-9]*", arguments.num_processes):
        parser.error(f"--num_processes {arguments.num_processes}: expected a positive number or auto")
    if arguments.sessions is not None and not re.fullmatch("[0-9 ,]*[1-9][0-9 ,]*", arguments.sessions):
        parser.error(f'--sessions: expected numbers like "1 2 3", got {arguments.sessions!r}')

    worst = 0
    for finding in examine(arguments):
        print(f"{finding.status:4}  {finding.what:14}  {finding.told}", flush=True)
        worst = max(worst, ("ok", "warn", "FAIL").index(finding.status))
    print(("all well", "fit, with warnings", "not fit: mend what says FAIL and run again")[worst])
    return 1 if worst == 2 else 0


def examine(arguments: argparse.Namespace) -> Iterator[Finding]:
    """All checks that the arguments ask for, cheap ones first."""
    yield check_python()
    missing = missing_packages("run")
    if missing:
        yield Finding("FAIL", "packages", f"missing: {', '.join(missing)}; pip install -c constraints.txt -e .")
        return
    yield check_versions()
    for directory in arguments.writable:
        yield check_writable(directory)
    yield from check_temporary()
    yield from check_caches()
    inputs, weights = None, list(arguments.weights)
    if arguments.config:
        finding, config = check_config(arguments.config, arguments.settings)
        yield finding
        if config is not None:
            inputs = used_inputs(config)
            weights += [value for _, value in named_weights(config.model)]
    if arguments.corpus:
        from mertk.data_prep.corpora import check_corpus

        sessions = list(map(int, (arguments.sessions or "").replace(",", " ").split()))
        options = {"sessions": sessions, "labels": arguments.labels}
        yield check_corpus(arguments.corpus, inputs, arguments.corpus_name, **options)
    yield check_codecs()
    yield from check_devices(arguments.num_processes)
    if makes_speech_features(arguments.corpus, inputs):
        yield check_speech_features()
    if arguments.clip:
        yield check_clip(arguments.clip)
    if arguments.tokenizer:
        yield check_tokenizer(arguments.tokenizer)
    for name in dict.fromkeys(weights):
        yield check_weights(name)


def makes_speech_features(corpus: Path | None, inputs: dict[str, str] | None) -> bool:
    """Whether librosa's features are made: of recordings with a label.csv, or nobody knows of what."""
    if inputs is None:
        return corpus is None or (corpus / "Raw").is_dir()
    return corpus is not None and (corpus / "Raw").is_dir() and inputs.get("audio") == "features"


if __name__ == "__main__":
    raise SystemExit(main())
