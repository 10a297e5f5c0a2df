"""One channel of the frames that FFmpeg decodes: the mean of all there are, as of the files that soundfile reads.

FFmpeg's own way of mixing depends on where speakers stand, and makes two equal channels louder than either.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

#: layouts of what is one channel already
_ALONE = ("mono", "1 channels")


def forget_order(packet: Any) -> None:
    """Have the decoder of a first packet of plain samples tell how many channels there are, not which they are.

    A file may have them in an order of its own, which PyAV (18.1) frees twice: the program ends. So it cannot be asked
    how many there are either; the packet and the bit rate, which FFmpeg counts, must agree.
    """
    context = packet.stream.codec_context
    is_plain = context.name.startswith("pcm_") and context.sample_rate and packet.size and packet.duration
    if context.is_open or not is_plain:
        return
    bits = int((re.findall(r"\d+", context.name) or ["8"])[0]) * context.sample_rate  # a second, of one channel
    num_channels = Fraction(context.bit_rate or 0, bits)
    if num_channels.denominator == 1 and 8 * packet.size == num_channels * bits * packet.duration * packet.time_base:
        context.options = {"ch_layout": f"{num_channels} channels"}


class Mixdown:
    """Frames like a first one as frames of one channel, packed float32, at `rate_hz`; nothing is clipped."""

    def __init__(self, first: Any, rate_hz: int) -> None:
        from av.filter import Graph

        self._graph = Graph()
        filters = [("aformat", f"sample_rates={rate_hz}:sample_fmts=flt:channel_layouts=mono"), ("abuffersink", None)]
        if first.layout.name not in _ALONE:
            num_channels = first.layout.nb_channels
            shares = "+".join(f"{1 / num_channels}*c{channel}" for channel in range(num_channels))
            filters = [("aformat", "sample_fmts=fltp"), ("pan", f"mono|c0={shares}"), *filters]
        last = self._graph.add_abuffer(
            sample_rate=first.sample_rate,
            format=first.format.name,
            layout=first.layout.name,
            time_base=first.time_base or Fraction(1, first.sample_rate),
        )
        for name, options in filters:
            following = self._graph.add(name, options)
            last.link_to(following)
            last = following
        self._graph.configure()

    def mix(self, frame: Any | None) -> list[Any]:
        """What comes out upon a frame, or, for None, at the end."""
        self._graph.push(frame)
        mixed = []
        while True:
            try:
                mixed.append(self._graph.pull())
            except (BlockingIOError, EOFError):
                return mixed
