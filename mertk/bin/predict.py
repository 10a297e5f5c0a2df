"""Tell the emotion, or the intensity of sentiment, in recordings of your own: audio or video files of one speaker each.

A video file gives both its sound and its picture; beside an audio file, a model that needs a picture takes the video of
the same name with another ending, if there is one. A model that needs what is said takes it from --text (of one file),
from --transcripts, or from a file of the same name that ends in .txt. With several --model directories (the folds of a
cross-validation, say, or seeds) their answers are averaged. Of a long recording a model sees as much as of the
utterances it was trained on; what is left out is told. What could not be predicted is named at the end with the reason,
and the exit code is then 1; the answers to the other files are given all the same.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import add_trust_argument, make_parser, program
from mertk.errors import MertkError
from mertk.names import printable

if TYPE_CHECKING:
    import argparse

EXAMPLE = """\
python -m mertk.bin.predict --model exp/iemocap/foal/paper/session-clean/fold_*/seed_1234/best interview.mp4
python -m mertk.bin.predict --model MODEL --half left --out emotions.tsv recordings/*.avi
python -m mertk.bin.predict --model MODEL --text "I really liked it" review.mp4
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--model", type=Path, nargs="+", action="extend", required=True, help="model directories (RUN/best)")
    add("--half", default="whole", choices=("whole", "left", "right"), help="part of the picture to look at")
    add("--text", help="what is said in the file")
    add("--transcripts", type=Path, metavar="TSV", help="what is said in each file: lines of name, tab, text")
    add("--weights", help="the CLIP model the features were made with, when it is not where it was")
    add("--audio_weights", help="the speech encoder the features were made with, when it is not where it was")
    add("--tokenizer", help="the text encoder, or its tokenizer, of the text features, when it is not where it was")
    add("--out", type=Path, metavar="TSV", help="write the table to a file, not to the terminal")
    add("--device", help="cpu, cuda, cuda:1, ...; by default the first GPU, or the CPU")
    add_trust_argument(parser)
    add("--debug", action="store_true", help="show the stack trace of an error that nobody foresaw")
    add("files", nargs="*", type=Path, help="audio or video files; put -- before them where one could be a model")
    arguments = parser.parse_args(argv)
    if "--" not in (sys.argv[1:] if argv is None else argv):
        arguments.model, behind, unclear = separate(arguments.model)
        arguments.files += behind
        if unclear:
            parser.error(
                f"{unclear[0]}: neither a model directory (it has no model.json) nor a file; put -- between models "
                "and files"
            )
    if not arguments.files:
        parser.error("expected one or more audio or video files behind the models")
    if arguments.out is not None and arguments.out.is_dir():
        parser.error(f"--out {arguments.out} is a folder; give the name of a file to write")
    if arguments.text is not None and (len(arguments.files) > 1 or arguments.transcripts):
        parser.error("--text is what is said in one file; for several give --transcripts")
    return arguments


def separate(words: list[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """What follows `--model`, as models, files, and what may be meant as either.

    The first is a model, and what holds model.json; a run, whose model lies deeper, and a name of nothing without an
    ending may be misspelt models. Whatever else there is goes for a file.
    """
    models, files, unclear = words[:1], [], []
    for word in words[1:]:
        if (word / "model.json").is_file():
            models.append(word)
        elif (word / "config.yaml").is_file() or not (word.suffix or word.exists() or word.is_symlink()):
            unclear.append(word)
        else:
            files.append(word)
    return models, files, unclear


@program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)

    from mertk.atomic import write_text
    from mertk.data.recording import Recording
    from mertk.data.recording_error import border
    from mertk.data.transcripts import find_transcript, read_transcripts
    from mertk.progress_bar import progress
    from mertk.run.prediction import Predictor
    from mertk.run.recording_inputs import Places

    table = read_transcripts(arguments.transcripts) if arguments.transcripts else {}
    places = Places(arguments.audio_weights, arguments.weights, arguments.tokenizer)
    predictor = Predictor(arguments.model, arguments.device, places, arguments.trust)
    lines, told, failed = ["\t".join(["file", *predictor.task.answer_header(predictor.classes)])], [], []
    for file in progress(arguments.files, total=len(arguments.files), description="predict"):
        try:
            with border(file):
                words = find_transcript(file, table) if arguments.text is None else arguments.text
                recording = Recording(file, words, arguments.half)
                answer = predictor.predict(recording)
                notes = predictor.notes(recording)
        except MertkError as error:
            if arguments.debug:
                sys.stderr.write(error.trace)
            told_of_it = str(error).removeprefix(f"utterance {file.stem}: ").removeprefix(f"{file}: ")
            failed.append(f"error: {file}: {told_of_it}")
            continue
        told += [f"note: {file}: {note}" for note in notes]
        columns = predictor.task.answer_columns(predictor.task.tell(answer, predictor.classes))
        lines.append("\t".join([printable(str(file)), *columns]))
    text = "\n".join(lines) + "\n"
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_text(arguments.out, text)
    for message in [*told, *failed]:
        print(printable(message), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
