"""One csv file of OpenFace: which columns, which frames, which face.

Legend: `T` frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertk.data.corpus_files import find_near
from mertk.data.recording_error import RecordingError

#: columns before the features
FIRST_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
NUM_FEATURES = 709


class OpenFaceError(RecordingError):
    """A csv file of OpenFace that cannot be used."""


@dataclass
class OpenFaceTable:
    """The frames of a clip in which its face was found.

    Attributes:
        names: of the 709 features.
        features: (T, 709) float32.
        num_failed: frames left out in which no face was found.
        num_others: rows left out that are of another face.
    """

    names: list[str]
    features: np.ndarray
    num_failed: int
    num_others: int


def read_names(path: Path) -> list[str]:
    """Names of the features of a file; OpenFace puts blanks before them.

    Raises:
        OpenFaceError: missing or unreadable file, or other columns than OpenFace's 5 + 709.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = [name.strip() for name in file.readline().split(",")]
    except FileNotFoundError as error:
        near = find_near(path)
        hint = f", but there is {near}" if near else ""
        raise OpenFaceError(f"{path}: no such file{hint}; run OpenFace on this clip.", "no_features") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OpenFaceError(f"{path}: cannot be read ({error}); copy it again.", "unreadable_features") from error
    count = len(FIRST_COLUMNS)
    if tuple(names[:count]) != FIRST_COLUMNS:
        raise OpenFaceError(
            f"{path}:1: the first columns are {', '.join(names[:count])}, expected {', '.join(FIRST_COLUMNS)}; give "
            "the output of OpenFace's FeatureExtraction.",
            "other_columns",
        )
    if len(names) != count + NUM_FEATURES:
        raise OpenFaceError(
            f"{path}:1: {len(names) - count} features behind the {count} first columns, expected {NUM_FEATURES}; run "
            "OpenFace with all its outputs (-2Dfp -3Dfp -pdmparams -pose -aus -gaze).",
            "other_columns",
        )
    return names[count:]


def read_table(path: Path) -> OpenFaceTable:
    """The frames of a file in which the face seen most often was found.

    Raises:
        OpenFaceError: as `read_names`; a row with another number of values or one that is no number; no face at all.
    """
    names = read_names(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            file.readline()
            # On Windows OpenFace writes a NaN as `-nan(ind)`.
            lines = [line.replace("nan(ind)", "nan") for line in file if line.strip()]
        rows = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.empty((0, len(FIRST_COLUMNS) + len(names)))
    except (OSError, ValueError) as error:
        raise OpenFaceError(f"{path}: cannot be read ({error}); run OpenFace again.", "unreadable_features") from error
    if rows.shape[1] != len(FIRST_COLUMNS) + len(names):
        raise OpenFaceError(
            f"{path}: {rows.shape[1]} values a row below {len(FIRST_COLUMNS) + len(names)} names; run OpenFace again.",
            "unreadable_features",
        )
    found = (rows[:, 4] == 1) & np.isfinite(rows).all(axis=1)
    if not found.any():
        raise OpenFaceError(f"{path}: a face was found in none of its {len(rows)} frames.", "no_face")
    faces, counts = np.unique(rows[found, 1], return_counts=True)
    own = found & (rows[:, 1] == faces[counts.argmax()])
    features = rows[own, len(FIRST_COLUMNS) :].astype(np.float32)
    return OpenFaceTable(names, features, int((~found).sum()), int(found.sum() - own.sum()))
