"""Features of the speakers' faces: frames through a pretrained encoder, pictures alone, or your own features.

Several processes share the dialogues; each writes a part of its own, and the first joins them at the end. Run again
after an interruption, on any number of processes, only what is missing is made. Utterances whose video cannot be used
are named in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import make_parser, positive_float, positive_int, program, share
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
    from mertk.features.modalities import VideoExtractor

EXAMPLE = """
mertk launch extract video --data data/iemocap \\
    --clip openai/clip-vit-large-patch14 --out data/iemocap/features/video
mertk launch extract video --data data/mosi_raw --rate_hz 5 --max_seconds 60 \\
    --clip openai/clip-vit-large-patch14 --out data/mosi_raw/features/video
mertk extract video --data data/iemocap --side 48 --rate_hz 10 \\
    --out data/iemocap/features/pictures
mertk extract video --data data/mine --pictures openai/clip-vit-base-patch32 \\
    --rate_hz 3 --out data/mine/features/colour
mertk extract video --data data/mine --encoder MCG-NJU/videomae-base --rate_hz 8 \\
    --max_seconds 20 --out data/mine/features/movement
mertk extract video --data data/mine --crop face \\
    --clip openai/clip-vit-large-patch14 --out data/mine/features/faces
mertk extract video --data data/mine --crop face --pool mean \\
    --clip openai/clip-vit-base-patch16 openai/clip-vit-large-patch14 \\
    --out data/mine/features/base data/mine/features/large
