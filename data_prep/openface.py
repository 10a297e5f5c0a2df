"""Features of the face that OpenFace measured: its csv files, one for each clip, as a feature directory.

Looks for CSV/video_id/clip_id.csv, the suffix in any case. A row is a frame: frame, face_id, timestamp, confidence,
success, then 709 features (gaze, landmarks, pose, shape, action units). Frames in which no face was found (success 0,
or values that are no numbers) are dropped, of several faces the one seen most often is taken, and what is left is
averaged over N frames, a shorter last group included. Clips whose file is missing, damaged, or shows no face are named
in OUT/excluded.tsv; how many files there were, and were taken, is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import make_parser, positive_int, program
from mertk.data_prep.extraction_arguments import add_extraction_arguments
from mertk.errors import MertkError
from mertk.features.extraction import Extraction
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.corpus_files import CorpusFiles
    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.features.extraction import Maker, Result
    from mertk.features.extraction_plan import Utterance
    from mertk.processes import Processes

EXAMPLE = """
python -m mertk.data_prep.openface --data data/sims_raw --csv /corpora/sims/OpenFace \\
    --out data/sims_raw/features/video
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with utt2video, of raw_video")
    add("--csv", type=Path, required=True, metavar="DIR", help="folder of the csv files, video_id/clip_id.csv")
    add("--out", type=Path, required=True, metavar="DIR", help="feature directory to write")
    add("--average", type=positive_int, default=5, metavar="N", help="means of N frames (default: %(default)s)")
    add_extraction_arguments(parser)
    return parser.parse_args(argv)


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.processes import leave_group, start_processes

    if not arguments.csv.is_dir():
        raise MertkError(f"--csv {arguments.csv}: no such directory; expected one that holds video_id/clip_id.csv.")
    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("utt2video",))
    given = (arguments.max_lost, arguments.overwrite)
    openface = OpenFaceImport(arguments.csv, arguments.average, manifest, arguments.out, processes, *given)
    openface.run()
    if processes.is_main:
        openface.tell_files()
    leave_group()
    return 0


class OpenFaceImport(Extraction):
    """Brings the csv files of a folder in; the other arguments are those of `Extraction`.

    Args:
        average: frames that are averaged to one.
    """

    stage = "openface"
    kind = "csv files"

    def __init__(
        self,
        csv: Path,
        average: int,
        manifest: Manifest,
        out: Path,
        processes: Processes,
        max_lost: float = 0.01,
        overwrite: bool = False,
    ) -> None:
        super().__init__(manifest, out, processes, max_lost, overwrite)
        self.csv = csv
        self.average = average

    @cached_property
    def files(self) -> CorpusFiles:
        from mertk.data.corpus_files import CorpusFiles

        return CorpusFiles(self.csv)

    @cached_property
    def paths(self) -> dict[str, Path]:
        """File of each utterance, in this order; where it should be when there is none."""
        found = {(file.parent, file.stem): file for file in self.files.find(self.csv, (".csv",))}
        paths = {}
        for utterance, video in zip(self.manifest.ids, self.manifest.column("utt2video"), strict=True):
            folder, clip = self.csv / video, utterance.removeprefix(f"{video}$_$")
            paths[utterance] = found.pop((folder, clip), folder / f"{clip}.csv")
        for file in found.values():
            self.files.leave_out(file, "no_utterance")
        return paths

    def tell_files(self) -> None:
        """Print how many files there were, and how many of them no utterance asks for."""
        from mertk.data.corpus_files import told

        say(told(self.files.counts()))

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Utterance]:
        from mertk.features.extraction_plan import digest, file_mark, read_utterances

        paths = {utterance: str(path) for utterance, path in self.paths.items()}
        return read_utterances(paths, lambda path: digest(file_mark(Path(path))), {}, skip)

    def load_extractor(self) -> None:
        return None

    def describe(self, extractor: None) -> FeatureRecord:
        """Record of the features, which are those named in the first file that can be read."""
        from mertk.data.feature_store import FeatureRecord
        from mertk.data.recording_error import RecordingError, attempt
        from mertk.data_prep.openface_table import NUM_FEATURES, read_names
        from mertk.features.extraction_plan import digest

        names, first = None, None
        for item in self.read_items():
            found = attempt(lambda path=Path(item.value): read_names(path), item.value)
            if not isinstance(found, RecordingError):
                names = found
                break
            first = first or found
        if names is None:
            raise MertkError(f"{self.csv}: no csv file of OpenFace can be read. The first: {first}")
        return FeatureRecord(
            modality="video",
            extractor="OpenFace",
            weights="openface",
            weights_fingerprint=digest(" ".join(names)),
            layer="all",
            rate_hz=None,
            dimension=NUM_FEATURES,
            miniature=bool(self.manifest.corpus.get("miniature")),
            options={"average": self.average, "failed_frames": "dropped"},
        )

    def extract(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> Iterator[Result]:
        from mertk.data.averaging import average_frames
        from mertk.data.recording_error import RecordingError, attempt
        from mertk.data_prep.openface_table import OpenFaceError, OpenFaceTable, read_table
        from mertk.features.extraction_plan import digest

        (maker,) = makers
        fingerprint = maker.record.weights_fingerprint

        def read(path: str) -> OpenFaceTable:
            table = read_table(Path(path))
            if digest(" ".join(table.names)) != fingerprint:
                raise OpenFaceError(
                    f"{path}: its columns are named otherwise than those of other files; run OpenFace with the same "
                    "options on all clips.",
                    "other_columns",
                )
            return table

        num_frames = num_failed = num_others = 0
        for item in items:
            table = attempt(lambda path=item.value: read(path), item.value)
            if isinstance(table, RecordingError):
                yield 0, item.path, table.of(item.path)
                continue
            num_frames += len(table.features)
            num_failed += table.num_failed
            num_others += table.num_others
            yield 0, item.path, average_frames(table.features, self.average)
        say(
            f"process {self.processes.rank}: {num_frames} frames with a face; dropped {num_failed} in which none was "
            f"found and {num_others} rows of further faces",
        )


if __name__ == "__main__":
    raise SystemExit(main())
