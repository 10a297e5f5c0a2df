"""mertk demo without a browser: what is answered to a clip, its markup, and where the program refuses to start."""

from __future__ import annotations

import base64
import re
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mertk.bin import demo
from mertk.data_prep import extract_text, raw_video
from mertk.demo import answering
from mertk.demo.answering import Clip, Findings, answer_clip
from mertk.demo.markup import MOST_ROWS, about_markup, answer_markup, timeline_markup
from mertk.demo.server import Place
from mertk.demo.turns import Turns
from mertk.errors import MertkError
from mertk.run.prediction import Predictor
from mertk.tasks import find_task
from mertk.tasks.answer import Answer, TimedAnswer
from tests.listening_model import CLASSES, save_listener
from tests.raw_corpus import write_bert, write_corpus
from tests.sentiment_model import save_means

HZ = 16000


def write_sound(path, seconds, silent_from=None):
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * HZ))
    if silent_from is not None:
        samples[round(silent_from * HZ) :] = 0
    soundfile.write(path, samples, HZ)
    return path


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    return Predictor([save_listener(tmp_path_factory.mktemp("listener") / "model", max_seconds=2.0)])


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A model that is told what is said, and gives an intensity."""
    folder = tmp_path_factory.mktemp("reader")
    data, bert = folder / "data", write_bert(folder / "bert")
    given = ["--corpus", str(write_corpus(folder / "corpus")), "--out", str(data), "--name", "mosi", "--text_only"]
    assert raw_video.main(given) == 0
    tokens = ["--data", str(data), "--out", str(data / "features/tokens"), "--weights", str(bert)]
    assert extract_text.main([*tokens, "--max_tokens", "6"]) == 0
    model = save_means(folder / "model", data, {"text": {"kind": "tokens"}}, miniature=True, metrics="mosi")
    return Predictor([model], trusted=["tests.sentiment_model"])


def last(predictor, clip, longest_seconds=600.0):
    return list(answer_clip(predictor, clip, longest_seconds))[-1]


def test_a_clip_gets_the_answer_and_the_timeline_of_predict(listener, tmp_path):
    file = write_sound(tmp_path / "clip.wav", 3.0)
    steps = list(answer_clip(listener, Clip(file, window_seconds=1.5), 600.0))
    assert steps[0].answer == listener.predict(file) and not steps[0].windows  # there before the windows are
    assert [len(step.windows) for step in steps] == [0, 1, 2, 3, 4, 4]
    assert [step.is_done for step in steps] == [False] * 5 + [True]
    assert steps[-1].windows == tuple(listener.timeline(file, 1.5)) and steps[-1].seconds == 3.0
    assert steps[-1].notes == ("the model sees the first 2 s of audio; the last 1.0 s are left out",)
    assert not last(listener, Clip(file, window_seconds=5)).windows  # one would be all of it


def test_a_long_recording_has_a_timeline_alone_and_too_long_a_one_is_refused(listener, tmp_path, monkeypatch):
    file = write_sound(tmp_path / "long.wav", 3.0, silent_from=1.0)
    monkeypatch.setattr(answering, "LONGEST_WHOLE_SECONDS", 2.5)
    found = last(listener, Clip(file, window_seconds=1))
    assert found.answer is None and len(found.windows) == 7 and not found.errors
    assert found.notes[0] == "longer than 2.5 s: there is a timeline, and no one answer"
    assert re.match(r"no answer to 4 window\(s\), the first from 1.0 s on: .*silence", found.notes[1])
    refused = last(listener, Clip(file), longest_seconds=2.9)
    assert refused.errors == ("it lasts 0.05 minutes, expected 0.0483 or less; give a part of it",)
    assert refused.answer is None and not refused.windows and refused.is_done


def test_what_is_wrong_with_a_clip_is_told_without_folders(listener, tmp_path):
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF and nothing else")
    (error,) = last(listener, Clip(damaged)).errors
    assert "cannot be read" in error and str(tmp_path) not in error
    assert last(listener, Clip()).errors == ("record or upload sound first",)
    seeing = SimpleNamespace(modalities=("audio", "video"), dispensable=())
    assert last(seeing, Clip()).errors == ("record or upload a video first",)
    (error,) = last(seeing, Clip(write_sound(tmp_path / "sound.wav", 0.5))).errors
    assert error == "this model looks at the picture too, and there is none; record or upload a video"
    (tmp_path / "clip.txt").write_text("nobody asked for it", encoding="utf-8")
    assert last(listener, Clip(write_sound(tmp_path / "clip.wav", 0.5))).answer is not None


def test_what_models_do_without_a_clip_may_lack(tmp_path):
    sparing = SimpleNamespace(modalities=("audio", "video", "text"), dispensable=("video", "text"))
    recording = answering._open(sparing, Clip(write_sound(tmp_path / "sound.wav", 0.5)))
    assert [name for name in sparing.modalities if recording.is_without(name)] == ["video", "text"]
    assert answering._open(sparing, Clip(tmp_path / "sound.wav", "hello")).transcript == "hello"


def test_words_alone_are_a_clip(reader):
    found = last(reader, Clip(text="good hello"))
    assert found.answer == reader.answer(answering.Recording("text", "good hello")) and not found.windows
    page = answer_markup(reader, found)
    assert "A miniature: this answer means nothing." in page and f"{found.answer.intensity:+.2f}" in page
    assert last(reader, Clip(text=" ")).errors == ("no word of it was given, so there is nothing to judge by.",)
    about = about_markup(reader)
    assert "MINIATURE" in about and "Means reads what is said" in about and "Do not use it to judge people" in about


def test_intensities_lie_on_the_scale_of_the_labels(reader):
    def bar(value):
        page = answer_markup(reader, Findings("clip", Answer(intensity=value), is_done=True))
        left, width = re.search(r"margin-left:([\d.]+)%;width:([\d.]+)%", page).groups()
        return float(left), float(width), re.findall(r"[+-]\d(?= negative)|(?<=positive )[+-]\d", page)

    assert bar(1.5) == (50.0, 25.0, ["-3", "+3"])
    assert bar(-3.0) == (0.0, 50.0, ["-3", "+3"])
    assert bar(-4.2) == (8.0, 42.0, ["-5", "+5"])


def test_names_and_messages_are_no_markup():
    name = """<b>&"'.wav"""
    predictor = SimpleNamespace(
        task=find_task("classification"), classes=[name, "b"], models=[SimpleNamespace(info={"miniature": False})]
    )
    window = TimedAnswer((name,), {name: 0.75, "b": 0.25}, start_seconds=0.0, end_seconds=1.0)
    answer = Answer((name,), {name: 0.75, "b": 0.25})
    found = Findings(name, answer, (window,) * (MOST_ROWS + 1), 1.0, (name,), (name,), is_done=True)
    page = answer_markup(predictor, found) + timeline_markup(predictor, found)
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert "75.00 %" in page and 'style="margin-left:0.00%;width:75.00%"' in page
    assert page.count("<tr><th") == MOST_ROWS + 1 + 1 and f"first {MOST_ROWS} of {MOST_ROWS + 1} windows" in page
    files = dict(re.findall(r'href="data:([^;]+);base64,([^"]+)"', page))
    table = base64.b64decode(files["text/tab-separated-values"]).decode()
    assert table.splitlines()[1] == f"{name}\t0.000\t1.000\t{name}\t0.7500\t0.2500"
    assert len(table.splitlines()) == MOST_ROWS + 2
    assert base64.b64decode(files["text/vtt"]).decode().startswith("WEBVTT")
    assert "<b>" in base64.b64decode(files["application/x-subrip"]).decode()


