"""Videos whose pictures are numbered by their grey, so that a test sees which of them it was given."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

STEP = 3  # of grey, from picture to picture


def grey(level, size=(64, 48)):
    """A picture, dark above and left of its brightest quarter."""
    width, height = size
    picture = np.full((height, width, 3), level, np.uint8)
    picture[height // 2 :, width // 2 :] = 250
    return picture


def write_video(
    path,
    times,
    codec="libx264",
    sound=None,
    size=(64, 48),
    clock=Fraction(1, 1000),
    rate=25,
    wrong=(),
    b_frames=0,
    leap=None,
    options=None,
    target=None,
):
    """Pictures whose grey is their number, shown at `times` seconds; `sound` is (start, end) of a tone, in seconds.

    Packets named in `wrong` are said to be shown much later; `leap` is (time, by) of all streams, in seconds. The muxer
    takes `options`; what it writes goes to `target` where there is one.
    """
    kind = path.suffix[1:].replace("mkv", "matroska") if target else None
    with av.open(target or str(path), "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = clock
        stream.codec_context.max_b_frames = b_frames
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "g": "10", "qp": "0", "bf": str(b_frames)}
        else:
            stream.bit_rate = 2_000_000
            stream.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        tone = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000) if sound else None
        packets = []
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(grey(20 + STEP * (number % 75), size), format="rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            packets += stream.encode(frame)
        packets += stream.encode()
        for number in wrong:
            packets[number].pts += round(1000 / packets[number].time_base)
        if tone is not None:
            start, end = sound
            wave = 0.3 * np.sin(0.1 * np.arange(round((end - start) * 48000)))[None].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2, axis=0), format="fltp", layout="stereo")
            frame.rate, frame.pts, frame.time_base = 48000, round(start * 48000), Fraction(1, 48000)
            packets += tone.encode(frame) + tone.encode()
        for packet in packets:
            if leap and packet.pts * packet.time_base >= leap[0]:
                packet.pts += round(leap[1] / packet.time_base)
                packet.dts += round(leap[1] / packet.time_base)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def steady(count, rate=25, start=0.0):
    return [start + number / rate for number in range(count)]


def numbers(frames):
    """The number of the picture that each frame (T, H, W, 3) shows."""
    return ((frames[:, 2:12, 2:12].mean((1, 2, 3)) - 20) / STEP).round().astype(int).tolist()


def patch(path, name, offset, value):
    """Overwrite what lies `offset` bytes behind the first `name`."""
    data = path.read_bytes()
    begin = data.index(name) + offset
    path.write_bytes(data[:begin] + value + data[begin + len(value) :])
