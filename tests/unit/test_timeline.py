"""Timelines of long recordings: each window is answered as a file of it alone, and the recording is read once."""

from __future__ import annotations

import json
import re
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

import mertk
from mertk.bin import predict
from mertk.components import build
from mertk.config import load_config
from mertk.data import recording_window, sound_stream, speech, video_frames
from mertk.data.recording import Recording
from mertk.data.recording_window import LongRecording
from mertk.data.sound_stream import SoundStream
from mertk.data.waveform import read_sound_of_video, to_sixteen_bits
from mertk.errors import MertkError
from mertk.features.small_pictures import SmallPictures
from mertk.features.speech_states import SpeechStates
from mertk.run import recording_progress
from mertk.run.recording_progress import RecordingProgress
from mertk.run.timeline import Cutting, usual_batch_size
from mertk.training.model_directory import save_model
from tests.listening_model import CLASSES, save_listener
from tests.odd_files import write_sound, write_tone
from tests.raw_corpus import write_clip_file, write_wavlm
from tests.video_corpus import write_video


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_listener(tmp_path_factory.mktemp("models") / "best")


@pytest.fixture(scope="module")
def predictor(model):
    return mertk.load(model, device="cpu")


@pytest.fixture(scope="module")
def extractors(tmp_path_factory):
    weights = write_wavlm(tmp_path_factory.mktemp("weights") / "wavlm")
    return {"audio": SpeechStates(str(weights)), "video": SmallPictures(8, max_seconds=1.5, rate_hz=5)}


@pytest.fixture(scope="module")
def seer(extractors, tmp_path_factory):
    """A model of speech states and small pictures, which says a number."""
    return mertk.load(save_seer(tmp_path_factory.mktemp("seer") / "best", extractors), trust="tests.sentiment_model")


def save_seer(folder, extractors):
    inputs = {name: {"kind": "features"} for name in extractors}
    path = folder.with_suffix(".yaml")
    settings = {"model": {"component": "tests.sentiment_model.Means"}, "data": {"inputs": inputs}}
    path.write_text(json.dumps(settings | {"loss_weights": {"intensity": 1.0}}))
    config, facts = load_config([path]), {f"{name}_dim": one.dimension for name, one in extractors.items()}
    built = build(config.model, "model", facts, trusted=("tests.sentiment_model",))
    records = {name: json.loads(json.dumps(one.record().as_dict())) for name, one in extractors.items()}
    info = {"task": "regression", "classes": None, "facts": facts, "feature_records": records, "miniature": False}
    save_model(folder, built, built.state_dict(), config, info)
    return folder


def write_noise(path, seconds, rate=16000, channels=1, silence=None, subtype="PCM_16"):
    """A recording that is louder and quieter, and silent in the seconds of `silence`."""
    count = round(seconds * rate)
    samples = np.random.default_rng(round(seconds)).uniform(-0.4, 0.4, (count, channels))
    samples *= (0.5 + 0.5 * np.cos(np.arange(count) / rate * 2))[:, None]
    if silence:
        samples[round(silence[0] * rate) : round(silence[1] * rate)] = 0
    soundfile.write(path, samples, rate, subtype)
    return path


def call(capsys, model, *arguments):
    """Exit code, rows of the table, and stderr."""
    code = predict.main(["--model", str(model), *map(str, arguments)])
    told = capsys.readouterr()
    return code, [line.split("\t") for line in told.out.splitlines()], told.err


# Windows


