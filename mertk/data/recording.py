"""The error of a recording that cannot be used, for those who leave it out and say why."""

from __future__ import annotations

from mertk.errors import MertkError


class RecordingError(MertkError):
    """A recording, or what was made of it, that cannot be used; `reason` is for the ledger (`mertk.data.ledger`)."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
