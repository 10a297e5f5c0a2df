"""How fast an hour of recording becomes a timeline, and the memory that takes: sound alone, and sound with picture.

Models are those of recipes that train from nothing, on log-mel frames and small pictures, with random weights. The
recordings are invented: stereo sound at 44.1 kHz, and pictures at 25 Hz. Each timeline is made by a process of its own,
so that its largest memory, the libraries included, is that of the timeline; so is its time, from importing them on. The
target is held against processor time, which is no less than wall time on a machine that does nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program

MOST_GIGABYTES, LEAST_SPEED = 1.5, 20.0
SOUND_HZ, FRAMES_HZ, WIDTH, HEIGHT = 44100, 25, 320, 240
CLASSES = ["neutral", "happy", "angry", "sad"]
#: pictures a second that the model sees, and their side
SEEN_HZ, SIDE = 10, 48

TIMELINE = """
import json, resource, sys, time
import torch
import mertk

torch.set_num_threads(int(sys.argv[4]))
started, processor = time.perf_counter(), time.process_time()
count = 0
for answer in mertk.load(sys.argv[1], device="cpu").timeline(sys.argv[2], 3, 1, batch_size=int(sys.argv[3])):
    assert answer.error is None, answer.error
    count += 1
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(json.dumps([time.perf_counter() - started, time.process_time() - processor, peak, count]))
"""


def write_sound(path: Path, seconds: int) -> None:
    """Noise that is louder and quieter, in both channels."""
    import numpy as np
    import soundfile

    block = np.random.default_rng(0).uniform(-0.5, 0.5, (SOUND_HZ, 2)).astype(np.float32)
    with soundfile.SoundFile(path, "w", SOUND_HZ, 2, "PCM_16") as file:
        for second in range(seconds):
            file.write(block * (0.2 + 0.8 * (second % 7) / 7))


def write_video(path: Path, seconds: int) -> None:
    """A square that wanders over noise, and the sound of `write_sound`."""
    import av
    import numpy as np

    generator = np.random.default_rng(0)
    ground = generator.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8) // 4
    noise = (generator.uniform(-0.5, 0.5, (2, SOUND_HZ)) * 2**14).astype(np.int16)
    with av.open(str(path), "w") as file:
        pictures = file.add_stream("mpeg4", rate=FRAMES_HZ, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        sound = file.add_stream("aac", rate=SOUND_HZ, layout="stereo")
        for second in range(seconds):
            for number in range(FRAMES_HZ):
                frame = ground.copy()
                place = (second * FRAMES_HZ + number) % (WIDTH - 40)
                frame[100:140, place : place + 40] = 200
                file.mux(pictures.encode(av.VideoFrame.from_ndarray(frame)))
            samples = av.AudioFrame.from_ndarray(noise.T.reshape(1, -1).copy(), "s16", "stereo")
            samples.rate = SOUND_HZ
            samples.pts = second * SOUND_HZ
            file.mux(sound.encode(samples))
        file.mux(pictures.encode())
        file.mux(sound.encode())


def save(folder: Path, with_picture: bool) -> Path:
    """A model directory."""
    from mertk.components import build
    from mertk.config import load_config
    from mertk.features.small_pictures import SmallPictures
    from mertk.training.model_directory import save_model

    shared = ROOT / "recipes/common/conf"
    files = [shared / "foal.yaml", shared / "foal/small.yaml"] if with_picture else [shared / "audio.yaml"]
    config = load_config(files, ["data.num_workers=0"])
    facts: dict[str, Any] = {"num_classes": len(CLASSES)}
    records: dict[str, Any] = {"audio": None}
    info: dict[str, Any] = {"task": "classification", "classes": CLASSES, "miniature": False}
    if with_picture:
        extractor = SmallPictures(SIDE, rate_hz=SEEN_HZ)
        facts["video_dim"] = extractor.dimension
        records["video"] = json.loads(json.dumps(extractor.record().as_dict()))
        zeros, ones = [0.0] * extractor.dimension, [1.0] * extractor.dimension
        info["normalization"] = {"video": {"mean": zeros, "std": ones}}
    model = build(config.model, "model", facts)
    save_model(folder, model, model.state_dict(), config, info | {"facts": facts, "feature_records": records})
    return folder


def measure(model: Path, recording: Path, batch_size: int, threads: int) -> tuple[float, float, float, int]:
    """Seconds, processor's seconds, largest GB, and windows of one timeline."""
    command = [sys.executable, "-c", TIMELINE, str(model), str(recording), str(batch_size), str(threads)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    say(f"batches of {batch_size}: wall {found[0]:.1f} s, processor {found[1]:.1f} s, {found[2]:.2f} GB")
    return tuple(found)


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("timeline", __doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="of the recordings")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8, 32], help="windows at once")
    parser.add_argument("--threads", type=int, default=1, help="more only where nothing else runs")
    parser.add_argument("--video_seconds", type=int, default=3600, help="of the video; 0: sound alone")
    arguments = parser.parse_args(argv)

    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = [("sound", "wav", write_sound)] + [("picture", "mp4", write_video)] * (arguments.video_seconds > 0)
        for kind, ending, write in kinds:
            recording = folder / f"long.{ending}"
            started = time.perf_counter()
            seconds = arguments.seconds if kind == "sound" else arguments.video_seconds
            write(recording, seconds)
            say(f"{kind} written in {time.perf_counter() - started:.0f} s")
            model = save(folder / f"model_{kind}", with_picture=kind == "picture")
            told = f"{seconds // 60} minutes of {'sound' if kind == 'sound' else 'sound and picture'}"
            for size in arguments.batch_sizes:
                wall, processor, peak, _ = measure(model, recording, size, arguments.threads)
                what = f"{told}, {size} window{'s' * (size > 1)} at once"
                figures += [
                    figure(f"{what}: times real time", seconds / wall, "x", digits=1),
                    figure(f"{what}: by processor time", seconds / processor, "x", at_least=LEAST_SPEED, digits=1),
                    figure(f"{what}: largest memory", peak, "GB", at_most=MOST_GIGABYTES, digits=2),
                ]
    return finish("timeline", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
