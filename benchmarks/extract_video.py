"""How much of the bare encoder's rate is left when video files are decoded and features stored beside it.

Invented videos of IEMOCAP's size (720 x 480, 29.97 frames a second, MPEG-4) go through a CLIP vision model with random
weights: once as `data_prep.extract_video` does it, decoding and writing included, once as decoded frames that lie ready
in memory, in the same batches on as many threads, in turns. On CPU decoding and encoding compete for the cores, and the
rate is what processor time leaves of it, which is held against the target there: wall time follows whatever else runs
on the machine. The default there is the base model, whose frame is an eighteenth of the work of the large one's, which
recipes use; decoding takes so much more of the rate than it takes there.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program

#: hidden size, layers, heads, side of a patch, projection
SIZES = {"tiny": (64, 2, 4, 32, 64), "base": (768, 12, 12, 32, 512), "large": (1024, 24, 16, 14, 768)}
LEAST_RATIO = 0.9


def write_weights(folder: Path, size: str) -> Path:
    """A CLIP of one of SIZES with random weights."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    from transformers.utils import logging

    hidden, layers, heads, patch, projection = SIZES[size]
    config = CLIPVisionConfig(
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        patch_size=patch,
        projection_dim=projection,
        image_size=224,
    )
    logging.disable_progress_bar()
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    preprocessor = {
        "size": {"shortest_edge": 224},
        "crop_size": 224,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    return folder


def write_dialogues(folder: Path, count: int, utterances: int, seconds: float) -> list[Any]:
    """Videos of two speakers who take turns without a pause."""
    from fractions import Fraction

    import av
    import numpy as np

    from mertk.data.video_frames import Segment
    from mertk.features.extraction_plan import Dialogue

    rate, length = Fraction(30000, 1001), Fraction(seconds)
    y, x = np.mgrid[0:480, 0:720]
    picture = np.stack([128 + 100 * np.sin(x / 37), 128 + 100 * np.cos(y / 23), (x + y) % 256], -1).astype(np.uint8)
    dialogues = []
    for number in range(count):
        path = folder / f"dialogue{number}.avi"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 720, 480, "yuv420p", 2_000_000
            for shift in range(int(utterances * length * rate) + 2):
                frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * shift, axis=1), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        halves = ("left", "right")
        segments = [
            Segment(f"d{number}u{turn:03d}", turn * length, (turn + 1) * length, halves[turn % 2])
            for turn in range(utterances)
        ]
        dialogues.append(Dialogue(str(path), segments))
    return dialogues


def encode_bare(encoder: Any, clips: list[Any], num_encoders: int) -> tuple[float, float]:
    """Wall and processor seconds of the encoder alone on decoded frames."""
    from concurrent.futures import ThreadPoolExecutor

    from mertk.features.video_pipeline import computing_place

    def encode(clip: Any) -> int:
        with computing_place(encoder.device):
            return len(encoder.encode(clip))

    start, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(num_encoders) as pool:
        list(pool.map(encode, clips))
    return time.perf_counter() - start, time.process_time() - processor


def extract_all(encoder: Any, dialogues: list[Any], folder: Path, threads: tuple[int, int]) -> tuple[float, float]:
    """Wall and processor seconds from video files to features on disk."""
    from fractions import Fraction

    from mertk.data.feature_store import FeatureRecord, FeatureWriter
    from mertk.features.extraction import Maker
    from mertk.features.video_pipeline import extract

    record = FeatureRecord("video", "benchmark", "random", "none", "projected", 29.97, encoder.dimension)
    maker = Maker(encoder, record, {segment.utterance for dialogue in dialogues for segment in dialogue.segments})
    start, processor = time.perf_counter(), time.process_time()
    with FeatureWriter(folder, record) as writer:
        for _, utterance, features in extract(dialogues, [maker], Fraction(30000, 1001), *threads):
            writer.write(utterance, features)
    return time.perf_counter() - start, time.process_time() - processor


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("extract_video", __doc__, "--model base")
    parser.add_argument("--model", choices=SIZES, help="default: large on a GPU, base on CPU")
    parser.add_argument("--precision", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--dialogues", type=int, default=2, help="video files")
    parser.add_argument("--utterances", type=int, default=2, help="for each of them")
    parser.add_argument("--seconds", type=float, default=0.7, help="of an utterance")
    parser.add_argument("--batch_frames", type=int, default=256)
    parser.add_argument("--decoders", type=int, help="threads that decode (default: as data_prep.extract_video)")
    parser.add_argument("--rounds", type=int, default=3, help="of either, in turns")
    arguments = parser.parse_args(argv)

    from mertk.data.video_frames import read_segments
    from mertk.features.clip_frame_encoder import ClipFrameEncoder
    from mertk.features.video_pipeline import num_threads
    from mertk.processes import start_processes

    processes = start_processes()
    threads = num_threads(processes, arguments.decoders)
    model = arguments.model or ("base" if processes.device == "cpu" else "large")
    bare, whole = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = ClipFrameEncoder(
            write_weights(folder / "clip", model),
            batch_frames=arguments.batch_frames,
            precision=arguments.precision,
            device=processes.device,
        )
        dialogues = write_dialogues(folder, arguments.dialogues, arguments.utterances, arguments.seconds)
        prepared = (read_segments(item.path, item.segments, 6.0, preparing=encoder.preparing) for item in dialogues)
        clips = [frames for segments in prepared for _, frames in segments]
        num_frames = sum(len(clip) for clip in clips)
        encode_bare(encoder, clips[:2], threads[1])
        for number in range(arguments.rounds):
            bare.append(encode_bare(encoder, clips, threads[1]))
            whole.append(extract_all(encoder, dialogues, folder / str(number), threads))
            say(f"bare {bare[-1]}, whole {whole[-1]}")
    on_cpu = processes.device == "cpu"
    wall, processor = ([one[clock] / other[clock] for one, other in zip(bare, whole, strict=True)] for clock in (0, 1))
    figures = [
        figure("rate over the bare encoder", wall, "x", at_least=None if on_cpu else LEAST_RATIO, digits=3),
        figure("the same by processor time", processor, "x", at_least=LEAST_RATIO if on_cpu else None, digits=3),
        figure("whole", [num_frames / seconds for seconds, _ in whole], "frames/s", digits=1),
        figure("bare encoder", [num_frames / seconds for seconds, _ in bare], "frames/s", digits=1),
        figure("decoding threads", threads[0]),
        figure("encoding threads", threads[1]),
    ]
    return finish("extract_video", arguments, figures, model=model)


if __name__ == "__main__":
    raise SystemExit(main())
