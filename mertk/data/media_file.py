"""Files that FFmpeg reads: opening one, the streams that a player plays, and the moment at which it begins to.

What stands in a header is taken only where the packets or what is decoded of them agree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

#: formats without time stamps, where FFmpeg counts packets
COUNTED = ("avi",)

#: a longer leap of a file's clock is a mistake: it goes on as if it had not been set
LONGEST_GAP_SECONDS = 3600


def open_media(path: Path) -> av.container.InputContainer:
    """The open file; titles that are no UTF-8 and names that are none do no harm, and no other place is looked at.

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
    return av.open(f"file:{name}", metadata_errors="replace", options={"protocol_whitelist": "file"})


def system_cause(error: Exception) -> str:
    """What FFmpeg or the system says, without its number and the name of the file.

    >>> system_cause(OSError(5, "Input/output error", "a.mp4")), system_cause(ValueError("no format"))
    ('Input/output error', 'no format')
    """
    if isinstance(error, EOFError):  # behind a header that FFmpeg knows, a browser's that was stopped at once for one
        return "it ends before any sound or picture, as if recording was stopped at once"
    return getattr(error, "strerror", None) or str(error)


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


def playing_start(container: Any) -> Fraction | None:
    """Seconds on the clock of the file at which its sound or its picture begins, whichever is first: a player's zero.

    None where the file has no clock: each stream begins at its first packet. Of two that lie further apart than anybody
    waits, one is a mistake, and both begin at once.
    """
    if container.format.name in COUNTED:
        return None
    streams = [played_stream(container, kind) for kind in ("audio", "video")]
    starts = [stream.start_time * stream.time_base for stream in streams if stream and stream.start_time is not None]
    if not starts:
        return None
    return Fraction(max(starts) if max(starts) - min(starts) > LONGEST_GAP_SECONDS else min(starts))


def packet_end(packet: Any) -> Fraction:
    """Seconds on the clock of the file at which a packet with a time ends; a length that no packet has is none."""
    length = (packet.duration or 0) * packet.time_base
    return packet.pts * packet.time_base + (length if length <= LONGEST_GAP_SECONDS else 0)


def read_packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Packets of the streams that are there (None stands for one that is not), of all when none is named.

    Raises:
        av.FFmpegError: the file is damaged or cut off there.
    """
    streams = tuple(stream for stream in streams if stream is not None)
    packets = container.demux(*streams)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except IndexError:  # PyAV does not know a stream that begins in the middle of the file
            packets = container.demux(*streams)


def readable_packets(container: Any, *streams: Any) -> Iterator[Any]:
    """As `read_packets`, as far as the file can be read."""
    import av

    with suppress(av.FFmpegError):
        yield from read_packets(container, *streams)
