"""A timeline as lines, subtitles and a picture."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mertk.errors import MertkError
from mertk.report.subtitles import subtitles
from mertk.report.timeline_files import TimelineFolder, TimelineStream
from mertk.report.timeline_picture import draw_timeline
from mertk.report.timeline_rows import ObjectLines, TableLines
from mertk.report.timeline_shares import Stretch, stretches_of
from mertk.tasks import find_task
from mertk.tasks.answer import TimedAnswer

CLASSES = ["calm", "glad & loud"]


def window(start, *labels, seconds=3.0, **more):
    probabilities = {name: 0.75 if name in labels else 0.25 for name in CLASSES} if labels else {}
    return TimedAnswer(labels, probabilities, **{"start_seconds": start, "end_seconds": start + seconds} | more)


def test_neighbours_of_one_label_are_joined_and_windows_meet_in_the_middle():
    silent = window(4.0, error=MertkError("silence"))
    answers = [window(0.0, "calm"), window(1.0, "calm"), window(2.0, "glad & loud"), window(3.0, "calm"), silent]
    assert stretches_of(answers) == [
        Stretch(0.0, 3.0, "calm"),
        Stretch(3.0, 4.0, "glad & loud"),
        Stretch(4.0, 5.0, "calm"),
    ]
    apart = [window(0.0, "calm", seconds=1.0), window(2.0, "calm", seconds=1.0)]
    assert stretches_of(apart) == [Stretch(0.0, 1.0, "calm"), Stretch(2.0, 3.0, "calm")]
    numbers = [window(start, intensity=value) for start, value in ((0.0, 0.51), (1.0, 0.49), (2.0, -1.2))]
    assert [stretch.label for stretch in stretches_of(numbers)] == ["+0.5", "-1.2"]


def test_subtitles_are_numbered_timed_and_escaped():
    stretches = [Stretch(0, 1.5, "calm"), Stretch(1.5, 2, "-"), Stretch(2, 3600.0004, "glad & loud")]
    assert subtitles(stretches, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\ncalm\n\n2\n00:00:02,000 --> 01:00:00,000\nglad & loud\n"
    )
    assert subtitles(stretches, "vtt") == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\ncalm\n\n2\n00:00:02.000 --> 01:00:00.000\nglad &amp; loud\n"
    )


def test_lines_are_a_table_or_objects():
    stream = io.StringIO()
    silent = window(1.0, error=MertkError("nothing is heard"))
    for task, lines, answers in (
        ("multilabel", ObjectLines(), [window(0.0, "calm", "glad & loud"), silent]),
        ("regression", ObjectLines(), [window(0.5, intensity=-0.123456789)]),
        ("multilabel", TableLines(find_task("multilabel"), CLASSES), [window(0.0, "calm"), silent]),
    ):
        with TimelineStream([Path("a.wav")], lines, stream).open(0) as writer:
            for answer in answers:
                writer.answer(answer)
            writer.error(task)
    objects = [json.loads(line) for line in stream.getvalue().splitlines() if line[0] == "{"]
    times = {"file": "a.wav", "start_seconds": 0.0, "end_seconds": 3.0}
    assert objects[0] == times | {"label": "calm,glad & loud", "probabilities": {"calm": 0.75, "glad & loud": 0.75}}
    assert objects[1] == {**times, "start_seconds": 1.0, "end_seconds": 4.0, "error": "nothing is heard"}
    assert objects[2] == {"file": "a.wav", "error": "multilabel"}
    assert objects[3] == {**times, "start_seconds": 0.5, "end_seconds": 3.5, "intensity": -0.123457}
    assert stream.getvalue().splitlines()[5:] == [
        "file\tstart_seconds\tend_seconds\tprediction\tcalm\tglad & loud",
        "a.wav\t0.000\t3.000\tcalm\t0.7500\t0.2500",
        "a.wav\t1.000\t4.000\t\t\t",
    ]


def test_files_of_one_name_are_told_apart_or_refused(tmp_path):
    lines = ObjectLines()
    with pytest.raises(MertkError, match=r"x/a\.wav and y/a\.wav would both be written as a\.wav"):
        TimelineFolder(tmp_path, [Path("x/a.wav"), Path("y/a.wav")], [Path("a"), Path("a")], lines, None)
    TimelineFolder(tmp_path, [Path("x/a.wav"), Path("y/a.wav")], [Path("x/a"), Path("y/a")], lines, None)


def test_nothing_stays_of_a_file_that_was_interrupted(tmp_path):
    folder = TimelineFolder(tmp_path / "out", [Path("a.wav")], [Path("a")], ObjectLines(), CLASSES, "srt", "png")

    def write():
        with folder.open(0) as writer:
            writer.answer(window(0.0, "calm"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_a_picture_shows_all_windows(classes, tmp_path):
    answers = [window(start, intensity=0.5) if classes is None else window(start, "calm") for start in (0.0, 70.0)]
    draw_timeline([*answers, window(140.0, error=MertkError("silence"))], classes, "a $b.wav", tmp_path / "a.svg")
    picture = (tmp_path / "a.svg").read_text()
    assert picture.startswith("<?xml") and "a $b.wav" in picture and ">2:15<" in picture
    assert (">glad &amp; loud<" in picture) == (classes is not None)
    draw_timeline(answers[:1], classes, "short", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
