"""Where a report goes: found out before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from mertk.errors import MertkError


def check_destination(out: Path) -> None:
    """Refuse a folder that cannot be written, or made.

    Raises:
        MertkError: `out`, or what is nearest above it, is no directory or may not be written.
    """
    nearest = next(path for path in (out.absolute(), *out.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise MertkError(f"--out {out}: {nearest} is no directory; choose another.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise MertkError(f"--out {out}: {nearest} may not be written; choose another.")
