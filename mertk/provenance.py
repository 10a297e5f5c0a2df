"""Where a figure comes from: code version, library versions, hardware."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import mertk

PACKAGES = ("torch", "transformers", "accelerate", "numpy", "librosa")


@functools.cache
def code_version() -> str:
    """Commit of the checkout that mertk runs from, `-dirty` with uncommitted changes; else the package's version.

    Of a process, as it was when first asked: what was loaded stays as it is, whatever is committed meanwhile.
    """
    checkout = Path(mertk.__file__).parent.parent
    if not (checkout / ".git").exists():
        return f"mertk {mertk.__version__}"
    try:
        described = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return f"mertk {mertk.__version__}"
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "mertk": mertk.__version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, and GPUs."""
    import torch

    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def environment() -> dict[str, Any]:
    """Everything above, for a run's environment.json."""
    return {"commit": code_version(), "versions": versions(), "hardware": hardware()}
