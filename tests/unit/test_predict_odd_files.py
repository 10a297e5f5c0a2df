"""Files that are odd in name, title or content, models and files on the command line, and answers that are none."""

from __future__ import annotations

import io
import json
import shutil
import sys

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file, save_file

from mertk.bin import predict
from mertk.data.recording import Recording
from mertk.data.recording_error import MachineError
from mertk.data.recording_file import has_picture
from mertk.file_names import printable
from mertk.run.prediction import Predictor
from tests.listening_model import CLASSES, save_listener
from tests.odd_files import ODD_NAMES, entitle, forget_codec, write_no_recordings, write_sound, write_tone
from tests.raw_corpus import write_clip_file
from tests.video_corpus import write_video


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_listener(tmp_path_factory.mktemp("models") / "first/best")


def call(capsys, *arguments):
    """Exit code, rows of the table without its header, and the errors by file."""
    code = predict.main([*map(str, arguments)])
    told = capsys.readouterr()
    rows = [line.split("\t") for line in told.out.splitlines()]
    errors = dict(line.removeprefix("error: ").split(": ", 1) for line in told.err.split("\n") if line[:7] == "error: ")
    assert "Traceback" not in told.err
    return code, rows[1:], errors


def test_a_file_may_have_any_name(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [write_tone(tmp_path / f"{name}.wav") for name in ODD_NAMES]
    files += [tmp_path / f"{name}.mp4" for name in ODD_NAMES]
    write_clip_file(tmp_path / "clip.mp4", 0.4)
    for file in files[len(ODD_NAMES) :]:
        shutil.copy("clip.mp4", file)
    names = [file.name for file in files]
    code, rows, errors = call(capsys, "--model", model, "--", *names)
    assert (code, errors) == (0, {})
    assert [row[0] for row in rows] == [printable(name) for name in names]
    assert len({tuple(row[1:]) for row in rows[: len(ODD_NAMES)]}) == 1


def test_a_terminal_of_another_encoding_gets_escapes(model, tmp_path, monkeypatch):
    file = write_tone(tmp_path / "你好.wav")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="latin-1", errors="strict"))
    assert predict.main(["--model", str(model), "--", str(file)]) == 0
    assert rb"\u4f60\u597d.wav" in out.getvalue()


def test_what_is_no_recording_is_told_apart_and_the_others_answered(model, tmp_path, capsys):
    expected = write_no_recordings(tmp_path)
    good = write_tone(tmp_path / "good.wav")
    code, rows, errors = call(capsys, "--model", model, "--", *(tmp_path / name for name in expected), good)
    assert code == 1 and [row[0] for row in rows] == [str(good)]
    for name, words in expected.items():
        told = errors[str(tmp_path / name)]
        assert words in told
        assert not any(word in told for word in ("wav.scp", "stage", "--max_lost", "corpus"))


def test_an_error_names_its_file_once_and_no_utterance(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = write_tone(tmp_path / "cut.wav")
    file.write_bytes(file.read_bytes()[:4000])
    (tmp_path / "empty").mkdir()
    code, rows, errors = call(capsys, "--model", model, "--", "cut.wav", "empty")
    assert (code, rows) == (1, []) and errors["cut.wav"].startswith("was cut off")
    assert "this is a folder" in errors["empty"]  # without a recording, for which it would stand


def test_an_odd_title_does_no_harm_and_an_unknown_codec_is_told(tmp_path):
    write_video(tmp_path / "plain.avi", 20)
    assert has_picture(entitle(tmp_path / "plain.avi", "Café".encode("latin-1"), tmp_path / "titled.avi"))
    assert has_picture(forget_codec(tmp_path / "plain.avi", tmp_path / "unknown.avi")) is None
    assert Recording(tmp_path / "unknown.avi").is_video


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.m4a", "aac", "ipod"),
        ("a.aac", "aac", "adts"),
        ("a.mka", "aac", "matroska"),
        ("a.wma", "wmav2", "asf"),
        ("a.ts", "aac", "mpegts"),
        ("a.3gp", "aac", "3gp"),
        ("a.mpg", "mp2", "mpeg"),
        ("a.mp3", "aac", "adts"),  # content, not the ending, tells
    ],
)
def test_sound_that_ffmpeg_reads_is_read(model, tmp_path, capsys, name, codec, container):
    code, rows, errors = call(capsys, "--model", model, write_sound(tmp_path / name, codec, container))
    assert (code, errors, len(rows)) == (0, {}, 1)