def test_a_timeline_without_any_answer_has_no_picture(listener, tmp_path):
    file = write_sound(tmp_path / "silent.wav", 4.0, silent_from=0.0)
    found = last(listener, Clip(file))
    assert found.errors and found.answer is None
    silent = TimedAnswer(start_seconds=0.0, end_seconds=1.0, error=MertkError("silence"))
    page = timeline_markup(listener, Findings("a.wav", windows=(silent,), is_done=True))
    assert "<img" not in page and "no answer" in page


def test_a_port_that_is_taken_is_told_before_models_are_read(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert demo.main(["--model", "nowhere", "--port", str(port)]) == 1
    assert f"port {port} of 127.0.0.1 is taken" in capsys.readouterr().err
    assert demo.main(["--model", "nowhere", "--port", str(port)]) == 1
    assert "nowhere" in capsys.readouterr().err  # free again
    assert demo.main(["--model", "nowhere", "--host", "192.0.2.1"]) == 1
    assert "192.0.2.1, port 7860: cannot be served from" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("--port", "0"), ("--port", "65536"), ("--max_minutes", "0"), ("--max_megabytes", "x")]
)
def test_numbers_that_are_none_are_wrong_usage(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        demo.main(["--model", "m", *wrong])
    assert ended.value.code == 2 and f"argument {wrong[0]}" in capsys.readouterr().err


def test_a_place_is_local_or_not():
    assert Place("127.0.0.1", 1).is_local and Place("localhost", 1).is_local and Place("::1", 1).is_local
    for place in (Place("0.0.0.0", 1), Place("example.org", 1), Place("127.0.0.1", 1, share=True)):
        assert not place.is_local


def test_gradio_that_is_missing_is_told(monkeypatch, capsys):
    monkeypatch.setattr("mertk.demo.server.find_spec", lambda name: None)
    assert demo.main(["--model", "nowhere"]) == 1
    assert "[demo]'\n" in capsys.readouterr().err


def test_classes_are_bars_in_their_order(listener, tmp_path):
    found = last(listener, Clip(write_sound(tmp_path / "clip.wav", 1.0)))
    names = re.findall(r'<th scope="row">(\w+)</th>', answer_markup(listener, found))
    assert names == CLASSES


def test_turns_end_between_two_steps():
    turns, made = Turns(), []
    steps = turns.take(made.append(number) or number for number in range(4))
    other = turns.take(iter("ab"))
    assert [next(steps), next(other), next(steps)] == [0, "a", 1]
    assert turns.close(patience_seconds=10)
    assert [*steps, *other] == [] and made == [0, 1]


def test_turns_are_not_waited_for_without_end():
    turns, begun, going_on = Turns(), threading.Event(), threading.Event()

    def steps():
        begun.set()
        yield going_on.wait()

    thread = threading.Thread(target=lambda: list(turns.take(steps())))
    thread.start()
    begun.wait()
    assert not turns.close(patience_seconds=0.01)
    going_on.set()
    thread.join()
    assert turns.close(patience_seconds=10)
