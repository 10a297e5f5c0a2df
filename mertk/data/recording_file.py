"""What a file that is given as a recording is, before anybody reads it."""

from __future__ import annotations

import stat
from pathlib import Path

from mertk.data.media_file import open_media, played_stream
from mertk.data.recording_error import RecordingError, is_of_machine

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

#: formats of FFmpeg's that show a picture which does not move
_STILL = ("image2", "tty", "ico")


def check_file(path: Path, kind: str) -> None:
    """Refuse what cannot be a recording, without reading it.

    Args:
        kind: `audio` or `video`, for the reason.

    Raises:
        RecordingError: no such file, a link to nothing, a folder, pipe or device, an empty file, no right to read it.
        OSError: the machine is to blame, which has too many files open, say.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError) as error:
        found = f"a link to {path.readlink()}, which is not there" if path.is_symlink() else "no such file"
        raise RecordingError(f"{path}: {found}.", f"no_{kind}") from error
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        if is_of_machine(error):
            raise
        told = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path}: cannot be opened ({told}).", f"unreadable_{kind}") from error
    found = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), None)
    if found:
        raise RecordingError(f"{path}: this is {found}, expected a file of sound or video.", f"unreadable_{kind}")
    if status.st_size == 0:
        raise RecordingError(f"{path}: the file is empty.", f"unreadable_{kind}")


def has_picture(path: Path) -> bool | None:
    """Whether a file has moving pictures; None where that cannot be told: a file, or a picture, of an unknown kind.

    A cover beside sound is no moving picture, nor is a photograph, nor a text, which FFmpeg shows as on a terminal.
    """
    import av

    try:
        with open_media(path) as container:
            if container.format.name in _STILL or container.format.name.endswith("_pipe"):
                return False
            is_unknown = any(stream.codec_context is None for stream in container.streams.video)
            return True if played_stream(container, "video") else None if is_unknown else False
    except (av.FFmpegError, OSError, ValueError):
        return None


def has_sound(path: Path) -> bool | None:
    """Whether a file has sound; None where that cannot be told: a file, or sound, of an unknown kind."""
    import av

    try:
        with open_media(path) as container:
            return True if played_stream(container, "audio") else None if container.streams.audio else False
    except (av.FFmpegError, OSError, ValueError):
        return None
