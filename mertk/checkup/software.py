"""Python, packages, the libraries that read sound and pictures, and devices."""

from __future__ import annotations

import configparser
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mertk.checkup.finding import Finding
from mertk.errors import MertkError, first_line
from mertk.installing import CONSTRAINTS, installing

ROOT = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = (3, 10)


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

    differing = []
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
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


def check_codecs() -> Finding:
    """Whether the libraries that read sound and pictures load, with the codecs of older corpora."""
    try:
        import av
        import soundfile

        for codec in ("mpeg4", "rawvideo"):
            av.codec.Codec(codec, "r")
    except Exception as error:  # a broken shared library raises anything
        return Finding("FAIL", "sound, video", f"{error!r}; {installing('--force-reinstall', 'av', 'soundfile')}")
    return Finding("ok", "sound, video", f"soundfile {soundfile.__version__}, PyAV {av.__version__} with MPEG-4")


def check_devices(num_processes: int) -> Iterator[Finding]:
    """Whether torch and its companions load, and the devices against the number of processes; 0 for any number."""
    try:
        import accelerate
        import torch
        import transformers
    except Exception as error:  # a broken installation raises anything
        mend = installing("--force-reinstall", "torch", "accelerate", "transformers")
        yield Finding("FAIL", "libraries", f"{error!r}; {mend}")
        return
    versions = [f"{module.__name__} {module.__version__}" for module in (torch, accelerate, transformers)]
    yield Finding("ok", "libraries", ", ".join(versions))
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
    if num_processes > most:
        status = "FAIL" if count else "warn"
        yield Finding(
            status, "processes", f"{num_processes} wanted, {most} {'GPUs' if count else 'cores'}; lower --num_processes"
        )


def check_adapters() -> Finding:
    """Whether adapters can be put into an encoder."""
    from mertk.encoders.lora import find_peft

    try:
        return Finding("ok", "adapters", f"peft {find_peft().__version__}")
    except MertkError as error:
        return Finding("FAIL", "adapters", str(error))


def check_faces() -> Finding:
    """Whether faces can be found in pictures."""
    from mertk.features.face_weights import package_version, read_weights

    try:
        read_weights()
    except MertkError as error:
        return Finding("FAIL", "faces", str(error))
    return Finding("ok", "faces", package_version())


def check_speech_features() -> Finding:
    """Whether librosa's features can be made: what it compiles is kept in a cache that must be writable."""
    from mertk.features.librosa_features import LibrosaFeatures

    try:
        extractor = LibrosaFeatures()
    except Exception as error:  # numba raises anything
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or install librosa and numba again"
        return Finding("FAIL", "speech features", f"librosa: {first_line(error)}; {remedy}")
    return Finding("ok", "speech features", extractor.fingerprint)
