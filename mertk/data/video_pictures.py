"""The pictures of a video file, one after the other, and the frames during which each is shown.

Frames are counted from the moment at which a player starts, at a rate of the caller's (see `mertk.data.video_frames`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mertk.data.media_file import (
    LONGEST_GAP_SECONDS,
    open_media,
    packet_end,
    played_stream,
    readable_packets,
    system_cause,
)
from mertk.data.shown_picture import VideoError
from mertk.data.video_timing import VideoTiming, last_end

if TYPE_CHECKING:
    import av

#: a jump lands this much before the wanted frame: containers index by decoding time, which B-frames set apart
_JUMP_MARGIN_FRAMES = 30

#: pictures that come out of a decoder after damage, among which those lost may be
_DOUBTFUL_PICTURES = 32

#: formats whose packets follow each other, and what lies between two of them at most
_CONTIGUOUS, _UNREAD_BYTES = ("matroska,webm", "flv"), 1000

#: packets without a picture of their own that are more than an encoder's hidden one
_MISSING_PICTURES = 2

#: pictures of a varying rate stand for longer than the mean before one can be missed
_USUAL_SPAN = 1.5


def open_video(path: Path) -> av.container.InputContainer:
    """The open file; VideoError when there is none or it is no video."""
    import av

    if not path.is_file():
        raise VideoError(f"video {path} not found; restore it, or mend the path.", "no_video")
    try:
        return open_media(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"video {path} cannot be opened ({system_cause(error)}); copy the file again.", "unreadable_video"
        ) from error


def picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The stream of pictures of an open file that a player shows; VideoError when it has none."""
    stream = played_stream(container, "video")
    if stream is None:
        raise VideoError(f"{path} has no picture that can be decoded; expected a video file.", "unreadable_video")
    return stream


class Shown(NamedTuple):
    """A decoded picture and the frames [begin, end) during which it is shown; from `lost_from` on for want of others.

    `lost_from` is `end` where no damage was seen.
    """

    picture: Any
    begin: int
    end: int
    lost_from: int


