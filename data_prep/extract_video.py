"""Features of the speakers' faces: frames of an utterance through CLIP, or as small grey pictures, one vector each.

Several processes share the dialogues; each writes a part of its own, and the first joins them at the end. Run again
after an interruption, on any number of processes, only what is missing is made. Utterances whose video cannot be used
are named in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import make_parser, program
from mertk.data_prep.extraction import (
    Extraction,
    add_extraction_arguments,
    compute_exactly,
    positive_float,
    positive_int,
)
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.processes import Processes
    from mertk.data.recording_error import RecordingError
    from mertk.data_prep.extraction_plan import Dialogue
    from mertk.encoders.frame_encoder import FrameEncoder

EXAMPLE = """
accelerate launch -m data_prep.extract_video --data data/iemocap \\
    --weights openai/clip-vit-large-patch14 --out data/iemocap/features/video
accelerate launch -m data_prep.extract_video --data data/mosi_raw --rate_hz 5 --max_seconds 60 \\
    --weights openai/clip-vit-large-patch14 --out data/mosi_raw/features/video
accelerate launch -m data_prep.extract_video --data data/iemocap --side 48 --rate_hz 10 \\
    --out data/iemocap/features/pictures
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with video.scp and video_segments")
    add("--weights", help="CLIP model of transformers: local folder or hub id (owner/model[@revision])")
    add("--side", type=positive_int, metavar="P", help="instead of --weights: grey pictures of P by P pixels")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write")
    add("--output", default="projected", help="of CLIP: projected, penultimate or hidden_N (default: %(default)s)")
    add(
        "--max_seconds",
        type=positive_float,
        default=6.0,
        help="longest part of an utterance, from its start (default: 6)",
    )
    add(
        "--rate_hz",
        type=positive_float,
        metavar="R",
        help="frames per second to take, nearest to the times i/R; the videos may then differ in their frame rate "
        "(default: every frame, of videos of one rate)",
    )
    add("--batch_frames", type=positive_int, default=256, help="most frames encoded at once (default: %(default)s)")
    add("--dtype", choices=("float32", "float16"), default="float32", help="of the file (default: %(default)s)")
    add(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="of the model (default: %(default)s)",
    )
    add("--decoders", type=positive_int, help="threads that decode, for each process (default: by the cores there are)")
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    if (arguments.weights is None) == (arguments.side is None):
        parser.error("expected either --weights or --side")
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.data.processes import start_processes
    from mertk.encoders.visual import check_output

    check_output(arguments.output)
    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("video.scp", "video_segments"))
    VideoExtraction(arguments, processes, manifest).run()
    processes.end()
    return 0


class VideoExtraction(Extraction):
    stage = "extract_video"
    kind = "videos"

    def __init__(self, arguments: argparse.Namespace, processes: Processes, manifest: Manifest) -> None:
        super().__init__(arguments, processes, manifest, arguments.out)
        self.max_seconds = arguments.max_seconds

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Dialogue]:
        from mertk.data_prep.extraction_plan import read_dialogues

        return read_dialogues(self.manifest, skip)

    def load_extractor(self) -> FrameEncoder:
        from mertk.encoders.small_pictures import SmallPictures
        from mertk.encoders.visual import ClipFrameEncoder

        compute_exactly()
        arguments = self.arguments
        if arguments.side:
            return SmallPictures(arguments.side, self.processes.device)
        return ClipFrameEncoder(arguments.weights, arguments.output, self.processes.device, arguments.precision)

    def describe(self, extractor: FrameEncoder) -> FeatureRecord:
        from mertk.data.feature_store import FeatureRecord

        arguments = self.arguments
        options = {
            "max_seconds": arguments.max_seconds,
            "batch_frames": arguments.batch_frames,
            "precision": arguments.precision,
            "preprocessing": extractor.preprocessing.as_dict(),
        }
        if arguments.rate_hz is not None:
            options["rate_hz"] = arguments.rate_hz
        return FeatureRecord(
            modality="video",
            extractor=type(extractor).__name__,
            weights=str(arguments.weights or extractor.layer),
            weights_fingerprint=extractor.fingerprint,
            layer=extractor.layer,
            rate_hz=arguments.rate_hz or self._rate(),
            dimension=extractor.dimension,
            dtype=arguments.dtype,
            miniature=bool(self.manifest.corpus.get("miniature")) or extractor.miniature,
            options=options,
        )

    def _rate(self) -> float:
        """Frame rate of the corpus: that of the first video that can be opened."""
        from mertk.data.recording_error import RecordingError, attempt
        from mertk.data.video_frames import read_rate

        first: RecordingError | None = None
        for dialogue in self.read_items():
            rate = attempt(lambda path=dialogue.path: read_rate(path), dialogue.path)
            if not isinstance(rate, RecordingError):
                return float(rate)
            first = first or rate
        raise MertkError(f"{self.arguments.data / 'video.scp'}: no video can be opened. The first: {first}")

    def extract(
        self, items: Sequence[Dialogue], extractor: FrameEncoder, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        from mertk.data_prep.video_pipeline import extract, num_threads

        arguments = self.arguments
        rate = None if arguments.rate_hz else Fraction(record.rate_hz)
        threads = num_threads(self.processes, arguments.decoders)
        given = (rate, arguments.max_seconds, arguments.batch_frames, *threads, arguments.rate_hz)
        with closing(extract(list(items), extractor, *given)) as results:
            for segment, features in results:
                yield segment.utterance, features


if __name__ == "__main__":
    raise SystemExit(main())
