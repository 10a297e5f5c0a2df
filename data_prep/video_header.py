"""Whether a video file can be opened at all; decoding is left to feature extraction."""

from __future__ import annotations

from pathlib import Path

from mertk.data.media_file import open_media
from mertk.errors import MertkError
from mertk.installing import installing


def video_problem(path: Path) -> tuple[str, str] | None:
    """Reason and detail for the ledger when a video file is missing or cannot be opened, else None.

    Raises:
        MertkError: the library that reads video is not installed.
    """
    if not path.is_file():
        return "no_video", f"{path}: no such file"
    try:
        import av
    except ImportError as error:
        raise MertkError(f"PyAV is needed to read {path} ({error}); {installing('av')}") from error
    from mertk.data.media_file import played_stream

    try:
        with open_media(path) as container:
            if played_stream(container, "video") is None:
                return "unreadable_video", f"{path}: it has no picture"
    except (av.FFmpegError, OSError, ValueError) as error:
        return "unreadable_video", f"{path}: {error}"
    return None
