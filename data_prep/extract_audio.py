"""Features of the voice: librosa's 33 of each frame, hidden states of a speech encoder, or those of your own extractor.

Several processes share the utterances; each writes a part of its own, and the first joins them at the end. Run again
after an interruption, on any number of processes, only what is missing is made. Utterances whose sound cannot be used
are named in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import float_from_zero, make_parser, positive_float, positive_int, program
from mertk.data_prep.extraction_arguments import (
    add_extraction_arguments,
    add_extractor_argument,
    add_layers_argument,
    add_out_argument,
    add_pool_argument,
    add_precision_argument,
    check_places,
    named_extractor,
    refuse_options,
    split_extractors,
)

if TYPE_CHECKING:
    from mertk.features.modalities import AudioExtractor

EXAMPLE = """
mertk extract audio --data data/mosi_raw --extractor librosa --out data/mosi_raw/features/audio
mertk launch extract audio --data data/mosi_raw --speech microsoft/wavlm-large --layer 12 \\
    --out data/mosi_raw/features/audio
mertk launch extract audio --data data/iemocap --speech microsoft/wavlm-large \\
    --layers all --dtype float16 --max_seconds 6 --out data/iemocap/features/layers
mertk extract audio --data data/iemocap --pool statistics \\
    --speech microsoft/wavlm-large facebook/hubert-large-ll60k \\
    --out data/iemocap/features/wavlm data/iemocap/features/hubert
mertk extract audio --data data/mosi_raw --extractor my_voice.Loudness window_samples=160 \\
    --out data/mosi_raw/features/loudness
"""

#: options that say how mertk's own extractors work
OPTIONS = ("speech", "layer", "layers", "sample_rate_hz", "average", "max_seconds", "precision")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with wav.scp")
    add_out_argument(parser)
    add_extractor_argument(parser, "AudioExtractor", "librosa for hand-made features (the default)", several=True)
    told = (
        "WavLM, Whisper or another speech encoder of transformers: local folder or hub id (owner/model[@revision]); "
        "several hear every recording in one pass"
    )
    add("--speech", "--encoder", former="--weights", nargs="+", metavar="WEIGHTS", help=told)
    add(
        "--layer",
        type=int,
        help="transformer layer of the encoder, from 1, or from -1 at the end (default: its output)",
    )
    add_layers_argument(parser)
    add(
        "--sample_rate_hz",
        type=positive_int,
        help="for librosa's features, 512 samples a frame (default: 16000, as of the wavs of mertk prepare raw_video)",
    )
    add("--average", type=positive_int, metavar="N", help="means of N frames (default: 1)")
    add("--max_seconds", type=positive_float, help="longest part of an utterance, from its start (default: all of it)")
    add_pool_argument(parser)
    add("--dtype", choices=("float32", "float16"), default="float32", help="of the file (default: %(default)s)")
    add_precision_argument(parser)
    told = "most sound in a batch, padding included; 0: one utterance at a time (default: 120 on a GPU, 0 elsewhere)"
    add("--batch_seconds", type=float_from_zero, metavar="S", help=told)
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    named = split_extractors(arguments.extractor or ["librosa"])
    check_places(parser, len(arguments.speech or named), arguments.out)
    if arguments.extractor not in (None, ["librosa"]):
        refuse_options(parser, arguments, OPTIONS)
    elif arguments.speech and (arguments.extractor or arguments.sample_rate_hz):
        parser.error("--extractor and --sample_rate_hz go with librosa's features, not with --speech")
    elif (arguments.layer is not None or arguments.layers) and not arguments.speech:
        parser.error("--layer and --layers go with --speech")
    elif arguments.precision and not arguments.speech:
        parser.error("--precision goes with --speech")
    if arguments.layer is not None and arguments.layers:
        parser.error("--layer and --layers: give one of them")
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.features.audio_extraction import AudioExtraction
    from mertk.features.extraction_pass import extract_together
    from mertk.processes import leave_group, start_processes

    processes = start_processes(arguments.num_processes)
    manifest = load_manifest(arguments.data, need=("wav.scp",))
    extract_together(
        [
            AudioExtraction(
                make,
                manifest,
                out,
                processes,
                arguments.dtype,
                arguments.max_lost,
                arguments.overwrite,
                arguments.pool,
                arguments.batch_seconds,
            )
            for make, out in zip(choose_extractors(arguments, processes.device), arguments.out, strict=True)
        ]
    )
    leave_group()
    return 0


def choose_extractors(arguments: argparse.Namespace, device: str) -> list[Callable[[], AudioExtractor]]:
    """What builds the extractors that the options describe."""
    from mertk.features.librosa_features import LibrosaFeatures
    from mertk.features.modalities import AudioExtractor
    from mertk.features.speech_states import SpeechStates

    average, max_seconds = arguments.average or 1, arguments.max_seconds
    if arguments.speech:
        given = (arguments.layers or arguments.layer, average, max_seconds, device, arguments.precision)
        return [partial(SpeechStates, weights, *given) for weights in arguments.speech]
    if arguments.extractor in (None, ["librosa"]):
        return [partial(LibrosaFeatures, arguments.sample_rate_hz or 16000, average, max_seconds)]
    return [named_extractor(words, AudioExtractor, device) for words in split_extractors(arguments.extractor)]


if __name__ == "__main__":
    raise SystemExit(main())
