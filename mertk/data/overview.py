"""What there is in a data directory, in a line or two."""

from __future__ import annotations

from pathlib import Path

from mertk.data.feature_record import read_record
from mertk.data.manifest import COLUMN_NAMES, load_manifest


def describe_directory(directory: Path, deep: bool = False) -> list[str]:
    """Lines about a data directory in which there is no fault (`mertk.data.validation`).

    Args:
        deep: name the features that have no checksums, too.
    """
    manifest = load_manifest(directory, need=("utt2label",))
    columns = [name for name in COLUMN_NAMES if manifest.has(name)]
    folds = len(list(directory.glob("folds/*/*/fold.json")))
    records = sorted(directory.glob("features/*/record.json"))
    features = [file.parent.name for file in records]
    unchecked = [file.parent.name for file in records if not read_record(file.parent).has_checksums]
    lines = [
        f"{directory}: sound; {len(manifest)} utterances, columns {' '.join(columns)}, {folds} folds, "
        f"features: {' '.join(features) or 'none'}"
    ]
    if deep and unchecked:
        lines.append(
            f"  {', '.join(unchecked)}: made before features had checksums, so that a changed number is not seen; to "
            f"have checksums, delete the folder below {directory / 'features'} and make the features again"
        )
    return lines
