"""Where timelines go: all to one stream, line by line as they come, or each into files of its own in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from mertk.errors import MertkError
from mertk.file_names import printable
from mertk.report.timeline_rows import ObjectLines, TableLines
from mertk.tasks.answer import TimedAnswer

Lines = TableLines | ObjectLines


@dataclass
class _Writer:
    """Lines of one file; every line is out before the next is begun."""

    file: Path
    lines: Lines
    stream: TextIO
    answers: list[TimedAnswer] | None = field(default=None)

    def answer(self, answer: TimedAnswer) -> None:
        self._write(self.lines.answer(str(self.file), answer))
        if self.answers is not None:
            self.answers.append(answer)

    def error(self, told: str) -> None:
        self._write(self.lines.error(str(self.file), told))

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class TimelineStream:
    """All timelines in one stream, a head above."""

    def __init__(self, files: Sequence[Path], lines: Lines, stream: TextIO) -> None:
        self._files, self._lines, self._stream = files, lines, stream
        stream.write(lines.head)

    @contextmanager
    def open(self, number: int) -> Iterator[_Writer]:
        """What the lines of the file of this number are given to."""
        yield _Writer(self._files[number], self._lines, self._stream)


class TimelineFolder:
    """NAME.tsv or NAME.jsonl of each file in a folder, and subtitles and a picture where they are asked for.

    They are there when the file is done, whole or not at all; of one that could be read in part, with that part.

    Args:
        names: of the files to write, without ending, below the folder.
        subtitles, picture: endings, or None.
        overwrite: whether what is there already may be replaced.

    Raises:
        MertkError: two files would be written as one, or files are there already.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        names: Sequence[Path],
        lines: Lines,
        classes: Sequence[str] | None,
        subtitles: str | None = None,
        picture: str | None = None,
        overwrite: bool = False,
    ) -> None:
        self._files, self._lines, self._classes = files, lines, classes
        self._subtitles, self._picture = subtitles, picture
        self._places = [folder / name for name in tell_apart(files, names)]
        endings = [ending for ending in (lines.ending, subtitles, picture) if ending]
        there = [place for base in self._places for place in (_with(base, one) for one in endings) if place.exists()]
        if there and not overwrite:
            others = f" and {len(there) - 1} more of its files are" if len(there) > 1 else " is"
            raise MertkError(f"{there[0]}{others} there already; give another --out_dir, or --overwrite.")

    @contextmanager
    def open(self, number: int) -> Iterator[_Writer]:
        """What the lines of the file of this number are given to; its other files are written behind."""
        from mertk.atomic import replacing

        answers: list[TimedAnswer] = []
        place = self._places[number]
        with (
            replacing(_with(place, self._lines.ending)) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream,
        ):
            stream.write(self._lines.head)
            yield _Writer(self._files[number], self._lines, stream, answers)
        if answers:
            self._write_others(number, answers)

    def _write_others(self, number: int, answers: list[TimedAnswer]) -> None:
        from mertk.atomic import write_text
        from mertk.report.subtitles import subtitles
        from mertk.report.timeline_picture import draw_timeline
        from mertk.report.timeline_shares import stretches_of

        place = self._places[number]
        if self._subtitles:
            write_text(_with(place, self._subtitles), subtitles(stretches_of(answers), self._subtitles))
        if self._picture:
            title = printable(self._files[number].name)
            draw_timeline(answers, self._classes, title, _with(place, self._picture))


def tell_apart(files: Sequence[Path], names: Sequence[Path]) -> list[Path]:
    """The names; of files that would share one, with their endings.

    >>> tell_apart([Path("a.wav"), Path("a.mp4"), Path("b.wav")], [Path("a"), Path("a"), Path("b")])
    [PosixPath('a.wav'), PosixPath('a.mp4'), PosixPath('b')]

    Raises:
        MertkError: they are the same with them, too.
    """
    counts = Counter(names)
    told: dict[Path, Path] = {}
    for file, name in zip(files, names, strict=True):
        whole = _with(name, file.suffix.removeprefix(".")) if file.suffix and counts[name] > 1 else name
        if whole in told:
            raise MertkError(
                f"{told[whole]} and {file} would both be written as {whole}; give one of them, or the folder that both "
                "lie below."
            )
        told[whole] = file
    return list(told)


def _with(base: Path, ending: str) -> Path:
    """The name with an ending more: what looks like one in it is none."""
    return base.with_name(f"{base.name}.{ending}")
