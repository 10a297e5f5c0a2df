"""The part of `mertk predict` that makes timelines: its options, and where the lines go."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mertk.cli import positive_float, positive_int
from mertk.file_names import printable
from mertk.screen import tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mertk.data.recording_search import FoundFile
    from mertk.parser import Parser
    from mertk.run.prediction import Predictor
    from mertk.run.timeline import Cutting

#: options that mean nothing without a timeline
_OF_TIMELINES = ("hop", "batch_size", "format", "out_dir", "subtitles", "plot", "overwrite")


def add_timeline_arguments(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--window",
        type=positive_float,
        metavar="SECONDS",
        help="timeline: length of a window, or the longest of speech",
    )
    add("--hop", type=positive_float, metavar="SECONDS", help="from one window to the next; a third of the window")
    told = "windows that are answered at once (on a GPU as many as 96 s hold, on a processor one)"
    add("--batch_size", type=positive_int, metavar="N", help=told)
    add("--segments", choices=("vad",), help="stretches of speech, which silero-vad finds, in place of windows")
    add("--format", choices=("tsv", "jsonl"), help="of the lines: a table, as otherwise, or an object a line")
    add("--out_dir", type=Path, metavar="DIR", help="a table NAME.tsv of each file in a folder, not one of all")
    add("--subtitles", choices=("srt", "vtt"), help="NAME.srt or .vtt in --out_dir, to show over the video")
    add("--plot", choices=("png", "svg"), help="NAME.png or .svg in --out_dir: a picture of the timeline")
    add("--overwrite", action="store_true", help="replace what is in --out_dir already")


def find_cutting(parser: Parser, arguments: argparse.Namespace) -> Cutting | None:
    """How recordings are to be cut; None where no timeline is asked for. What does not go together ends the program.

    Raises:
        MertkError: lengths that are none.
    """
    is_timeline = arguments.window is not None or arguments.segments is not None
    if not is_timeline and (given := [name for name in _OF_TIMELINES if getattr(arguments, name)]):
        parser.error(f"--{given[0]} is for timelines; give --window or --segments, too")
    if (arguments.subtitles or arguments.plot) and not arguments.out_dir:
        parser.error(f"--{'subtitles' if arguments.subtitles else 'plot'} writes a file of its own; give --out_dir")
    if arguments.out and arguments.out_dir:
        parser.error("--out is one table, --out_dir has one of each file; give one of them")
    if arguments.segments and arguments.hop:
        parser.error("--hop is for windows; stretches of speech begin where they are spoken")
    if not is_timeline:
        return None
    from mertk.run.timeline import Cutting

    return Cutting(arguments.window, arguments.hop, by_speech=arguments.segments is not None)


def find_files(given: Sequence[Path]) -> list[FoundFile]:
    """The files, and those in the folders; tells what was passed over there."""
    from mertk.data.recording_search import find_recordings

    found, passed = find_recordings(given)
    tell_all("note", passed)
    return found


def tell_timelines(
    predictor: Predictor,
    found: Sequence[FoundFile],
    cutting: Cutting,
    transcripts: Mapping[str, str],
    arguments: argparse.Namespace,
) -> int:
    """Write the timelines and, when a file is done, what is to be known of it; the exit code."""
    from mertk.report.timeline_files import TimelineFolder, TimelineStream
    from mertk.report.timeline_rows import ObjectLines, TableLines
    from mertk.run.timeline_files import answer_files

    files, classes = [one.path for one in found], predictor.classes
    lines = ObjectLines() if arguments.format == "jsonl" else TableLines(predictor.task, classes)
    num_bad = 0
    with ExitStack() as opened:
        if arguments.out_dir:
            names, kinds = [one.name for one in found], (arguments.subtitles, arguments.plot)
            place = TimelineFolder(arguments.out_dir, files, names, lines, classes, *kinds, arguments.overwrite)
        else:
            place = TimelineStream(files, lines, opened.enter_context(open_table(arguments.out)))
        said = (transcripts, arguments.text, arguments.half)
        show = bool(arguments.out_dir or arguments.out) or not sys.stdout.isatty()
        for told in answer_files(predictor, files, cutting, place.open, *said, show, arguments.batch_size):
            sys.stderr.write(told.trace if arguments.debug else "")
            tell_all("note", told.notes)
            tell_all("error", told.errors)
            num_bad += bool(told.errors)
    if num_bad and len(files) > 1:
        tell(f"{num_bad} of {len(files)} files have errors, told above")
    return 1 if num_bad else 0


def open_table(out: Path | None) -> AbstractContextManager[TextIO]:
    """Where lines go as they come: a file, which stays with what was written when the rest fails, or the terminal."""
    if out is None:
        return nullcontext(sys.stdout)
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.open("w", encoding="utf-8", errors="backslashreplace")


def tell_all(kind: str, messages: Sequence[str]) -> None:
    """Say what is no answer: notes, errors."""
    for message in messages:
        tell(printable(f"{kind}: {message}"))