@pytest.mark.parametrize(
    ("end", "window", "hop", "expected"),
    [
        (2, 3, 1, [(0, 2)]),
        (3, 3, 1, [(0, 3)]),
        (4.1, 3, 1, [(0, 3), (1, 4), (2, 4.1)]),
        (5, 2, None, [(0, 2), (2 / 3, 8 / 3), (4 / 3, 10 / 3), (2, 4), (8 / 3, 14 / 3), (10 / 3, 5)]),
        (6.5, 1, 2, [(0, 1), (2, 3), (4, 5), (6, 6.5)]),
        (6.05, 3, 3, [(0, 3), (3, 6)]),
        (6.1, 3, 3, [(0, 3), (3, 6), (6, 6.1)]),
    ],
)
def test_windows_begin_every_hop_until_one_reaches_the_end(end, window, hop, expected):
    times = Cutting(window, hop).times(Recording("a.wav"), Fraction(str(end)))
    assert np.array(times, dtype=float).ravel().tolist() == pytest.approx(np.ravel(expected).tolist())


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 1)])
def test_a_window_gets_the_answer_of_a_file_of_it_alone(predictor, tmp_path, rate, channels):
    file = write_noise(tmp_path / "long.wav", 6.35, rate, channels)
    samples, _ = soundfile.read(file, dtype="int16")
    answers = list(predictor.timeline(file, 2, 0.75))
    assert [answer.start_seconds for answer in answers] == [0, 0.75, 1.5, 2.25, 3, 3.75, 4.5]
    assert answers[-1].end_seconds == 6.35
    for answer in answers:
        cut = samples[round(answer.start_seconds * rate) : round(answer.end_seconds * rate)]
        soundfile.write(tmp_path / "window.wav", cut, rate)
        alone = predictor.predict(tmp_path / "window.wav")
        assert (answer.labels, answer.probabilities, answer.error) == (alone.labels, alone.probabilities, None)
    assert len({answer.values[0] for answer in answers}) == len(answers)


def test_a_window_as_long_as_the_recording_gets_its_answer(predictor, tmp_path):
    write_clip_file(tmp_path / "clip.mp4", 1.0)
    for file in (
        write_tone(tmp_path / "a.wav"),
        write_sound(tmp_path / "a.ogg", "libopus", "ogg"),
        tmp_path / "clip.mp4",
    ):
        (answer,) = predictor.timeline(file)
        assert answer.values == predictor.predict(file).values, file
    samples = np.random.default_rng(0).uniform(-0.4, 0.4, 30000).astype(np.float32)
    recording = mertk.Recording.of_samples(samples, 16000)
    (answer,) = predictor.timeline(recording)
    assert answer.values == predictor.predict(recording).values


def test_features_of_sound_and_picture_are_made_window_by_window(seer, extractors, tmp_path, monkeypatch):
    calls = []
    read = video_frames.read_segments
    monkeypatch.setattr(video_frames, "read_segments", lambda *given, **more: calls.append(1) or read(*given, **more))
    write_clip_file(tmp_path / "clip.mp4", 4.0)
    answers = list(seer.timeline(tmp_path / "clip.mp4", 2, 0.9))
    assert len(answers) == 4 and len(calls) == 1
    sound = to_sixteen_bits(read_sound_of_video(tmp_path / "clip.mp4", "clip")).astype(np.float32) / 2**15
    for answer in answers:
        start, end = (
            Fraction(seconds).limit_denominator(10**6) for seconds in (answer.start_seconds, answer.end_seconds)
        )
        frames = video_frames.read_frames(tmp_path / "clip.mp4", video_frames.Segment("u", start, end), 1.5, 5)
        pictures = np.stack([extractors["video"].prepare(frame) for frame in frames])
        voice = sound[round(start * 16000) : round(end * 16000)]
        arrays = {"audio": extractors["audio"].encode(voice), "video": extractors["video"].encode(pictures)}
        assert answer.values == pytest.approx(seer.predict(arrays).values, rel=1e-5)
    assert answers[0].notes == ("the model sees the first 1.5 s of video; the last 0.5 s are left out",)
    assert len({answer.intensity for answer in answers}) == len(answers)


def test_the_timeline_ends_with_what_ends_first(seer, tmp_path, capsys):
    write_clip_file(tmp_path / "clip.mp4", 1.0)
    write_noise(tmp_path / "clip.wav", 3.0)
    given = ["--trust", "tests.sentiment_model", "--window", 0.5, "--hop", 0.5, tmp_path / "clip.wav"]
    code, rows, told = call(capsys, seer._directories[0], *given)
    assert code == 0 and float(rows[-1][2]) == pytest.approx(1, abs=0.05)
    assert "clip.wav: its picture ends 2.0 s before its sound, and the timeline with it" in told


# Reading


def test_a_recording_of_any_length_is_read_once_and_held_in_part(tmp_path, monkeypatch):
    seconds, count = 600, []
    file = tmp_path / "long.wav"
    with soundfile.SoundFile(file, "w", 16000, 1, "PCM_16") as out:
        for number in range(seconds):
            out.write(np.full(16000, number * 10, dtype=np.int16))
    blocks = sound_stream.read_blocks
    monkeypatch.setattr(
        sound_stream, "read_blocks", lambda *given: (count.append(len(block)) or block for block in blocks(*given))
    )
    tracemalloc.start()
    stream = SoundStream(file, False, 16000)
    for start in range(seconds - 2):
        samples = stream.read(Fraction(start), Fraction(start + 3))
        assert (samples[::16000] * 2**15).tolist() == [start * 10, start * 10 + 10, start * 10 + 20]
    stream.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(count) == seconds * 16000 and peak < 10e6 < 4 * seconds * 16000


