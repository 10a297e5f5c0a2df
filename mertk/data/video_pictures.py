"""The pictures of a video file, one after the other, and the frames during which each is shown.

Frames are counted from the first picture, number 0, at the rate that the file gives (see `mertk.data.video_frames`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.recording import RecordingError

if TYPE_CHECKING:
    import av

#: a jump lands this much before the wanted frame: containers index by decoding time, which B-frames set apart
_JUMP_MARGIN_FRAMES = 30


class VideoError(RecordingError):
    """A video, or a segment of one, that cannot be used."""


def open_video(path: Path) -> av.container.InputContainer:
    """The open file; VideoError when there is none or it is no video."""
    import av

    if not path.is_file():
        raise VideoError(f"video {path} not found; restore it, or mend the path.", "no_video")
    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"video {path} cannot be opened ({error}); copy the file again.", "unreadable_video"
        ) from error


def picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The stream of pictures of an open file; VideoError when it has none or does not say its rate."""
    if not container.streams.video:
        raise VideoError(f"{path} has no picture; expected a video file.", "unreadable_video")
    stream = container.streams.video[0]
    if not stream.guessed_rate or not stream.time_base:
        raise VideoError(f"video {path} does not say its frame rate; copy or convert the file.", "unreadable_video")
    return stream


class VideoPictures:
    """Decoded pictures of a file, one after the other, each with the frames [begin, end) during which it is shown."""

    def __init__(self, container: Any, stream: Any) -> None:
        self.container, self.stream = container, stream
        # Offset of a chunk's data, after its name and size, to its number.
        is_avi = container.format.name == "avi"
        self._index = {entry.pos + 8: entry.timestamp for entry in stream.index_entries} if is_avi else {}
        self._frames = self._decode()
        self._shown = next(self._frames, None)
        self._origin = 0 if self._shown is None else self._shown.pts or 0
        self._begin = 0

    def _decode(self) -> Iterator[Any]:
        """Pictures of the file from where it stands; damaged packets and pictures are passed over."""
        import av

        packets = self.container.demux(self.stream)
        gap, wait_for_key = 0, False
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            lost = self._lost_before(packet)
            if lost > gap:  # the next pictures would refer to lost ones
                gap, wait_for_key = lost, True
            if gap and packet.dts is not None:
                packet.dts += gap
                packet.pts = None if packet.pts is None else packet.pts + gap
            # A damaged packet costs its own pictures; the ones before are held, and counted as such.
            with suppress(av.FFmpegError):
                for frame in packet.decode():
                    wait_for_key = wait_for_key and not frame.key_frame
                    if not frame.is_corrupt and not wait_for_key:
                        yield frame

    def _lost_before(self, packet: Any) -> int:
        """Packets that an AVI file lost to damage before this one, as its index tells.

        AVI has no time stamps: FFmpeg counts packets, so that after a damaged stretch all would come too early.
        """
        if packet.size == 0 or packet.dts is None or packet.pos is None:
            return 0
        return max(self._index.get(packet.pos, packet.dts) - packet.dts, 0)

    def _number(self, frame: Any) -> int:
        if frame.pts is None:
            return self._begin + 1
        return round((frame.pts - self._origin) * self.stream.time_base * self.stream.guessed_rate)

    def next(self, wanted: int) -> tuple[Any, int, int] | None:
        """The next picture whose time reaches frame `wanted` or later; None at the end of the file."""
        while self._shown is not None:
            shown, begin = self._shown, self._begin
            self._shown = next(self._frames, None)
            if self._shown is None:
                end = begin + 1
            else:
                end = self._begin = max(self._number(self._shown), begin)
            if end > max(wanted, begin):
                return shown, begin, end
        return None

    def jump(self, wanted: int) -> None:
        """Go on from the last key picture before frame `wanted`; stay where it is when the file does not allow that."""
        import av

        position = (wanted - _JUMP_MARGIN_FRAMES) / (self.stream.guessed_rate * self.stream.time_base) + self._origin
        for target in (math.floor(position), self._origin):
            try:
                self.container.seek(target, stream=self.stream, backward=True)
            except av.FFmpegError:
                return
            self._frames = self._decode()
            # Pictures shown before the first key picture may refer to others that were jumped over.
            self._shown = next((frame for frame in self._frames if frame.key_frame), None)
            if self._shown is not None and self._shown.pts is not None:
                self._begin = self._number(self._shown)
                if self._begin <= wanted:
                    return