@pytest.mark.parametrize("ending", ["wmv", "3gp", "flv", "mts", "MP4", "dat"])
def test_a_video_is_one_by_its_content(tmp_path, ending):
    write_clip_file(tmp_path / "clip.mp4", 0.4)
    (tmp_path / f"other.{ending}").write_bytes((tmp_path / "clip.mp4").read_bytes())
    write_tone(tmp_path / "other.wav")
    assert Recording(tmp_path / f"other.{ending}").is_video
    assert not Recording(tmp_path / "other.wav").is_video
    if ending != "dat":
        assert Recording(tmp_path / "other.wav").video == tmp_path / f"other.{ending}"


def test_a_text_or_a_photograph_is_no_video(tmp_path):
    import matplotlib.image

    (tmp_path / "notes.txt").write_text("hello world\n" * 20)
    matplotlib.image.imsave(tmp_path / "face.png", np.zeros((9, 9, 3)))
    assert has_picture(tmp_path / "notes.txt") is not True and has_picture(tmp_path / "face.png") is False


@pytest.mark.parametrize("fault", [KeyError("title"), MemoryError(), RuntimeError("CUDA error: busy")])
def test_whatever_goes_wrong_in_one_file_leaves_the_others_alone(model, tmp_path, monkeypatch, capsys, fault):
    files = [write_tone(tmp_path / f"{name}.wav") for name in "abc"]
    predict_one = Predictor.answer

    def fail_once(self, recording):
        if recording.file == files[1]:
            raise fault
        return predict_one(self, recording)

    monkeypatch.setattr(Predictor, "answer", fail_once)
    code, rows, errors = call(capsys, "--model", model, "--", *files)
    assert code == 1 and [row[0] for row in rows] == [str(files[0]), str(files[2])]
    assert errors[str(files[1])].startswith(type(fault).__name__)


def test_debug_shows_the_trace(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Predictor, "answer", lambda *_: {}["title"])
    predict.main(["--model", str(model), "--debug", str(write_tone(tmp_path / "a.wav"))])
    assert "Traceback" in capsys.readouterr().err


def test_answers_that_are_no_numbers_are_errors(model, tmp_path, capsys, monkeypatch):
    write_tone(tmp_path / "loud.wav", scale=1e38, subtype="FLOAT")
    write_tone(tmp_path / "good.wav")
    code, rows, errors = call(capsys, "--model", model, tmp_path / "loud.wav", tmp_path / "good.wav")
    assert code == 1 and len(rows) == 1 and "samples of 1e+38, expected -1 to 1" in errors[str(tmp_path / "loud.wav")]

    import torch

    monkeypatch.setattr(
        "mertk.models.foal.FoalNet.forward", lambda *_: {"logits": torch.tensor([[0.1, float("nan"), 0.2]])}
    )
    code, rows, errors = call(capsys, "--model", model, tmp_path / "good.wav")
    assert code == 1 and rows == [] and "answer is NaN or infinite" in errors[str(tmp_path / "good.wav")]


def test_features_that_are_no_numbers_are_errors(model, tmp_path, monkeypatch):
    predictor = Predictor([model], "cpu")
    predictor.prepare()
    (key,) = predictor.reader.sources
    predictor.reader.sources[key] = lambda _: np.array([0.1, np.inf], dtype=np.float32)
    with pytest.raises(ValueError, match="its audio gives NaN or infinite values"):
        predictor.answer(Recording(write_tone(tmp_path / "good.wav")))


def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, capsys):
    folder = save_listener(tmp_path / "best")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("weight"))
    weights[name].view(-1)[3] = float("nan")
    save_file(weights, folder / "model.safetensors")
    assert predict.main(["--model", str(folder), "a.wav"]) == 1
    assert f"the weights {name} hold NaN or infinite values" in capsys.readouterr().err


