"""Files that FFmpeg reads: opening one, and the streams that a player plays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def open_media(path: Path) -> av.container.InputContainer:
    """The open file; titles that are no UTF-8 and names that are none do no harm.

    Raises:
        av.FFmpegError, OSError, ValueError: FFmpeg does not know what it is.
    """
    import av

    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return av.open(path.open("rb"), metadata_errors="replace")
    # With the protocol named, a colon in a file's name is nothing but a colon.
    return av.open(f"file:{name}", metadata_errors="replace")


def played_stream(container: Any, kind: str) -> Any | None:
    """The stream of `audio` or `video` that a player takes; None when there is none that FFmpeg decodes.

    A picture of a cover is no video.
    """
    from av.stream import Disposition

    def is_played(stream: Any) -> bool:
        if stream.codec_context is None or not stream.time_base:
            return False
        return not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)

    streams = [stream for stream in getattr(container.streams, kind) if is_played(stream)]
    best = container.streams.best(kind)
    return best if best in streams else next(iter(streams), None)