def test_windows_may_leave_gaps_and_be_asked_for_again(tmp_path):
    file = write_noise(tmp_path / "a.wav", 40.0)
    samples, _ = soundfile.read(file, dtype="float32")
    stream = SoundStream(file, False, 16000)
    for start, end in ((0, 1), (0, 1), (0.5, 2), (30, 31), (39.5, 41), (50, 51)):
        cut = samples[round(start * 16000) : round(end * 16000)]
        np.testing.assert_array_equal(stream.read(Fraction(start), Fraction(end)), cut)
    stream.close()


def test_pictures_may_come_in_another_order(monkeypatch):
    given = [("1", "second"), ("0", "first"), ("2", "third"), ("3", "fourth")]
    segments = [(video_frames.Segment(name, Fraction(0), Fraction(1)), frames) for name, frames in given]
    pictures = recording_window._Pictures(iter(segments))
    assert [pictures.read(number) for number in (0, 1, 3)] == ["first", "second", "fourth"]
    with pytest.raises(MertkError, match="could be read no further"):
        pictures.read(4)


def test_what_breaks_a_recording_ends_its_timeline_behind_the_answers_before(predictor, tmp_path, capsys, model):
    file = tmp_path / "cut.wav"
    write_noise(file, 5.0)
    file.write_bytes(file.read_bytes()[: 44 + 2 * 16000 * 3])
    with pytest.raises(MertkError, match=r"was cut off: it lasts 3\.000 s"):
        next(predictor.timeline(file, 1, 1))
    broken = tmp_path / "broken.wav"
    samples = np.full(16000 * 40, 0.1, dtype=np.float32)
    samples[::2], samples[16000 * 35] = -0.1, np.nan
    soundfile.write(broken, samples, 16000, "FLOAT")
    code, rows, told = call(capsys, model, "--window", 2, "--hop", 2, broken, write_tone(tmp_path / "good.wav"))
    assert code == 1 and [row[0] for row in rows[1:]] == [str(broken)] * 16 + [str(tmp_path / "good.wav")]
    assert re.findall("error: .*", told) == [f"error: {broken}: holds NaN or infinite samples."]
    assert "1 of 2 files have errors" in told


# Several at once


def test_windows_that_are_answered_together_get_the_answers_of_one_by_one(predictor, seer, tmp_path, monkeypatch):
    """The last window is shorter, and silence has no answer: both among windows that have one."""
    write_clip_file(tmp_path / "clip.mp4", 4.0)
    file = write_noise(tmp_path / "a.wav", 9.3, silence=(3, 5))
    for model, given in ((predictor, file), (seer, tmp_path / "clip.mp4")):
        alone = list(model.timeline(given, 1, 0.5, batch_size=1))
        sizes = []
        ask = type(model).answer_together
        monkeypatch.setattr(
            type(model),
            "answer_together",
            lambda self, read, ask=ask, sizes=sizes: sizes.append(len(read)) or ask(self, read),
        )
        together = list(model.timeline(given, 1, 0.5, batch_size=4))
        assert max(sizes) == 4 and sum(sizes) == sum(answer.error is None for answer in alone)
        for one, other in zip(alone, together, strict=True):
            assert (one.start_seconds, one.end_seconds, one.notes) == (
                other.start_seconds,
                other.end_seconds,
                other.notes,
            )
            assert (one.error is None) == (other.error is None) and str(one.error) == str(other.error)
            assert other.error is not None or other.values == pytest.approx(one.values, rel=1e-5, abs=1e-6)
        monkeypatch.undo()


def test_windows_that_cannot_be_answered_together_are_answered_alone(predictor, tmp_path, monkeypatch):
    file = write_noise(tmp_path / "a.wav", 6.0)
    alone = list(predictor.timeline(file, 1, 1, batch_size=1))
    ask = mertk.Predictor.answer_together

    def fail(self, read):
        if len(read) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return ask(self, read)

    monkeypatch.setattr(mertk.Predictor, "answer_together", fail)
    assert [one.values for one in predictor.timeline(file, 1, 1, batch_size=4)] == [one.values for one in alone]


