"""Features of the speakers' faces: every frame of an utterance through CLIP, one vector each.

Several processes share the dialogues; each writes a part of its own, and the first joins them at the end. Run again
after an interruption, on any number of processes, only what is missing is made. Utterances whose video cannot be used
are named in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import make_parser, program
from mertk.errors import MertkError

if TYPE_CHECKING:
    from data_prep.extraction_plan import Dialogue
    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.processes import Processes
    from mertk.encoders.visual import ClipFrameEncoder

EXAMPLE = """
accelerate launch -m data_prep.extract_video --data data/iemocap \\
    --weights openai/clip-vit-large-patch14 --out data/iemocap/features/video
"""
STAGE = "extract_video"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with video.scp and video_segments")
    add("--weights", required=True, help="CLIP model of transformers: local folder or hub id (owner/model[@revision])")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write")
    add("--output", default="projected", help="projected, penultimate or hidden_N (default: %(default)s)")
    add(
        "--max_seconds",
        type=positive_float,
        default=6.0,
        help="longest part of an utterance, from its start (default: 6)",
    )
    add("--batch_frames", type=positive_int, default=256, help="most frames encoded at once (default: %(default)s)")
    add("--dtype", choices=("float32", "float16"), default="float32", help="of the file (default: %(default)s)")
    add(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="of the model (default: %(default)s)",
    )
    add("--num_processes", type=positive_int, help="stop when the launcher started another number of processes")
    add("--decoders", type=positive_int, help="threads that decode, for each process (default: by the cores there are)")
    add(
        "--max_lost",
        type=float,
        default=0.01,
        help="largest share of utterances without features (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="throw features away that are there and were made differently")
    return parser.parse_args(argv)


def positive_int(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number")
    return int(text)


def positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number")
    return value


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.data.processes import start_processes
    from mertk.encoders.visual import check_output

    check_output(arguments.output)
    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("video.scp", "video_segments"))
    Extraction(arguments, processes, manifest).run()
    processes.end()
    return 0


@dataclass
class Plan:
    """What the main process tells the others."""

    record: FeatureRecord
    rate: Fraction
    shares: list[list[str]]


class Extraction:
    """One run of the program in one process."""

    def __init__(self, arguments: argparse.Namespace, processes: Processes, manifest: Manifest) -> None:
        self.arguments = arguments
        self.processes = processes
        self.manifest = manifest

    def run(self) -> None:
        from data_prep.extraction_plan import read_dialogues

        started = time.monotonic()
        encoder = self._load_encoder() if self.processes.is_main else None
        plan: Plan = self.processes.broadcast(self._plan(encoder) if encoder else None)
        mine = set(plan.shares[self.processes.rank])
        dialogues = [item for item in read_dialogues(self.manifest, self._finished()) if item.path in mine]
        # Nobody writes before everybody has seen what is there.
        self.processes.gather(None)
        if dialogues and encoder is None:
            encoder = self._load_encoder()
        count, failures = self._extract(dialogues, encoder, plan) if dialogues else (0, [])
        reports = self.processes.gather((count, failures))
        if self.processes.is_main:
            seconds = time.monotonic() - started
            self._finish(sum(count for count, _ in reports), [item for _, found in reports for item in found], seconds)

    def _load_encoder(self) -> ClipFrameEncoder:
        import torch

        from mertk.encoders.visual import ClipFrameEncoder

        # Equal features on every run, in full precision unless --precision says otherwise.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        arguments = self.arguments
        return ClipFrameEncoder(arguments.weights, arguments.output, self.processes.device, arguments.precision)

    def _finished(self) -> set[tuple[str, str]]:
        from mertk.data.feature_store import finished_entries

        return set(finished_entries(self.arguments.out))

    def _plan(self, encoder: ClipFrameEncoder) -> Plan:
        """Prepare the directory and share out what is missing; main process only."""
        from data_prep.extraction_plan import read_dialogues, share_out
        from mertk.data.feature_record import INDEX_FILE
        from mertk.data.feature_store import prepare_directory

        rate = self._rate(read_dialogues(self.manifest))
        record = self._record(encoder, rate)
        prepare_directory(self.arguments.out, record, self.arguments.overwrite)
        missing = read_dialogues(self.manifest, self._finished())
        number = sum(len(dialogue.segments) for dialogue in missing)
        if missing:
            # The directory counts as whole only while its index is there.
            (self.arguments.out / INDEX_FILE).unlink(missing_ok=True)
        print(
            f"{number} of {len(self.manifest)} utterances to extract, {len(missing)} videos, "
            f"{self.processes.count} process(es) on {self.processes.device.partition(':')[0]}",
            flush=True,
        )
        return Plan(record, rate, share_out(missing, self.processes.count, self.arguments.max_seconds))

    def _rate(self, dialogues: Iterable[Dialogue]) -> Fraction:
        """Frame rate of the corpus: that of the first video that can be opened."""
        from mertk.data.video_frames import VideoError, read_rate

        first: VideoError | None = None
        for dialogue in dialogues:
            try:
                return read_rate(dialogue.path)
            except VideoError as error:
                first = first or error
        raise MertkError(f"{self.arguments.data / 'video.scp'}: no video can be opened. The first: {first}")

    def _record(self, encoder: ClipFrameEncoder, rate: Fraction) -> FeatureRecord:
        from mertk.data.feature_store import FeatureRecord
        from mertk.encoders.weights import find_weights, fingerprint

        arguments = self.arguments
        return FeatureRecord(
            modality="video",
            extractor=type(encoder).__name__,
            weights=str(arguments.weights),
            weights_fingerprint=fingerprint(find_weights(arguments.weights)),
            layer=arguments.output,
            rate_hz=float(rate),
            dimension=encoder.dimension,
            dtype=arguments.dtype,
            miniature=bool(self.manifest.corpus.get("miniature")) or encoder.miniature,
            options={
                "max_seconds": arguments.max_seconds,
                "batch_frames": arguments.batch_frames,
                "precision": arguments.precision,
                "preprocessing": encoder.preprocessing.as_dict(),
            },
        )

    def _extract(
        self, dialogues: list[Dialogue], encoder: ClipFrameEncoder, plan: Plan
    ) -> tuple[int, list[tuple[str, str, str]]]:
        """Write this process' part; number of frames, and (utterance, reason, detail) of those that failed."""
        from data_prep.extraction_plan import sources_of
        from data_prep.video_pipeline import extract, num_threads
        from mertk.data.feature_store import FeatureWriter
        from mertk.data.video_frames import VideoError
        from mertk.progress import progress

        arguments, sources = self.arguments, sources_of(dialogues)
        threads = num_threads(self.processes, arguments.decoders)
        results = extract(dialogues, encoder, plan.rate, arguments.max_seconds, arguments.batch_frames, *threads)
        num_frames, failures = 0, []
        rank, count = self.processes.rank, self.processes.count
        with closing(results), FeatureWriter(arguments.out, plan.record, rank, count) as writer:
            shown = progress(results, len(sources), f"video features, process {rank}", self.processes.is_main)
            for segment, features in shown:
                if isinstance(features, VideoError):
                    failures.append((segment.utterance, features.reason, str(features)))
                else:
                    writer.write(segment.utterance, features, sources[segment.utterance])
                    num_frames += len(features)
        return num_frames, failures

    def _finish(self, num_frames: int, failures: list[tuple[str, str, str]], seconds: float) -> None:
        """Write the ledger and, if not too much was lost, the index."""
        from data_prep.extraction_plan import read_dialogues, sources_of
        from mertk.data.feature_store import merge_parts
        from mertk.data.ledger import Ledger

        ledger = Ledger()
        for utterance, reason, detail in failures:
            ledger.add(utterance, STAGE, reason, detail)
        out = self.arguments.out
        ledger.write(out / "excluded.tsv")
        if failures:
            print(f"{len(failures)} utterances left out, see {out / 'excluded.tsv'}", file=sys.stderr, flush=True)
        ledger.check_share(len(self.manifest), self.arguments.max_lost, f"utterances of {self.arguments.data}")
        lost = {utterance for utterance, _, _ in failures}
        sources: dict[str, Any] = sources_of(read_dialogues(self.manifest))
        record = merge_parts(out, [name for name in self.manifest.ids if name not in lost], sources)
        print(
            f"{out}: {record.count} utterances, {record.dimension} values a frame; now {num_frames} frames in "
            f"{seconds:.1f} s ({num_frames / seconds:.0f} a second)",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(main())
