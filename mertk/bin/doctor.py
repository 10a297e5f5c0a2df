"""Tell whether this machine, its packages and what was named on the command line are fit for a run.

One line a check: ok, warn (goes on, but read it) or FAIL with what to do about it. Exit code 1 when anything failed.
"""

from __future__ import annotations

import configparser
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mertk.cli import make_parser, program

EXAMPLE = """\
python -m mertk.bin.doctor
python -m mertk.bin.doctor --corpus /corpora/IEMOCAP_full_release --writable data exp --num_processes 4 \\
    --config recipes/iemocap/foal/conf/foal.yaml -- training.epochs=10"""

ROOT = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = (3, 10)
#: a writable folder with less room than this many GB is an error, or worth a warning
LEAST_GB, COMFORTABLE_GB = 0.1, 20.0


class Finding(NamedTuple):
    """One line of the report."""

    status: str  # ok | warn | FAIL
    what: str
    told: str


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--corpus", type=Path, metavar="PATH", help="corpus to look into")
    parser.add_argument("--config", nargs="+", metavar="YAML", help="configuration of the run, files merged in order")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="WEIGHTS", help="hub ids or folders that are needed"
    )
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

    worst = 0
    for finding in examine(arguments):
        print(f"{finding.status:4}  {finding.what:14}  {finding.told}", flush=True)
        worst = max(worst, ("ok", "warn", "FAIL").index(finding.status))
    print(("all well", "fit, with warnings", "not fit: mend what says FAIL and run again")[worst])
    return 1 if worst == 2 else 0


def examine(arguments) -> Iterator[Finding]:
    """All checks that the arguments ask for, cheap ones first."""
    yield check_python()
    missing = missing_packages("run")
    if missing:
        yield Finding("FAIL", "packages", f"missing: {', '.join(missing)}; pip install -c constraints.txt -e .")
        return
    yield check_versions()
    for directory in arguments.writable:
        yield check_writable(directory)
    if arguments.corpus:
        yield check_corpus(arguments.corpus)
    weights = list(arguments.weights)
    if arguments.config:
        finding, named = check_config(arguments.config, arguments.settings)
        yield finding
        weights += named
    yield check_codecs()
    yield from check_devices(arguments.num_processes)
    for name in dict.fromkeys(weights):
        yield check_weights(name)