"""

#: options that say how mertk's own extractors work
OPTIONS = ("clip", "side", "pictures", "output", "layers", "precision", "max_seconds", "rate_hz", "batch_frames")

#: options of --crop face
FACE_OPTIONS = ("face_side", "face_margin", "no_face")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="data directory with video.scp and video_segments")
    told = (
        "CLIP, SigLIP, DINOv2, ViT or VideoMAE of transformers: local folder or hub id (owner/model[@revision]); "
        "several see every video in one pass"
    )
    add("--clip", "--encoder", former="--weights", nargs="+", metavar="WEIGHTS", help=told)
    add("--side", type=positive_int, metavar="P", help="instead of --clip: grey pictures of P by P pixels")
    told = (
        "instead of --clip: pictures in colour, as bytes, prepared as this encoder (folder or hub id) wants them, for "
        "a model that trains it (mertk.encoders.pretrained_pictures)"
    )
    add("--pictures", metavar="WEIGHTS", help=told)
    add_extractor_argument(parser, "VideoExtractor", several=True)
    add_out_argument(parser)
    told = (
        "of the encoder: projected (of CLIP and SigLIP), penultimate, tubelets or clips (of VideoMAE), or hidden_N "
        "(default: the first of these that it has)"
    )
    add("--output", help=told)
    add_layers_argument(parser)
    add("--max_seconds", type=positive_float, help="longest part of an utterance, from its start (default: 6)")
    add(
        "--rate_hz",
        type=positive_float,
        metavar="R",
        help="frames per second to take, nearest to the times i/R; the videos may then differ in their frame rate "
        "(default: every frame, of videos of one rate)",
    )
    add("--batch_frames", type=positive_int, help="most frames encoded at once (default: 256)")
    add_pool_argument(parser)
    told = "of the file (default: float32, of pictures in colour uint8)"
    add("--dtype", choices=("float32", "float16"), help=told)
    add_precision_argument(parser, ["float16"])
    told = "show the extractor the largest, most central face alone (the extra face)"
    add("--crop", choices=("face",), help=told)
    add("--face_side", type=positive_int, metavar="P", help="pixels of what is cut out, P by P (default: 224)")
    add("--face_margin", type=share, metavar="SHARE", help="room on each side of a face (default: 0.2)")
    told = "utterances that show no face: drop names them in excluded.tsv, keep makes zeros of them (default: drop)"
    add("--no_face", choices=("drop", "keep"), help=told)
    add("--decoders", type=positive_int, help="threads that decode, for each process (default: by the cores there are)")
    add_extraction_arguments(parser)
    arguments = parser.parse_args(argv)
    ways = [name for name in ("clip", "side", "pictures", "extractor") if getattr(arguments, name) is not None]
    if len(ways) != 1:
        parser.error("expected one of --clip, --side, --pictures and --extractor")
    num_extractors = len(arguments.clip or split_extractors(arguments.extractor or ["side"]))
    check_places(parser, num_extractors, arguments.out)
    if arguments.extractor:
        refuse_options(parser, arguments, OPTIONS)
    if not arguments.crop:
        given = [f"--{name}" for name in FACE_OPTIONS if getattr(arguments, name) is not None]
        if given:
            parser.error(f"{', '.join(given)}: only with --crop face")
    if arguments.pictures and (arguments.pool or arguments.dtype or arguments.batch_frames):
        parser.error("--pool, --dtype and --batch_frames do not go with --pictures, which are kept as they are")
    if (arguments.side or arguments.pictures) and (arguments.output or arguments.layers or arguments.precision):
        parser.error("--output, --layers and --precision go with --clip")
    if arguments.output and arguments.layers:
        parser.error("--output and --layers: give one of them")
    return arguments


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.data.manifest import load_manifest
    from mertk.features.extraction_pass import extract_together
    from mertk.features.video_extraction import VideoExtraction
    from mertk.processes import leave_group, start_processes

    processes = start_processes(arguments.num_processes)
    makes = [crop_faces(arguments, make) for make in choose_extractors(arguments, processes.device)]
    manifest = load_manifest(arguments.data, need=("video.scp", "video_segments"))
    given = (arguments.dtype, arguments.max_lost, arguments.overwrite, arguments.pool, arguments.decoders)
    pairs = zip(makes, arguments.out, strict=True)
    extract_together([VideoExtraction(make, manifest, out, processes, *given) for make, out in pairs])
    leave_group()
    return 0


def choose_extractors(arguments: argparse.Namespace, device: str) -> list[Callable[[], VideoExtractor]]:
    """What builds the extractors that the options describe.

    Raises:
        MertkError: an output that no encoder has, or no extractor of one's own.
    """
    from mertk.features.colour_pictures import ColourPictures
    from mertk.features.modalities import VideoExtractor
    from mertk.features.picture_extractors import open_extractor
    from mertk.features.picture_states import check_output
    from mertk.features.small_pictures import SmallPictures

    if arguments.extractor:
        return [named_extractor(words, VideoExtractor, device) for words in split_extractors(arguments.extractor)]
    if arguments.pictures:
        return [partial(ColourPictures.as_seen_by, arguments.pictures, arguments.max_seconds or 6.0, arguments.rate_hz)]
    taken = (arguments.max_seconds or 6.0, arguments.rate_hz, arguments.batch_frames or 256)
    if arguments.side:
        return [partial(SmallPictures, arguments.side, *taken, device)]
    output = f"layers_{arguments.layers}" if arguments.layers else arguments.output
    precision = arguments.precision or "float32"
    if output is not None:
        check_output(output)
    return [partial(open_extractor, weights, output, *taken, precision, device) for weights in arguments.clip]


def crop_faces(arguments: argparse.Namespace, make: Callable[[], VideoExtractor]) -> Callable[[], VideoExtractor]:
    """What builds an extractor, of faces where the options say so.

    Raises:
        MertkError: settings that make no sense.
    """
    if not arguments.crop:
        return make
    from mertk.content import convert
    from mertk.features.face_crop import FaceCrop, FaceSettings

    options = {"side": arguments.face_side, "margin": arguments.face_margin, "no_face": arguments.no_face}
    given = {name: value for name, value in options.items() if value is not None}
    settings = convert(given, FaceSettings, "--crop face", "see mertk extract video --help")
    return lambda: FaceCrop(make(), settings)


if __name__ == "__main__":
    raise SystemExit(main())