def test_what_was_read_before_a_recording_breaks_is_answered(predictor, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.4, 0.4, 16000 * 40).astype(np.float32)
    samples[16000 * 35], samples[:32000] = np.nan, 0
    soundfile.write(tmp_path / "broken.wav", samples, 16000, "FLOAT")
    found: dict[int, list] = {1: [], 50: []}
    for size, answers in found.items():
        timeline = predictor.timeline(tmp_path / "broken.wav", 2, 2, batch_size=size)
        with pytest.raises(MertkError, match="NaN or infinite samples"):
            answers.extend(timeline)
    told = [[(one.start_seconds, one.label, str(one.error)) for one in answers] for answers in found.values()]
    assert told[0] == told[1] and len(told[0]) > 3 and "silence" in told[0][0][2]


@pytest.mark.parametrize(
    ("device", "window", "expected"), [("cpu", 3, 1), ("cuda", 3, 32), ("cuda", 500, 1), ("cuda", None, 32)]
)
def test_what_is_held_at_once_is_bounded(device, window, expected):
    assert usual_batch_size(torch.device(device), Cutting(window)) == expected


# Answers that are none


def test_silent_windows_have_no_answer_and_are_no_error(model, predictor, tmp_path, capsys):
    file = write_noise(tmp_path / "a.wav", 6.0, silence=(2, 4))
    code, rows, told = call(capsys, model, "--window", 1, "--hop", 1, file)
    assert code == 0 and rows[0] == ["file", "start_seconds", "end_seconds", "prediction", *CLASSES]
    assert [row[3] == "" for row in rows[1:]] == [False, False, True, True, False, False]
    assert rows[3] == [str(file), "2.000", "3.000", "", "", "", ""]
    cause = "its sound is nothing but silence, so there is nothing to judge by."
    assert told == f"note: {file}: no answer to 2 window(s), the first from 2.0 s on: {cause}\n"
    silent = list(predictor.timeline(file, 1, 1))[2]
    assert silent.label is None and "silence" in str(silent.error)


def test_a_damaged_stretch_costs_its_own_windows(extractors, tmp_path, capsys):
    model = save_seer(tmp_path / "best", {"video": extractors["video"]})
    write_video(tmp_path / "whole.avi", 600)
    data = bytearray((tmp_path / "whole.avi").read_bytes())
    begin, end = len(data) * 45 // 100, len(data) * 55 // 100
    data[begin:end] = bytes(end - begin)
    file = tmp_path / "damaged.avi"
    file.write_bytes(data)
    given = ["--trust", "tests.sentiment_model", "--window", 1, "--hop", 1]
    code, rows, told = call(capsys, model, *given, "--", file)
    good = [row[3] != "" for row in rows[1:]]
    assert code == 1 and all(good[:8]) and all(good[-8:])
    assert re.search(rf"^error: {file}: no answer to {good.count(False)} window\(s\), .* s on: has only", told, re.M)
    whole = call(capsys, model, *given, "--", tmp_path / "whole.avi")[1]
    assert [row[1:] for row, is_good in zip(rows[1:], good, strict=True) if is_good] == [
        row[1:] for row, is_good in zip(whole[1:], good, strict=True) if is_good
    ]


def test_less_than_a_tenth_of_a_second_is_refused(model, tmp_path, capsys):
    short = write_tone(tmp_path / "short.wav", seconds=0.09)
    code, rows, told = call(capsys, model, "--window", 1, "--format", "jsonl", short)
    assert code == 1 and "its sound lasts 90 ms, too short to tell anything; expected 100 ms or more" in told
    assert "90 ms" in json.loads(rows[0][0])["error"]
    code, _, told = call(capsys, model, "--window", 0.05, short)
    assert (code, told) == (1, "error: window: got 0.05 s, expected 0.1 s or more.\n")
    assert call(capsys, model, "--window", 1, "--hop", 0.001, short)[2].startswith("error: hop: got 0.001 s")