def check_python() -> Finding:
    told = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("FAIL", "python", f"{told}; mertk needs {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return Finding("ok", "python", told)


def missing_packages(purpose: str) -> list[str]:
    """Names of packages that setup.cfg asks for and that are not installed.

    Args:
        purpose: "run", or "dev" for what the tests need too.
    """
    setup = configparser.ConfigParser()
    if setup.read(ROOT / "setup.cfg", encoding="utf-8"):
        wanted = setup["options"]["install_requires"].split("\n")
        if purpose == "dev":
            wanted += setup["options.extras_require"]["dev"].split("\n")
    else:  # installed without a checkout
        wanted = metadata.requires("mertk") or []
        wanted = [line for line in wanted if "extra ==" not in line or (purpose == "dev" and "dev" in line)]
    names = [match.group() for line in wanted if (match := re.match(r"[A-Za-z0-9_.-]+", line))]
    return [name for name in names if not is_installed(name)]


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_versions() -> Finding:
    """Installed versions against constraints.txt."""
    from packaging.requirements import Requirement

    path = ROOT / "constraints.txt"
    if not path.is_file():
        return Finding("warn", "packages", "no constraints.txt beside the package; versions were not compared")
    differing = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if (pin.marker is None or pin.marker.evaluate()) and is_installed(pin.name):
            version = metadata.version(pin.name)
            if not pin.specifier.contains(version, prereleases=True):
                differing.append(f"{pin.name} {version} (tested: {str(pin.specifier).lstrip('=')})")
    if differing:
        return Finding("warn", "packages", f"other versions than tested: {', '.join(differing)}")
    return Finding("ok", "packages", "as in constraints.txt")


def check_writable(directory: Path) -> Finding:
    """Whether files can be made in `directory` (or where it will be made), and how much room there is.

    A directory whose stages are done may be one that is shared to be read (see `mertk.bin.stage`).
    """
    import errno
    import shutil
    import tempfile

    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        return Finding("FAIL", "writable", f"{existing} is a file; choose another directory than {directory}")
    try:
        with tempfile.NamedTemporaryFile(dir=existing):
            pass
    except OSError as error:
        # Marks are named by the number of their stage; stage 0 leaves nothing to train on.
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and any(directory.glob(".done/[1-9]*")):
            told = f"{directory}: {error.strerror}; stages are done there, one that has to run again will fail"
            return Finding("warn", "writable", told)
        return Finding("FAIL", "writable", f"{existing}: {error.strerror}; choose another directory than {directory}")
    free = shutil.disk_usage(existing).free / 1e9
    told = f"{directory}: {free:.2g} GB free" if free < 10 else f"{directory}: {free:.0f} GB free"
    if free < LEAST_GB:
        return Finding("FAIL", "writable", f"{told}; make room")
    if free < COMFORTABLE_GB:
        return Finding("warn", "writable", f"{told}; checkpoints of a large encoder take several GB each")
    return Finding("ok", "writable", told)


def check_corpus(corpus: Path) -> Finding:
    """Whether a corpus looks like one: a feature file, recordings with a label.csv, or the folders of IEMOCAP."""
    if corpus.is_file():
        return Finding("ok", "corpus", f"{corpus}: a feature file of {corpus.stat().st_size / 1e6:.0f} MB")
    if not corpus.is_dir():
        return Finding("FAIL", "corpus", f"{corpus}: no such file or directory; mend the path")
    if (corpus / "label.csv").is_file() or (corpus / "Raw").is_dir():
        return check_recordings(corpus)
    return check_iemocap(corpus)


def check_recordings(corpus: Path) -> Finding:
    """Whether recordings come with their labels."""
    missing = [name for name in ("label.csv", "Raw") if not (corpus / name).exists()]
    if missing:
        return Finding("FAIL", "corpus", f"{corpus}: {missing[0]} missing; expected label.csv and Raw/VIDEO/CLIP.mp4")
    return Finding("ok", "corpus", f"{corpus}: {sum(1 for _ in (corpus / 'Raw').glob('*/*.mp4'))} recordings")


def check_iemocap(corpus: Path) -> Finding:
    """Whether the folders of IEMOCAP are there."""
    parts = ("dialog/EmoEvaluation", "dialog/transcriptions", "dialog/avi/DivX", "sentences/wav")
    missing = [
        f"Session{k}/{part}" for k in range(1, 6) for part in parts if not (corpus / f"Session{k}" / part).is_dir()
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Finding("FAIL", "corpus", f"{corpus}: {missing[0]}{more} missing; is it IEMOCAP_full_release, unpacked?")
    kind = "miniature" if (corpus / "MINIATURE.json").exists() else "five sessions"
    return Finding("ok", "corpus", f"{corpus}: {kind}")


def check_config(files: list[str], settings: list[str]) -> tuple[Finding, list[str]]:
    """Whether the configuration can be read, and the pretrained weights it names."""
    from mertk.components import check
    from mertk.config import as_dict, load_config
    from mertk.errors import MertkError

    try:
        config = load_config(files, settings)
        check(config.model, "model")
    except MertkError as error:
        return Finding("FAIL", "configuration", str(error)), []
    told = " + ".join([Path(file).name for file in files] + settings)
    return Finding("ok", "configuration", told), list(named_weights(as_dict(config)["model"]))


def named_weights(mapping: dict) -> Iterator[str]:
    """Values of all keys called `weights`, at any depth."""
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from named_weights(value)
        elif key == "weights" and isinstance(value, str):
            yield value


def check_codecs() -> Finding:
    """Whether the libraries that read sound and pictures load, with the codecs that IEMOCAP needs."""
    try:
        import av
        import soundfile

        for codec in ("mpeg4", "rawvideo"):
            av.codec.Codec(codec, "r")
    except Exception as error:  # a broken shared library raises anything
        return Finding(
            "FAIL", "sound, video", f"{error!r}; pip install -c constraints.txt --force-reinstall av soundfile"
        )
    return Finding("ok", "sound, video", f"soundfile {soundfile.__version__}, PyAV {av.__version__} with MPEG-4")


def check_devices(num_processes: str) -> Iterator[Finding]:
    """Whether torch and its companions load, and the devices against the number of processes."""
    try:
        import accelerate
        import torch
        import transformers
    except Exception as error:  # a broken installation raises anything
        yield Finding("FAIL", "libraries", f"{error!r}; pip install -c constraints.txt --force-reinstall -e .")
        return
    versions = [f"{module.__name__} {module.__version__}" for module in (torch, accelerate, transformers)]
    yield Finding("ok", "libraries", ", ".join(versions))
    wanted = 0 if num_processes == "auto" else int(num_processes)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        properties = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        told = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB, {'bf16' if has_bf16 else 'fp16'}"
        yield Finding("ok", f"cuda:{index}", told)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count == 0:
        yield Finding("ok", "devices", f"no GPU; {cores} cores. Fine for a miniature, too slow for large encoders")
    most = count or cores
    if wanted > most:
        status = "FAIL" if count else "warn"
        yield Finding(
            status, "processes", f"{wanted} wanted, {most} {'GPUs' if count else 'cores'}; lower --num_processes"
        )


def check_weights(name: str) -> Finding:
    """Whether pretrained weights are a folder here, in the hub's cache, or can be fetched."""
    from mertk.encoders.weights import split_hub_id

    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            return Finding("FAIL", "weights", f"{name}: no config.json in it; expected a model saved by transformers")
        return Finding("ok", "weights", name)
    hub_id = split_hub_id(name)
    if hub_id is None or name.startswith("."):
        return Finding("FAIL", "weights", f"{name}: no such folder, nor an id of the hub (owner/model[@revision])")
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.utils import HFValidationError

    model, revision = hub_id
    try:
        cached = try_to_load_from_cache(model, "config.json", revision=revision)
    except HFValidationError as error:
        return Finding("FAIL", "weights", f"{name}: no such folder, nor an id of the hub ({error})")
    if isinstance(cached, str):
        return Finding("ok", "weights", f"{name} (in the cache of the hub)")
    remedy = "fetch it where there is a network and give the folder instead"
    if constants.HF_HUB_OFFLINE:
        return Finding("FAIL", "weights", f"{name}: not in the cache, and HF_HUB_OFFLINE is set; {remedy}")
    import urllib.request

    request = urllib.request.Request(hf_hub_url(model, "config.json", revision=revision), method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        return Finding("FAIL", "weights", f"{name}: cannot be fetched from the hub ({error}); {remedy}")
    return Finding("ok", "weights", f"{name} (will be fetched from the hub)")


if __name__ == "__main__":
    raise SystemExit(main())
