"""The networks that find faces: weights in the package `mtcnn`, whose own code needs TensorFlow and is not used.

What is read is known by its digest: the file format could run code, and other weights would find other boxes.
"""

from __future__ import annotations

import hashlib
import io
from importlib import metadata
from pathlib import Path

import numpy as np

from mertk.errors import MertkError
from mertk.installing import installing, installing_extra

PACKAGE = "mtcnn"

#: SHA-256 of the files of mtcnn 1.0.0 (MIT), by network
DIGESTS = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}

#: digest of all of them, for records
FINGERPRINT = hashlib.sha256(" ".join(DIGESTS.values()).encode()).hexdigest()


def package_version() -> str:
    """Name and version of the package.

    Raises:
        MertkError: it is not installed.
    """
    return f"{PACKAGE} {_distribution().version}"


def read_weights() -> dict[str, list[np.ndarray]]:
    """Arrays of each network, in the order of its layers and as Keras lays them out.

    Raises:
        MertkError: the package is not installed, or its weights are others.
    """
    return {network: _read(network, digest) for network, digest in DIGESTS.items()}


def _read(network: str, digest: str) -> list[np.ndarray]:
    import joblib

    distribution = _distribution()
    path = Path(str(distribution.locate_file(f"{PACKAGE}/assets/weights/{network}.lz4")))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MertkError(f"{path}: {error}; install {PACKAGE} again.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise MertkError(
            f"{path}: weights of {PACKAGE} {distribution.version} with the digest {found[:12]}, expected "
            f"{digest[:12]}; {installing('--force-reinstall', PACKAGE + '==1.0.0')}"
        )
    try:
        return joblib.load(io.BytesIO(content))
    except (ImportError, ValueError) as error:
        raise MertkError(f"{path} cannot be read ({error}); {installing_extra('face')}") from error


def _distribution() -> metadata.Distribution:
    try:
        return metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise MertkError(
            f"faces are found by the networks in the package {PACKAGE}, which is not installed; "
            f"{installing_extra('face')}"
        ) from error
