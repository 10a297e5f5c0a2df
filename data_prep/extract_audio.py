"""Features of the voice: librosa's 33 of each frame, or hidden states of a speech encoder.

Several processes share the utterances; each writes a part of its own, and the first joins them at the end. Run again
after an interruption, on any number of processes, only what is missing is made. Utterances whose sound cannot be used
are named in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterator, Sequence
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

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.processes import Processes
    from mertk.data.recording_error import RecordingError
    from mertk.data_prep.extraction_plan import Utterance
    from mertk.encoders.audio_features import LibrosaFeatures, SpeechStates

EXAMPLE = """
python -m data_prep.extract_audio --data data/mosi_raw --extractor librosa --out data/mosi_raw/features/audio
accelerate launch -m data_prep.extract_audio --data data/mosi_raw --weights microsoft/wavlm-large --layer 12 \\
    --out data/mosi_raw/features/audio
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with wav.scp")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write")
    add("--extractor", choices=("librosa",), help="hand-made features (the default without --weights)")
    add("--weights", help="speech encoder of transformers: local folder or hub id (owner/model[@revision])")
    add(
        "--layer",
        type=int,
        help="transformer layer of the encoder, from 1, or from -1 at the end (default: its output)",
    )
    add(
        "--sample_rate_hz",
        type=positive_int,
        help="for librosa's features, 512 samples a frame (default: 16000, that of the wavs of data_prep.raw_video)",
    )
    add("--average", type=positive_int, default=1, metavar="N", help="means of N frames (default: %(default)s)")
    add("--max_seconds", type=positive_float, help="longest part of an utterance, from its start (default: all of it)")
    add("--dtype", choices=("float32", "float16"), default="float32", help="of the file (default: %(default)s)")
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    if arguments.weights and (arguments.extractor or arguments.sample_rate_hz):
        parser.error("--extractor and --sample_rate_hz go with librosa's features, not with --weights")
    if arguments.layer is not None and not arguments.weights:
        parser.error("--layer goes with --weights")
    arguments.sample_rate_hz = arguments.sample_rate_hz or 16000
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from threadpoolctl import threadpool_limits

    from mertk.data.manifest import load_manifest
    from mertk.data.processes import start_processes

    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("wav.scp",))
    with threadpool_limits(1, "blas"):  # of numpy and scipy; a thread computes one utterance
        AudioExtraction(arguments, processes, manifest).run()
    processes.end()
    return 0


class AudioExtraction(Extraction):
    stage = "extract_audio"
    kind = "recordings"

    def __init__(self, arguments: argparse.Namespace, processes: Processes, manifest: Manifest) -> None:
        super().__init__(arguments, processes, manifest, arguments.out)
        self.max_seconds = arguments.max_seconds
        self.durations: dict[str, float] = {}
        if manifest.has("utt2dur"):
            self.durations = dict(zip(manifest.ids, map(float, manifest.column("utt2dur")), strict=True))

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Utterance]:
        from mertk.data_prep.extraction_plan import digest, file_mark, read_utterances

        paths = dict(zip(self.manifest.ids, self.manifest.column("wav.scp"), strict=True))
        return read_utterances(paths, lambda path: digest(file_mark(Path(path))), self.durations, skip)

    def load_extractor(self) -> LibrosaFeatures | SpeechStates:
        from mertk.encoders.audio_features import LibrosaFeatures, SpeechStates

        arguments = self.arguments
        if arguments.weights:
            compute_exactly()
            return SpeechStates(arguments.weights, arguments.layer, self.processes.device)
        return LibrosaFeatures(arguments.sample_rate_hz)

    def describe(self, extractor: LibrosaFeatures | SpeechStates) -> FeatureRecord:
        from mertk.data.feature_store import FeatureRecord

        arguments = self.arguments
        options = {"sample_rate_hz": extractor.sample_rate_hz, "average": arguments.average}
        if arguments.max_seconds is not None:
            options["max_seconds"] = arguments.max_seconds
        return FeatureRecord(
            modality="audio",
            extractor=type(extractor).__name__,
            weights=arguments.weights or "librosa",
            weights_fingerprint=extractor.fingerprint,
            layer=extractor.layer,
            rate_hz=extractor.rate_hz / arguments.average,
            dimension=extractor.dimension,
            dtype=arguments.dtype,
            miniature=bool(self.manifest.corpus.get("miniature")) or extractor.is_miniature,
            options=options,
        )

    def extract(
        self, items: Sequence[Utterance], extractor: LibrosaFeatures | SpeechStates, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        import numpy as np

        from mertk.data.averaging import average_frames
        from mertk.data.recording_error import attempt
        from mertk.data.recording_file import check_file
        from mertk.data.samples import check_samples
        from mertk.data.waveform import read_waveform
        from mertk.data_prep.worker_threads import encode_in_threads

        def encode(item: Utterance) -> np.ndarray:
            name, expected = item.path, self.durations.get(item.path)
            check_file(Path(item.value), "audio")
            samples = read_waveform(
                item.value, name, extractor.sample_rate_hz, self.max_seconds, expected_seconds=expected
            )
            check_samples(samples, f"utterance {name}: {item.value}")
            with np.errstate(over="ignore", invalid="ignore"):  # features that are no numbers are not written
                return average_frames(extractor(samples), self.arguments.average)

        def encode_or_say_why(item: Utterance) -> tuple[str, np.ndarray | RecordingError]:
            return item.path, attempt(lambda: encode(item), item.value, item.path)

        return encode_in_threads(encode_or_say_why, items, self.processes)


if __name__ == "__main__":
    raise SystemExit(main())