class VideoPictures:
    """Decoded pictures of a freshly opened file, one after the other.

    Args:
        timing: of the file.
        rate: frames counted per second.

    Attributes:
        end: frames that have gone by.
    """

    def __init__(self, container: Any, stream: Any, timing: VideoTiming, rate: Fraction) -> None:
        self.container, self.stream, self.timing = container, stream, timing
        self._frames_per_tick = rate * stream.time_base
        self._longest_gap = LONGEST_GAP_SECONDS / stream.time_base
        self._ticks_per_picture = 1 / (timing.rate * stream.time_base)
        self._per_picture = max(round(rate / timing.rate), 1)
        self._span = 1 if rate == timing.rate else math.ceil(_USUAL_SPAN * rate / timing.rate)
        self._sound = None if timing.start is None else played_stream(container, "audio")
        self._sound_end = Fraction(0)
        # Offset of a chunk's data, after its name and size, to its number.
        is_avi = container.format.name == "avi"
        self._index = {entry.pos + 8: entry.timestamp for entry in stream.index_entries} if is_avi else {}
        self._read_to = math.inf if container.format.name in _CONTIGUOUS else None
        self._doubtful = 0
        self._promised: list[int] = []  # heap of the packets' times whose pictures have not come yet
        self._has_holds = False
        self._is_restarted = False
        self._begin = self.end = 0
        self._last: Fraction | int = 0  # tick of the picture decoded last
        self._frames = self._timed_frames()
        self._shown, time, _ = next(self._frames, (None, 0, False))
        self._first = time or 0
        late = 0 if timing.start is None else self._first - timing.start / stream.time_base
        # Rounded once for all pictures: half a frame late would else take them in pairs.
        self._origin = self._first - round(late * self._frames_per_tick) / self._frames_per_tick
        self._begin = 0 if time is None else self._number(time)

    def _packets(self) -> Iterator[Any]:
        """Packets of the pictures, as far as the file can be read; notes how far the sound goes, and what was lost."""
        # Where bytes are counted, those of all streams are.
        streams = () if self._read_to is not None else (self.stream, self._sound)
        for packet in readable_packets(self.container, *streams):
            if packet.is_corrupt or self._is_after_unread_bytes(packet):
                self._doubtful = _DOUBTFUL_PICTURES
            if packet.stream is self.stream:
                time = self._time_of(packet)
                if packet.size and time is not None and not packet.is_discard:
                    heappush(self._promised, time)
                yield packet
            elif packet.stream is self._sound and packet.pts is not None:
                self._sound_end = max(self._sound_end, packet_end(packet))

    def _is_after_unread_bytes(self, packet: Any) -> bool:
        """Whether a demuxer that looks for the next sound place of a damaged file has passed over bytes."""
        if self._read_to is None or packet.pos is None or packet.size == 0:
            return False
        before, self._read_to = self._read_to, packet.pos + packet.size
        return packet.pos - before > _UNREAD_BYTES

    def _decode(self) -> Iterator[tuple[Any, bool]]:
        """Pictures from where the file stands; damaged packets and pictures are passed over.

        Beside each, whether some may have been lost before it.
        """
        import av

        gap, wait_for_key = 0, False
        is_first = self.timing.start is None  # upon several packets, which are not missing
        for packet in self._packets():
            lost = self._lost_before(packet)
            if lost > gap:  # the next pictures would refer to lost ones
                gap, wait_for_key = lost, True
            if gap and packet.dts is not None:
                packet.dts += gap
                packet.pts = None if packet.pts is None else packet.pts + gap
            # A damaged packet costs its own pictures; the ones before are held, and counted as such.
            try:
                for frame in packet.decode():
                    wait_for_key = wait_for_key and not frame.key_frame
                    if frame.is_corrupt or wait_for_key:
                        self._doubtful = _DOUBTFUL_PICTURES
                        continue
                    if self._num_missing_before(frame) >= _MISSING_PICTURES and not is_first:
                        self._doubtful = _DOUBTFUL_PICTURES
                    is_first = False
                    yield frame, self._doubtful > 0
                    self._doubtful = max(self._doubtful - 1, 0)
            except av.FFmpegError:
                self._doubtful = _DOUBTFUL_PICTURES

    def _time_of(self, item: Any) -> int | None:
        """The tick of a packet or a frame.

        Without a clock it is the place in the order of decoding, of a frame that of the packet upon which it came:
        pictures that refer to later ones have no other that means anything.
        """
        return item.dts if self.timing.start is None else item.pts

    def _num_missing_before(self, frame: Any) -> int:
        """Packets of times up to that of a frame from which no picture came, though no decoder said why."""
        count, time = 0, self._time_of(frame)
        while time is not None and self._promised and self._promised[0] <= time:
            count += heappop(self._promised) != time
        return count

    def _lost_before(self, packet: Any) -> int:
        """Packets that an AVI file lost to damage before this one, as its index tells.

        AVI has no time stamps: FFmpeg counts packets, so that after a damaged stretch all would come too early.
        """
        if packet.size == 0 or packet.dts is None or packet.pos is None:
            return 0
        return max(self._index.get(packet.pos, packet.dts) - packet.dts, 0)

    def _timed_frames(self) -> Iterator[tuple[Any, Fraction | int | None, bool]]:
        """Decoded frames, each with its time in ticks and whether some were lost before.

        Frames come in the order in which they are shown. A single time out of order is an error, and the frame comes
        where its neighbours say; where the times of all that follow are earlier, or an hour later, the clock was set
        anew and goes on.
        """
        frames = self._decode()
        shift, last = 0, None
        following = next(frames, None)
        while following is not None:
            (frame, lossy), following = following, next(frames, None)
            if self.timing.start is None:
                yield frame, frame.dts, lossy
                continue
            time = None if frame.pts is None else frame.pts + shift
            after = None if following is None or following[0].pts is None else following[0].pts + shift
            if last is None:
                is_late = time is not None and after is not None and time > after
                time = after - self._ticks_per_picture if is_late else time
            elif time is None:
                time = last + self._ticks_per_picture
            elif not 0 <= time - last <= self._longest_gap:
                if after is not None and not 0 <= after - last <= self._longest_gap:
                    shift += last + self._ticks_per_picture - time
                    self._is_restarted = True
                    time = last + self._ticks_per_picture
                else:
                    time = last
            elif after is not None and last <= after < time:
                time = min(last + self._ticks_per_picture, after)
            last = time
            self._last = time or 0
            yield frame, time, lossy

    def close(self) -> None:
        """Let go of the decoder, which the pictures and what decodes them would hold, each held by the other."""
        self._frames.close()

    def _number(self, time: Fraction | int | None) -> int:
        return self._begin + self._per_picture if time is None else round((time - self._origin) * self._frames_per_tick)

    def next(self, wanted: int) -> Shown | None:
        """The next picture whose time reaches frame `wanted` or later; None at the end of the file."""
        while self._shown is not None:
            shown, begin = self._shown, self._begin
            self._shown, time, is_lossy = next(self._frames, (None, None, False))
            if self._shown is None:
                end = self._last_end()
            else:
                end = self._begin = max(self._number(time), begin)
                self._has_holds |= end - begin > self._span and not is_lossy
            self.end = end
            if end > max(wanted, begin):
                return Shown(shown, begin, end, min(begin + self._span, end) if is_lossy else end)
        return None

    def _last_end(self) -> int:
        """The end of the last picture of the file; alone, or where others stay on, it stays while there is sound."""
        if self.timing.start is None:
            return self._begin + self._per_picture
        if self.timing.is_cut or self._doubtful:
            return self._begin + 1
        end = last_end(self.stream, self._last, self.timing)
        stays = self._has_holds or self._last == self._first or not self.timing.is_constant
        if stays and not self._is_restarted:
            end = max(end, self._sound_end / self.stream.time_base)
        return max(self._number(end), self._begin + 1)

    def jump(self, wanted: int) -> None:
        """Go on from the last key picture before frame `wanted`; stay where it is when the file does not allow that."""
        import av

        if self._is_restarted:
            return
        margin = _JUMP_MARGIN_FRAMES * self._ticks_per_picture
        for target in (math.floor(wanted / self._frames_per_tick + self._origin - margin), self._first):
            try:
                self.container.seek(math.floor(target), stream=self.stream, backward=True)
            except av.FFmpegError:
                return
            self._read_to = None if self._read_to is None else math.inf
            self._promised.clear()
            self._frames = self._timed_frames()
            # Pictures shown before the first key picture may refer to others that were jumped over.
            key = next((item for item in self._frames if item[0].key_frame), (None, None, False))
            self._shown, time, _ = key
            if self._shown is not None and time is not None:
                self._begin = self._number(time)
                if self._begin <= wanted:
                    return
