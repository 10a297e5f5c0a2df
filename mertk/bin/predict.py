"""Tell the emotion, or the intensity of sentiment, in recordings of your own: audio or video files of one speaker each.

A video file gives both its sound and its picture; beside an audio file, a model that needs a picture takes the video of
the same name with another ending, if there is one. A model that needs what is said takes it from --text (of one file),
from --transcripts, or from a file of the same name that ends in .txt. With several --model directories (the folds of a
cross-validation, say, or seeds) their answers are averaged. A model may be what mertk export wrote, a folder or a
name on the Hugging Face hub; nothing that comes with it is run. Of a long recording a model sees as much as of the
utterances it was trained on; what is left out is told. What could not be predicted is named at the end with the reason,
and the exit code is then 1; the answers to the other files are given all the same.

With --window or --segments a recording of any length becomes a timeline, a line a window, each as soon as it is there:
windows of --window seconds, one every --hop seconds, until one reaches the end; the last may be shorter. A folder
stands for the recordings below it, which their names tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mertk.bin.model_arguments import add_model_arguments, open_predictor
from mertk.bin.predict_timeline import (
    add_timeline_arguments,
    find_cutting,
    find_files,
    open_table,
    tell_all,
    tell_timelines,
)
from mertk.cli import make_parser, program

EXAMPLE = """\
mertk predict --model exp/iemocap/foal/paper/session-clean/fold_*/seed_1234/best interview.mp4
mertk predict --model MODEL --half left --out emotions.tsv recordings/*.avi
mertk predict --model MODEL --text "I really liked it" review.mp4
mertk predict --model MODEL --window 3 --hop 1 lecture.wav
mertk predict --model owner/name interview.mp4
mertk predict --model MODEL --segments vad --out_dir timelines --subtitles srt recordings
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add_model_arguments(parser)
    add("--half", default="whole", choices=("whole", "left", "right"), help="part of the picture to look at")
    add("--text", help="what is said in the file")
    add("--transcripts", type=Path, metavar="TSV", help="what is said in each file: lines of name, tab, text")
    add("--list", type=Path, metavar="FILE", help="files, too: their paths, one a line")
    add("--out", type=Path, metavar="TSV", help="write the table to a file, not to the terminal")
    add_timeline_arguments(parser)
    add("--debug", action="store_true", help="show the stack trace of an error that nobody foresaw")
    add(
        "files",
        nargs="*",
        type=Path,
        help="audio or video files, or folders; put -- before them where one could be a model",
    )
    arguments = parser.parse_args(argv)

    from mertk.run.prediction_files import predict_files, separate

    models, files = arguments.model, arguments.files
    if "--" not in (sys.argv[1:] if argv is None else argv):
        models, behind, unclear = separate(models)
        files = files + behind
        if unclear:
            parser.error(
                f"{unclear[0]}: neither a model directory (it has no model.json) nor a file; put -- between models "
                "and files"
            )
    if arguments.list:
        from mertk.data.recording_search import read_file_list

        files = files + read_file_list(arguments.list)
    if not files:
        parser.error("expected one or more audio or video files behind the models")
    if arguments.out is not None and arguments.out.is_dir():
        parser.error(f"--out {arguments.out} is a folder; give the name of a file to write")
    if arguments.text is not None and (len(files) > 1 or arguments.transcripts):
        parser.error("--text is what is said in one file; for several give --transcripts")
    cutting = find_cutting(parser, arguments)
    recordings = find_files(files)
    if arguments.text is not None and len(recordings) > 1:
        parser.error(f"--text is what is said in one file; {files[0]} has {len(recordings)}")

    from mertk.data.transcripts import read_transcripts

    transcripts = read_transcripts(arguments.transcripts) if arguments.transcripts else {}
    predictor = open_predictor(arguments, models)
    if cutting:
        return tell_timelines(predictor, recordings, cutting, transcripts, arguments)
    with open_table(arguments.out) as stream:

        def write(row: list[str]) -> None:
            stream.write("\t".join(row) + "\n")
            stream.flush()

        show = arguments.out is not None or not sys.stdout.isatty()
        given = ([one.path for one in recordings], transcripts, arguments.text, arguments.half)
        found = predict_files(predictor, *given, write, show)
    if arguments.debug:
        sys.stderr.write("".join(found.traces))
    tell_all("note", found.notes)
    tell_all("error", found.errors)
    return 1 if found.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
