"""Models that answer Python code: for files, sound in memory and arrays."""

from __future__ import annotations

import pickle
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas
import pytest
import soundfile
import torch

import mertk
from mertk.data.manifest import write_manifest
from mertk.data_prep import extract_text
from mertk.errors import MertkError
from mertk.tasks import find_task
from mertk.tasks.answer import Answer
from tests.listening_model import CLASSES, save_listener
from tests.odd_files import write_tone
from tests.raw_corpus import write_bert
from tests.sentiment_model import save_means

TOKENS = {"kind": "tokens"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_listener(tmp_path_factory.mktemp("listener") / "best")


@pytest.fixture(scope="module")
def predictor(model):
    return mertk.load(model, device="cpu")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A model of words, which are tokens."""
    folder = tmp_path_factory.mktemp("reader")
    columns = {"text": {"a": "hello world", "b": "good"}, "utt2label": {"a": "1.0", "b": "-1.0"}}
    write_manifest(folder / "data", columns, None, {"corpus": "toy"})
    given = ["--data", str(folder / "data"), "--out", str(folder / "data/features/tokens"), "--max_tokens", "6"]
    assert extract_text.main([*given, "--weights", str(write_bert(folder / "bert", with_weights=False))]) == 0
    return save_means(folder / "words", folder / "data", {"text": TOKENS}), folder


@pytest.fixture
def samples():
    return np.random.default_rng(1).uniform(-0.4, 0.4, 12000).astype(np.float32)


def test_an_answer_of_a_file_has_label_and_probabilities(predictor, tmp_path):
    answer = predictor.predict(str(write_tone(tmp_path / "a.wav")))
    assert list(answer.probabilities) == CLASSES and sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.label == max(answer.probabilities, key=answer.probabilities.get) and answer.labels == (answer.label,)
    assert answer.intensity is None and answer.notes == () and answer.values == list(answer.probabilities.values())
    assert str(answer) == f"{answer.label} ({answer.probabilities[answer.label]:.2f})"
    with pytest.raises(AttributeError):
        answer.intensity = 1.0


def test_a_list_has_answers_or_errors(predictor, tmp_path):
    files = [write_tone(tmp_path / "a.wav"), tmp_path / "absent.wav", write_tone(tmp_path / "b.wav", scale=0.1)]
    first, error, third = predictor.predict(files, on_error="return")
    assert first == predictor.predict(files[0]) and third == predictor.predict(files[2]) != first
    assert isinstance(error, MertkError) and "absent.wav: no such file" in str(error)
    assert not any(frame.f_locals for frame, _ in [*traceback.walk_tb(error.__traceback__)][1:])  # it holds nothing
    with pytest.raises(MertkError, match=r"absent\.wav: no such file"):
        predictor.predict(files)
    assert predictor.predict([]) == []
    with pytest.raises(
        MertkError,
        match=r"got a float, expected a file, a mertk\.Recording \(Recording\.of_samples .* or arrays by modality",
    ):
        predictor.predict(np.zeros(400).tolist())


def test_sound_in_memory_is_answered_as_that_of_a_file(predictor, samples, tmp_path):
    for name, array, rate in (
        ("same", samples, 16000),
        ("faster", samples, 44100),
        ("stereo", np.stack([samples, -0.5 * samples], axis=1), 22050),
        ("whole", (samples * 2**15).astype(np.int16), 16000),
    ):
        file = tmp_path / f"{name}.wav"
        soundfile.write(file, array, rate, "PCM_16" if array.dtype == np.int16 else "FLOAT")
        recording = mertk.Recording.of_samples(array, rate)
        assert predictor.predict(recording) == predictor.predict(recording) == predictor.predict(file), name
    assert predictor.predict(mertk.Recording.of_samples(torch.tensor(samples).double(), 16000)) == predictor.predict(
        tmp_path / "same.wav"
    )


@pytest.mark.parametrize(
    ("array", "rate", "message"),
    [
        (np.zeros(9, np.int64), 16000, "got int64 of shape (9,), expected (S,)"),
        (np.zeros((2, 3, 4)), 16000, "shape (2, 3, 4)"),
        ([], 16000, "shape (0,)"),
        (np.zeros((2, 400)), 16000, "got 400 channels of 2 samples, expected (S, channels); give samples.T"),
        ([0.1, np.nan], 16000, "samples: they hold NaN or infinite values"),
        ([0.1], 16000.5, "sample_rate_hz: got 16000.5"),
    ],
)
def test_what_is_no_sound_is_refused(array, rate, message):
    with pytest.raises(MertkError) as raised:
        mertk.Recording.of_samples(array, rate)
    assert message in str(raised.value)


def test_what_is_given_may_be_any_kind_of_sequence(predictor, tmp_path):
    files = [str(write_tone(tmp_path / name)) for name in ("a.wav", "b.wav")]
    answers = predictor.predict(files)
    for given in (tuple(files), np.array(files), pandas.Series(files), (file for file in files)):
        assert predictor.predict(given, text=np.array(["yes", "no"])) == answers
    with pytest.raises(MertkError, match="text: got nan, expected what is said, or None"):
        predictor.predict(files, text=pandas.Series([np.nan, "no"]))
    for given in (None, b"a.wav", torch.zeros(400), 3):
        with pytest.raises(MertkError, match=r"expected a file, a mertk\.Recording"):
            predictor.predict(given)
    assert repr(predictor) == f"<Predictor of 1 model(s) on cpu: audio -> {', '.join(CLASSES)}>"


def test_a_recording_is_completed_by_what_it_does_not_say(predictor, samples, tmp_path):
    file = write_tone(tmp_path / "a.wav")
    recording, said = mertk.Recording(str(file)), mertk.Recording.of_samples(samples, 16000, "hello")
    assert recording.file == file and predictor.predict(recording, "hello") == predictor.predict(file)
    assert predictor.predict(said, "hello") == predictor.predict(said) and recording.transcript is None
    with pytest.raises(MertkError, match="text: got 'bye', but the recording has 'hello' of its own"):
        predictor.predict(said, "bye")
    with pytest.raises(MertkError, match="half: got 'left', but the recording has 'right' of its own"):
        predictor.predict(mertk.Recording(file, half="right"), half="left")
    with pytest.raises(MertkError, match="half: got left, but arrays are given"):
        predictor.predict({"audio": samples}, half="left")


def test_arrays_are_what_the_model_takes(predictor, samples, tmp_path):
    soundfile.write(tmp_path / "a.wav", samples, 16000, "FLOAT")
    assert predictor.predict({"audio": samples}) == predictor.predict(tmp_path / "a.wav")
    assert predictor.predict([{"audio": torch.tensor(samples)}])[0] == predictor.predict({"audio": samples})
    rounded = torch.tensor(samples).bfloat16()
    assert predictor.predict({"audio": rounded}) == predictor.predict({"audio": rounded.float()})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "got none, expected audio"),
        ({"audio": [0.1] * 400, "video": []}, "got audio, video, expected audio"),
        ({"audio": np.zeros((2, 400))}, "got float64 of shape (2, 400), expected samples (S,) at 16000 Hz, floats"),
        ({"audio": np.zeros(400, int)}, "got int64"),
        ({"audio": np.full(400, np.nan)}, "audio holds NaN or infinite values"),
    ],
)
def test_arrays_that_the_model_does_not_take_are_refused(predictor, given, message):
    with pytest.raises(MertkError) as raised:
        predictor.predict(given)
    assert message in str(raised.value)


def test_each_model_hears_of_an_array_what_it_was_trained_on(model, samples, tmp_path):
    half = save_listener(tmp_path / "half", seed=2, max_seconds=0.5)
    both = mertk.load([model, half]).predict({"audio": samples})
    alone = [mertk.load(model).predict({"audio": samples}), mertk.load(half).predict({"audio": samples[:8000]})]
    assert both.values == pytest.approx(np.mean([answer.values for answer in alone], axis=0).tolist(), abs=1e-6)
    told = mertk.load([model, half]).predict(mertk.Recording.of_samples(samples, 16000))
    assert told.values == both.values
    assert told.notes == ("the model sees the first 0.5 s of audio; the last 0.2 s are left out",)


def test_words_are_given_beside_the_file_or_among_the_arrays(reader, tmp_path):
    model, _ = reader
    predictor = mertk.load(str(model), trust="tests.sentiment_model")
    answer = predictor.predict("absent.mp4", text="hello world")
    assert answer.label is None and answer.probabilities == {} and answer.values == [answer.intensity]
    assert predictor.predict({"text": "hello world"}) == answer == predictor.predict({}, "hello world")
    tokens = np.array([[2, 0], [5, 0], [6, 0], [3, 0]])
    assert predictor.predict({"text": tokens}).intensity == answer.intensity
    (tmp_path / "clip.txt").write_text("hello world\n")
    assert predictor.predict(tmp_path / "clip.mp4") == answer
    assert predictor.predict(["a.mp4", "b.mp4"], text=["hello world", "good"])[0] == answer
    assert "sees 6 of the 10 tokens" in predictor.predict({"text": "good " * 8}).notes[0]
    with pytest.raises(MertkError, match=r"absent\.mp4: this model needs what is said; give text="):
        predictor.predict("absent.mp4")
    for given, text in ((["a.mp4", "b.mp4"], "hello"), (["a.mp4"], ["x", "y"]), ("a.mp4", ["x"])):
        with pytest.raises(MertkError, match="text: "):
            predictor.predict(given, text)
    with pytest.raises(MertkError, match=r"text: got float64 of shape \(3, 2\), expected tokens \(T, 2\), whole"):
        predictor.predict({"text": np.zeros((3, 2))})
    with pytest.raises(MertkError, match="half: got 'top', expected one of left, right, whole"):
        predictor.predict("a.mp4", "hello", half="top")


def test_an_encoder_is_missed_when_a_recording_needs_it(reader):
    model, folder = reader
    (folder / "bert").rename(folder / "moved")
    try:
        predictor = mertk.load(model, trust="tests")
        assert predictor.predict({"text": np.array([[2, 0], [3, 0]])}).intensity is not None
        with pytest.raises(MertkError, match="cannot be loaded"):
            predictor.predict("a.mp4", text="hello")
        found = mertk.load(model, bert=folder / "moved", trust="tests")
        assert found.predict("a.mp4", text="hello").intensity is not None
    finally:
        (folder / "moved").rename(folder / "bert")


def test_threads_and_other_processes_get_the_same_answers(predictor, samples):
    rows = [{"audio": samples[: 4000 + 500 * number]} for number in range(8)]
    expected = predictor.predict(rows)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(predictor.predict, rows)) == expected
    assert pickle.loads(pickle.dumps(predictor)).predict(rows) == expected


def test_a_miniature_is_a_warning(model, reader):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mertk.load(model)
    miniature = save_means(
        reader[1] / "mini", reader[1] / "data", {"text": TOKENS}, miniature=True, invented=["features"]
    )
    with pytest.warns(UserWarning, match=r"a model is a miniature \(invented: features\); its answers mean nothing"):
        mertk.load(miniature, trust="tests")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(MertkError, match="no model is given"):
        mertk.load([])
    with pytest.raises(MertkError, match=r"model\.json: not found"):
        mertk.load(tmp_path)


def test_several_classes_may_hold_at_once():
    answer = find_task("multilabel").tell(np.array([0.6, 0.9, 0.1]), ["happy", "sad", "angry"])
    assert answer.labels == ("happy", "sad") and answer.label is None
    assert str(answer) == "happy (0.60), sad (0.90)" and str(Answer()) == "no label"
    assert str(find_task("regression").tell(np.array([-1.25]), None)) == "-1.25"