def test_words_are_needed_and_go_to_every_window(predictor, tmp_path, monkeypatch):
    file = write_noise(tmp_path / "a.wav", 4.0)
    monkeypatch.setattr(predictor, "modalities", ("audio", "text"))
    with pytest.raises(MertkError, match=r"when it is said; .* \(its text, or a file .*a\.txt\)"):
        next(predictor.timeline(file))
    words = []
    monkeypatch.setattr(predictor, "read", lambda window: words.append(window.words))
    monkeypatch.setattr(predictor, "answer_together", lambda read: [mertk.Answer(intensity=0.5) for _ in read])
    assert [answer.intensity for answer in predictor.timeline(file, text="hello")] == [0.5, 0.5]
    assert words == ["hello", "hello"]
    for given, message in (
        ({"half": "top"}, "half: got 'top'"),
        ({"window_seconds": 0}, "window: got 0 s"),
        ({"batch_size": 0}, "batch_size: got 0"),
    ):
        with pytest.raises(MertkError, match=message):
            predictor.timeline(file, **given)


# The program


def test_lines_are_out_as_soon_as_they_are_known(model, tmp_path, monkeypatch, capsys):
    file, out, seen = write_noise(tmp_path / "a.wav", 4.0), tmp_path / "new/out.tsv", []
    read = mertk.Predictor.read
    monkeypatch.setattr(
        mertk.Predictor, "read", lambda *given: seen.append(out.read_text().count("\n")) or read(*given)
    )
    assert call(capsys, model, "--window", 1, "--hop", 1, "--out", out, file)[:2] == (0, [])
    assert seen[1:] == [2, 3, 4] and out.read_text().count("\n") == 5


def test_answers_to_whole_files_are_out_as_they_come_and_folders_are_searched(model, tmp_path, monkeypatch, capsys):
    folder, out, seen = tmp_path / "all", tmp_path / "new/out.tsv", []
    folder.mkdir()
    for name in ("a", "c"):
        write_tone(folder / f"{name}.wav")
    (folder / "b.wav").write_text("no sound")
    read = mertk.Predictor.read
    monkeypatch.setattr(
        mertk.Predictor, "read", lambda *given: seen.append(out.read_text().count("\n")) or read(*given)
    )
    code, _, told = call(capsys, model, "--out", out, "--", folder)
    assert (code, seen) == (1, [1, 2, 2]) and f"error: {folder / 'b.wav'}: " in told
    assert [line.split("\t")[0] for line in out.read_text().splitlines()] == [
        "file",
        *(str(folder / f"{name}.wav") for name in "ac"),
    ]


def test_folders_and_lists_are_searched(model, tmp_path, capsys):
    folder = tmp_path / "all"
    (folder / "later/.hidden").mkdir(parents=True)
    files = [write_tone(folder / "B.WAV"), write_tone(folder / "a.wav"), write_tone(folder / "later/c.wav")]
    write_tone(folder / "later/.hidden/d.wav")
    for name in ("notes.pdf", "later/words.txt", "README"):
        (folder / name).write_text("no sound")
    write_tone(tmp_path / "listed.wav")
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'listed.wav'}\r\n\n")
    code, rows, told = call(capsys, model, "--window", 1, "--list", tmp_path / "list.txt", "--", folder)
    assert code == 0 and [row[0] for row in rows[1:]] == [*map(str, files), str(tmp_path / "listed.wav")]
    assert told == f"note: {folder}: 3 file(s) are no sound or video by their names (1 no ending, 1 .pdf, 1 .txt)\n"
    code, rows, _ = call(capsys, model, "--list", tmp_path / "list.txt")
    assert code == 0 and rows[0] == ["file", "prediction", *CLASSES] and len(rows) == 2
    (tmp_path / "none").mkdir()
    assert "none of its 0 file(s) is sound" in call(capsys, model, "--window", 1, "--", tmp_path / "none")[2]
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--model", str(model), "--window", "1", "--text", "hello", "--", str(folder)])
    assert f"--text is what is said in one file; {folder} has 3" in capsys.readouterr().err
    assert "absent: no such file" in call(capsys, model, "--list", tmp_path / "absent")[2]


def test_many_notes_on_windows_are_told_in_short(model, monkeypatch, tmp_path, capsys):
    tell = mertk.Predictor._make
    number = iter(range(99))
    monkeypatch.setattr(
        mertk.Predictor,
        "_make",
        lambda self, values, notes: tell(self, values, [*notes, f"note {next(number)}", "all"]),
    )
    file = write_noise(tmp_path / "a.wav", 9.0)
    given = ["--window", 1, "--hop", 1, "--format", "jsonl", "--", file]
    code, rows, told = call(capsys, model, *given)
    assert code == 0 and json.loads(rows[8][0])["notes"] == ["note 8", "all"]
    notes = (
        "note 0",
        "all",
        "note 1",
        "note 2",
        "note 3",
        "5 more notes on its windows (mertk predict --format jsonl has each",
    )
    assert all(line.startswith(f"note: {file}: {note}") for line, note in zip(told.splitlines(), notes, strict=True))