def test_too_little_sound_and_silence_have_no_answer(model, tmp_path, capsys):
    for name, count in (("one", 1), ("short", 399), ("enough", 400)):
        write_tone(tmp_path / f"{name}.wav", count / 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    names = ("one", "short", "enough", "silent")
    code, rows, errors = call(capsys, "--model", model, *(tmp_path / f"{name}.wav" for name in names))
    assert code == 1 and [row[0] for row in rows] == [str(tmp_path / "enough.wav")]
    for name, words in [("one", "lasts 0.0625 ms"), ("short", "expected 25 ms or more"), ("silent", "but silence")]:
        assert words in errors[str(tmp_path / f"{name}.wav")]


def test_each_model_hears_as_much_as_it_was_trained_on(tmp_path, capsys):
    file = write_tone(tmp_path / "long.wav", 2.0)
    samples, _ = soundfile.read(file)
    soundfile.write(tmp_path / "long.wav", samples * np.linspace(0, 1, len(samples)), 16000)
    whole = save_listener(tmp_path / "whole", seed=1)
    half = save_listener(tmp_path / "half", seed=2, max_seconds=0.5)

    def shares(*models):
        assert predict.main(["--model", *map(str, models), "--", str(file)]) == 0
        told = capsys.readouterr()
        return np.array(told.out.splitlines()[1].split("\t")[2:], dtype=float), told.err

    (of_whole, _), (of_half, note) = shares(whole), shares(half)
    assert "sees the first 0.5 s of audio" in note
    for order in ((whole, half), (half, whole)):
        mean, note = shares(*order)
        np.testing.assert_allclose(mean, (of_whole + of_half) / 2, atol=2e-4)
        assert note.count("sees the first 0.5 s of audio") == 1


def test_models_and_files_are_told_apart(model, tmp_path, monkeypatch, capsys):
    second = save_listener(tmp_path / "second/best", seed=1)
    file = write_tone(tmp_path / "a.wav")
    expected = call(capsys, "--model", model, second, "--", file)
    assert expected[0] == 0
    for given in (
        ["--model", model, second, file],
        ["--model", model, "--model", second, file],
        [file, "--model", model, second],
        ["--model", model, second, file, "--device", "cpu"],
        ["--model", model, "--device", "cpu", "--model", second, "--", file],
    ):
        assert call(capsys, *given) == expected
    code, rows, errors = call(capsys, "--model", model, file, tmp_path / "absent.wav", tmp_path)
    assert code == 1 and [row[0] for row in rows] == [str(file)] * 2  # a folder stands for what is below it
    assert list(errors) == [str(tmp_path / "absent.wav")] and "no such file" in errors[str(tmp_path / "absent.wav")]

    monkeypatch.chdir(model)
    assert call(capsys, "--model", ".", file)[0] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["run", "a.wav"], "run: neither a model directory (it has no model.json) nor a file"),
        (["second/bset", "a.wav"], "second/bset: neither a model directory"),
        ([], "expected one or more audio or video files"),
    ],
)
def test_what_may_be_a_misspelt_model_is_wrong_usage(model, tmp_path, monkeypatch, capsys, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run/best").mkdir(parents=True)
    (tmp_path / "run/config.yaml").touch()
    write_tone(tmp_path / "a.wav")
    with pytest.raises(SystemExit) as ended:
        predict.main(["--model", str(model), *given])
    assert ended.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (".", "model.json: not found; expected a model directory"),
        ("run", "did you mean run/best?"),
        ("one", "did you mean one/clean/fold_1/seed_1/best?"),
        ("exp", "below are 2: give one, exp/clean/fold_1/seed_1/best say"),
        ("a.wav", "a.wav/model.json"),
        ("absent", "absent/model.json: not found"),
    ],
)
def test_what_is_no_model_directory_is_one_message(tmp_path, monkeypatch, capsys, place, message):
    monkeypatch.chdir(tmp_path)
    for run in ("run", "one/clean/fold_1/seed_1", "exp/clean/fold_1/seed_1", "exp/clean/fold_2/seed_1"):
        (tmp_path / run / "best").mkdir(parents=True)
    write_tone(tmp_path / "a.wav")
    assert predict.main(["--model", place, "--", "a.wav"]) == 1
    assert message in capsys.readouterr().err


def test_a_table_of_transcripts_that_is_absent_is_told_as_such(model, tmp_path, capsys):
    assert predict.main(["--model", str(model), "--transcripts", str(tmp_path / "no.tsv"), "--", "a.wav"]) == 1
    assert "--transcripts" in (error := capsys.readouterr().err) and "stage" not in error


def test_models_of_other_classes_do_not_go_together(model, tmp_path, capsys):
    other = save_listener(tmp_path / "other")
    info = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(info | {"classes": CLASSES[::-1]}))
    assert predict.main(["--model", str(model), str(other), "--", "a.wav"]) == 1
    assert "give models of one experiment" in capsys.readouterr().err


def test_a_machine_at_fault_is_an_error_of_the_file(model, tmp_path, monkeypatch, capsys):
    """The files behind it are tried all the same."""

    def fail(*_):
        raise MachineError("a GPU out of memory")

    monkeypatch.setattr(Predictor, "answer", fail)
    files = [write_tone(tmp_path / f"{name}.wav") for name in "ab"]
    code, rows, errors = call(capsys, "--model", model, *files)
    assert code == 1 and rows == [] and len(errors) == 2
