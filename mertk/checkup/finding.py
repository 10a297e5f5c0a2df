"""What a check found."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of the report."""

    status: str  # ok | warn | FAIL
    what: str
    told: str