def test_a_folder_has_table_subtitles_and_picture_of_each_file(model, tmp_path, capsys):
    folder, out = tmp_path / "all", tmp_path / "out"
    (folder / "more").mkdir(parents=True)
    write_noise(folder / "a.wav", 4.0, silence=(1, 2))
    write_tone(folder / "more/a.wav")
    write_clip_file(folder / "more/a.mp4", 0.5)
    (folder / "bad.wav").write_text("no sound")
    given = ["--window", 1, "--hop", 1, "--out_dir", out, "--subtitles", "srt", "--plot", "png", "--", folder]
    code, rows, told = call(capsys, model, *given)
    names = ("a", "more/a.wav", "more/a.mp4")
    expected = {f"{name}.{ending}" for name in names for ending in ("tsv", "srt", "png")} | {"bad.tsv"}
    assert (code, rows) == (1, []) and "bad.wav: cannot be read as audio" in told
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == expected
    assert (out / "a.tsv").read_text().count("\n") == 5 and (out / "bad.tsv").read_text().count("\n") == 1
    assert "00:00:00,000 --> 00:00:01,000\n" in (out / "a.srt").read_text()
    assert (out / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert (
        "out/a.tsv and 9 more of its files are there already; give another --out_dir" in call(capsys, model, *given)[2]
    )
    assert call(capsys, model, "--overwrite", *given)[0] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--hop", "1"], "--hop is for timelines; give --window or --segments, too"),
        (["--window", "3", "--plot", "png"], "--plot writes a file of its own; give --out_dir"),
        (["--window", "3", "--out", "a", "--out_dir", "b"], "--out is one table, --out_dir has one of each file"),
        (["--segments", "vad", "--hop", "1"], "--hop is for windows"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given, message, model, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--model", str(model), *given, "--", "a.wav"])
    assert message in capsys.readouterr().err


def test_speech_is_found_by_the_detector(model, monkeypatch, tmp_path, capsys):
    silero_vad = pytest.importorskip("silero_vad", reason="silero-vad is not installed")
    loud = iter([0.0] * 32 + [0.9] * 32 + [0.0] * 32 + [0.9] * 64)
    detector = type("Detector", (), {"__call__": lambda *given: torch.tensor(next(loud, 0.0)), "reset_states": print})
    monkeypatch.setattr(silero_vad, "load_silero_vad", detector)
    file = write_noise(tmp_path / "a.wav", 6.0)
    code, rows, _ = call(capsys, model, "--segments", "vad", "--", file)
    assert code == 0
    times = [(float(row[1]), float(row[2])) for row in rows[1:] if len(row) > 1]
    assert times == [
        (pytest.approx(start, abs=0.05), pytest.approx(end, abs=0.05)) for start, end in ((1.02, 2.05), (3.07, 5.12))
    ]
    monkeypatch.undo()
    threads = torch.get_num_threads()
    code, rows, told = call(capsys, model, "--segments", "vad", "--", file)
    assert (code, len(rows)) == (0, 1) and "nobody speaks in it" in told and torch.get_num_threads() == threads


def test_a_detector_that_is_not_installed_is_told_once(model, monkeypatch, capsys):
    monkeypatch.setattr(speech, "find_spec", lambda name: None)
    code, rows, told = call(capsys, model, "--segments", "vad", "--", "a.wav", "b.wav")
    assert (code, rows) == (1, []) and told.count("silero-vad, which is not installed") == 1


def test_long_work_tells_how_fast_it_is(monkeypatch, capsys):
    clock = iter([0.0, 5.0, 20.0, 30.0])
    monkeypatch.setattr(recording_progress.time, "monotonic", lambda: next(clock))
    progress = RecordingProgress("a.wav", 3600)
    for seconds in (10, 1200, 1300):
        progress.reach(seconds)
    progress.close()
    assert capsys.readouterr().err == "a.wav: 1200 of 3600 s, 1.00 hours of recording a minute\n"


def test_windows_are_closed_with_their_timeline(predictor, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(LongRecording, "close", lambda self: closed.append(self))
    answers = predictor.timeline(write_noise(tmp_path / "a.wav", 5.0))
    next(answers)
    answers.close()
    assert len(closed) == 1
