"""Recordings of one's own: a model sees of a clip what it would have seen of it in the corpus."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch

import mertk
from mertk.bin import predict
from mertk.data.feature_store import read_record
from mertk.data.manifest import load_manifest
from mertk.data.recording import Recording
from mertk.data.video_frames import Segment, read_duration, read_frames
from mertk.data_prep import extract_audio, extract_text, extract_video, raw_video
from mertk.errors import MertkError
from mertk.features import Places, open_source
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from tests.raw_corpus import write_bert, write_clip_file, write_corpus, write_wavlm
from tests.sentiment_model import Means, save_means
from tests.video_corpus import read_features, write_clip

TOKENS = {"kind": "tokens"}
FEATURES = {"kind": "features"}
INPUTS = {"audio": FEATURES, "video": FEATURES, "text": TOKENS}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Clips, their data directory with all features, and the encoders that made them."""
    folder = tmp_path_factory.mktemp("predict")
    write_corpus(folder / "corpus")
    bert, clip, wavlm = write_bert(folder / "bert"), write_clip(folder / "clip"), write_wavlm(folder / "wavlm")
    data = folder / "data"
    given = ["--data", str(data), "--out"]
    assert raw_video.main(["--corpus", str(folder / "corpus"), "--out", str(data), "--name", "mosi"]) == 0
    audio = ["--average", "3", "--sample_rate_hz", "22050"]
    assert extract_audio.main([*given, str(data / "features/audio"), *audio]) == 0
    states = ["--weights", str(wavlm), "--layer", "2", "--max_seconds", "0.8"]
    assert extract_audio.main([*given, str(data / "features/wavlm"), *states]) == 0
    frames = ["--weights", str(clip), "--rate_hz", "5", "--max_seconds", "60"]
    assert extract_video.main([*given, str(data / "features/video"), *frames]) == 0
    text = ["--weights", str(bert), "--max_tokens", "6", "--embeddings", str(data / "features/text")]
    assert extract_text.main([*given, str(data / "features/tokens"), *text]) == 0
    return folder


@pytest.fixture(scope="module")
def model(corpus):
    return save_means(corpus / "models/first", corpus / "data", INPUTS)


def call(capsys, *arguments):
    """Exit code, rows of the table without its header, and what went to stderr."""
    code = predict.main(["--trust", "tests.sentiment_model", *map(str, arguments)])
    told = capsys.readouterr()
    rows = [line.split("\t") for line in told.out.splitlines()]
    return code, rows, told.err


def clip_of(corpus, utterance):
    video, _, name = utterance.partition("$_$")
    return corpus / "corpus/Raw" / video / f"{name}.mp4"


def answer_of_corpus(corpus, utterance, inputs=INPUTS):
    """What `Means` says to the features of the corpus."""
    parts = []
    for modality, given in inputs.items():
        folder = given.get("directory") or corpus / "data/features" / ("tokens" if given == TOKENS else modality)
        values = read_features(folder)[utterance].astype(np.float64)
        parts.append((values[:, :1] if given == TOKENS else values).mean(axis=0))
    joined = np.concatenate(parts)
    dimensions = [len(part) for part in parts]
    known = [size for size, name in zip(dimensions, inputs, strict=True) if name != "text"]
    known += [1] * (2 - len(known))
    return float(joined @ np.linspace(-1, 1, sum(known) + 1)[: len(joined)])


def test_a_clip_of_the_corpus_gets_the_answer_of_its_features(corpus, model, capsys):
    data = load_manifest(corpus / "data")
    for utterance in data.ids:
        words = data.value("text", utterance)
        code, rows, error = call(capsys, "--model", model, "--text", words, "--", clip_of(corpus, utterance))
        assert code == 0, error
        assert rows[0] == ["file", "intensity"]
        assert float(rows[1][1]) == pytest.approx(answer_of_corpus(corpus, utterance), abs=1e-3)


def test_a_model_of_one_modality_needs_no_other(corpus, capsys):
    inputs = {"audio": {**FEATURES, "directory": str(corpus / "data/features/wavlm")}}
    model = save_means(corpus / "models/states", corpus / "data", inputs)
    for file in (clip_of(corpus, "abc$_$0002"), corpus / "data/wav/abc/0002.wav"):
        code, rows, error = call(capsys, "--model", model, "--", file)
        assert code == 0, error
        assert float(rows[1][1]) == pytest.approx(answer_of_corpus(corpus, "abc$_$0002", inputs), abs=2e-3)


@pytest.mark.parametrize("folder", ["audio", "wavlm", "video", "tokens", "text"])
def test_features_of_a_recording_are_those_of_the_corpus(corpus, folder):
    record = read_record(corpus / "data/features" / folder).as_dict()
    read = open_source(record["modality"], None, record, Places(), torch.device("cpu"))
    data, stored = load_manifest(corpus / "data"), read_features(corpus / "data/features" / folder)
    for utterance in data.ids:
        made = read(Recording(clip_of(corpus, utterance), data.value("text", utterance)))
        np.testing.assert_array_equal(made, stored[utterance])


def test_several_models_are_averaged_each_with_its_own_normalization(corpus, model, capsys):
    utterance, words = "ghi$_$0001", "hello"
    statistics = {"audio": {"mean": [1.0] * 33, "std": [2.0] * 32 + [0.0]}}
    second = save_means(corpus / "models/second", corpus / "data", INPUTS, scale=3.0)
    third = save_means(corpus / "models/third", corpus / "data", INPUTS, normalization=statistics)
    clip = clip_of(corpus, utterance)

    def intensity(*models):
        code, rows, error = call(capsys, "--model", *models, "--text", words, "--", clip)
        assert code == 0, error
        return float(rows[1][1])

    plain, standardized = intensity(model), intensity(third)
    assert intensity(model, second) == pytest.approx(2 * plain, abs=2e-3)
    assert intensity(model, third) == pytest.approx((plain + standardized) / 2, abs=2e-3)
    audio = read_features(corpus / "data/features/audio")[utterance].mean(axis=0)
    change = (audio - 1) / np.array([2.0] * 32 + [1.0]) - audio
    assert standardized - plain == pytest.approx(change @ np.linspace(-1, 1, 54)[:33], rel=1e-2, abs=1e-2)


def test_models_whose_features_are_cut_and_averaged_otherwise_go_together(corpus, capsys):
    audio = {"audio": FEATURES}
    whole = save_means(corpus / "models/whole", corpus / "data", audio)
    cut = save_means(corpus / "models/cut", corpus / "data", {"audio": FEATURES | {"max_seconds": 0.4}})
    other = save_means(corpus / "models/other", corpus / "data", audio)
    info = json.loads((other / "model.json").read_text())
    record = info["feature_records"]["audio"]
    record["rate_hz"] *= 3
    record["options"] |= {"average": 1, "max_seconds": 0.3}
    (other / "model.json").write_text(json.dumps(info))
    clip = clip_of(corpus, "abc$_$0002")

    def intensity(*models):
        code, rows, error = call(capsys, "--model", *models, "--", clip)
        assert code == 0, error
        return float(rows[1][1])

    alone = [intensity(model) for model in (whole, cut, other)]
    assert len(set(alone)) == 3
    assert intensity(whole, cut, other) == pytest.approx(np.mean(alone), abs=1e-3)
    assert intensity(other, whole, cut) == pytest.approx(np.mean(alone), abs=1e-3)


def test_a_model_of_words_alone_reads_no_recording_but_needs_words(corpus, capsys):
    model = save_means(corpus / "models/words", corpus / "data", {"text": TOKENS})
    code, rows, error = call(capsys, "--model", model, "--text", "hello", "--", "absent.mp4")
    assert code == 0 and len(rows) == 2, error
    code, rows, error = call(capsys, "--model", model, "--text", " ", "--", "absent.mp4")
    assert code == 1 and len(rows) == 1 and "no word of it was given" in error


def test_words_and_steps_that_a_model_does_not_see_are_told(corpus, monkeypatch, capsys):
    model = save_means(corpus / "models/short", corpus / "data", {"audio": FEATURES, "text": TOKENS})
    clip = clip_of(corpus, "abc$_$0002")
    code, _, error = call(capsys, "--model", model, "--text", "good " * 8, "--", clip)
    assert code == 0 and f"note: {clip}: the model sees 6 of the 10 tokens of what is said" in error
    monkeypatch.setattr(Means, "steps", {"audio": 5}, raising=False)
    code, _, error = call(capsys, "--model", model, model, "--text", "good", "--", clip)
    assert code == 0 and error.count("the model sees 5 of the 22 steps of its audio") == 1, error


def test_transcripts_come_from_a_table_or_from_beside_the_file(corpus, model, tmp_path, capsys):
    files = [tmp_path / f"{name}.mp4" for name in ("one", "two", "three", "four")]
    for file in files:
        shutil.copy(clip_of(corpus, "abc$_$0001"), file)
    (tmp_path / "table.tsv").write_text(f"one\thello\ntwo.mp4\tgood\n{files[2]}\tbad, bad\n", "utf-8")
    code, rows, error = call(capsys, "--model", model, "--transcripts", tmp_path / "table.tsv", "--", *files)
    assert code == 1 and len(rows) == 4
    assert f"{files[3]}: this model needs what is said; give mertk predict --text" in error and "four.txt" in error
    # The answers differ by the mean of the token ids: [CLS] 2, [SEP] 3, and the words.
    ids = {"hello": [2, 5, 3], "good": [2, 8, 3], "bad, bad": [2, 9, 7, 9, 3]}
    means = [np.mean(value) for value in ids.values()]
    given = [float(row[1]) for row in rows[1:]]
    assert np.diff(given) == pytest.approx(np.diff(means) * 1.0, abs=2e-3)

    files[3].with_suffix(".txt").write_text("\ufeffbad,\nbad\n", "utf-8")
    code, rows, _ = call(capsys, "--model", model, "--", files[3])
    assert code == 0 and float(rows[1][1]) == pytest.approx(given[2], abs=1e-4)


@pytest.mark.parametrize(
    ("lines", "message"),
    [("one hello\n", ":1: expected name, tab, text"), ("one\thello\none\tbad\n", ":2: one was already given")],
)
def test_a_faulty_table_of_transcripts_is_one_message(corpus, model, tmp_path, capsys, lines, message):
    (tmp_path / "table.tsv").write_text(lines)
    code, _, error = call(capsys, "--model", model, "--transcripts", tmp_path / "table.tsv", "--", tmp_path / "one.mp4")
    assert code == 1 and message in error


def test_text_for_several_files_is_wrong_usage(model, capsys):
    with pytest.raises(SystemExit) as ended:
        predict.main(["--model", str(model), "--text", "hello", "--", "a.mp4", "b.mp4"])
    assert ended.value.code == 2


def test_what_cannot_be_read_is_named_and_the_rest_predicted(corpus, model, tmp_path, capsys):
    write_clip_file(tmp_path / "silent.mp4", sound=False)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    shutil.copy(clip_of(corpus, "abc$_$0001"), tmp_path / "good.mp4")
    (tmp_path / "sound.wav").write_bytes((corpus / "data/wav/abc/0001.wav").read_bytes())
    (tmp_path / "table.tsv").write_text("".join(f"{name}\thello\n" for name in ("silent", "broken", "good", "sound")))
    files = [tmp_path / name for name in ("silent.mp4", "broken.mp4", "good.mp4", "sound.wav", "absent.mp4")]
    out = tmp_path / "out.tsv"
    code, _, error = call(capsys, "--model", model, "--transcripts", tmp_path / "table.tsv", "--out", out, "--", *files)
    assert code == 1 and len(out.read_text().splitlines()) == 2
    for name, message in [("silent", "has no sound"), ("broken", "cannot be read"), ("sound", "needs the picture too")]:
        assert message in next(line for line in error.splitlines() if f"error: {tmp_path / name}" in line)
    shutil.copy(clip_of(corpus, "abc$_$0001"), tmp_path / "sound.mp4")
    table = ["--transcripts", tmp_path / "table.tsv"]
    _, pair, _ = call(capsys, "--model", model, *table, "--", tmp_path / "sound.wav")
    _, whole, _ = call(capsys, "--model", model, *table, "--", tmp_path / "good.mp4")
    assert float(pair[1][1]) == pytest.approx(float(whole[1][1]), abs=1e-3)


@pytest.fixture(scope="module")
def sparing(corpus):
    """A model whose training left out sound and picture now and then."""
    dropped = {name: FEATURES | {"dropout": 0.3} for name in ("audio", "video")}
    return save_means(corpus / "models/sparing", corpus / "data", dropped | {"text": TOKENS})


def test_what_training_left_out_now_and_then_a_recording_may_lack(corpus, model, sparing, tmp_path, capsys):
    write_clip_file(tmp_path / "silent.mp4", sound=False)
    shutil.copy(corpus / "data/wav/abc/0001.wav", tmp_path / "sound.wav")
    files = [tmp_path / "silent.mp4", tmp_path / "sound.wav"]
    (tmp_path / "table.tsv").write_text("silent\thello\nsound\thello\n")
    given = ["--transcripts", tmp_path / "table.tsv", "--", *files]
    code, rows, error = call(capsys, "--model", sparing, *given)
    assert code == 0 and [row[0] for row in rows[1:]] == [str(file) for file in files]
    for file, name in zip(files, ("sound", "picture"), strict=True):
        assert f"note: {file}: no {name}: zeros in its place, which the model was trained to do without" in error
    # Zeros are what the other modalities are added to: the answer is that of what is there.
    predictor = mertk.load(sparing, trust="tests.sentiment_model")
    whole = Recording(clip_of(corpus, "abc$_$0001"), "hello")
    (row,) = predictor.read(whole).rows
    (lacking,) = predictor.read(Recording(files[1], "hello")).rows
    assert lacking["video"].shape == row["video"].shape and not lacking["video"].any()
    means = np.concatenate(
        [row["audio"].mean(axis=0), np.zeros(row["video"].shape[1]), row["text"][:, :1].mean(axis=0)]
    )
    assert float(rows[2][1]) == pytest.approx(means @ np.linspace(-1, 1, len(means)), abs=1e-3)
    # One model that needs it is enough for a refusal.
    code, rows, error = call(capsys, "--model", sparing, model, *given)
    assert code == 1 and len(rows) == 1
    assert "give a recording with sound, or a model that was trained to do without (data.inputs.audio.dropout)" in error
    assert "put one of the same name beside, or a model that was trained to do without" in error


def test_nothing_is_left_to_judge_by(sparing, tmp_path, capsys):
    write_clip_file(tmp_path / "silent.mp4", sound=False)
    code, _, error = call(capsys, "--model", sparing, "--", tmp_path / "silent.mp4")
    assert code == 1 and "this model needs what is said; give mertk predict --text" in error
    sound = {"audio": np.zeros((3, 5), np.float32)}
    with pytest.raises(MertkError, match=r"got audio, expected audio \(or not\), video \(or not\), text"):
        mertk.load(sparing, trust="tests.sentiment_model").predict(sound)


def test_a_timeline_does_without_what_training_left_out(corpus, sparing, tmp_path):
    shutil.copy(corpus / "data/wav/abc/0001.wav", tmp_path / "sound.wav")
    predictor = mertk.load(sparing, trust="tests.sentiment_model")
    windows = list(predictor.timeline(tmp_path / "sound.wav", 0.5, text="hello"))
    assert len(windows) > 1 and all("no picture" in " ".join(window.notes) for window in windows)
    (alone,) = predictor.timeline(tmp_path / "sound.wav", 60, text="hello")
    assert alone.intensity == pytest.approx(predictor.predict(tmp_path / "sound.wav", text="hello").intensity)


def test_arrays_may_lack_it_too(corpus, sparing):
    predictor = mertk.load(sparing, trust="tests.sentiment_model")
    sound = read_features(corpus / "data/features/audio")["abc$_$0001"].astype(np.float32)
    answer = predictor.predict({"audio": sound, "text": "hello"})
    assert answer.notes == ("no picture: zeros in its place, which the model was trained to do without",)
    file = Recording(corpus / "data/wav/abc/0001.wav", "hello")
    assert answer.intensity == pytest.approx(predictor.predict(file).intensity, abs=1e-3)


@pytest.mark.parametrize("extractor", ["mmsa", "OpenFace"])
def test_a_model_of_imported_features_is_refused_with_what_to_do(corpus, capsys, extractor):
    model = save_means(corpus / f"models/{extractor}", corpus / "data", INPUTS)
    info = json.loads((model / "model.json").read_text())
    info["feature_records"]["video"]["extractor"] = extractor
    (model / "model.json").write_text(json.dumps(info))
    code, _, error = call(capsys, "--model", model, "--text", "hello", "--", clip_of(corpus, "abc$_$0001"))
    assert code == 1
    assert f"the video features of this model come from files ({extractor})" in error
    assert "train a model on features made of recordings (the recipe with --corpus DIR" in error


def test_another_tokenizer_or_encoder_is_refused_and_may_have_moved(corpus, tmp_path, capsys):
    model = save_means(corpus / "models/moved", corpus / "data", INPUTS)
    path, clip = model / "model.json", clip_of(corpus, "abc$_$0001")
    before = path.read_text()
    path.write_text(before.replace(str(corpus / "bert"), "/no/bert").replace(str(corpus / "clip"), "/no/clip"))
    alone = write_bert(tmp_path / "alone", with_weights=False)
    given = ["--model", model, "--text", "hello"]
    assert "weights folder /no/clip not found" in call(capsys, *given, "--", clip)[2]
    given += ["--clip", corpus / "clip"]
    assert "tokenizer '/no/bert': cannot be loaded" in call(capsys, *given, "--", clip)[2]
    assert call(capsys, *given, "--bert", alone, "--", clip)[0] == 0
    other = write_bert(tmp_path / "other", with_weights=False)
    for file in ("vocab.txt", "tokenizer.json"):
        (other / file).write_text((other / file).read_text("utf-8").replace("world", "globe"), "utf-8")
    code, _, error = call(capsys, *given, "--bert", other, "--", clip)
    assert code == 1 and "not what the text features of the model were made with" in error and "--bert" in error
    code, _, error = call(capsys, *given[:-1], write_clip(tmp_path / "clip", seed=3), "--bert", alone, "--", clip)
    assert code == 1 and "not what the video features of the model were made with" in error and "--clip" in error


def test_another_version_of_librosa_is_refused(corpus, capsys):
    model = save_means(corpus / "models/librosa", corpus / "data", INPUTS)
    path = model / "model.json"
    path.write_text(path.read_text().replace("librosa 0.", "librosa 99."))
    code, _, error = call(capsys, "--model", model, "--text", "hello", "--", clip_of(corpus, "abc$_$0001"))
    assert code == 1 and "were made with librosa 99." in error and "install that version" in error


def test_models_of_other_features_do_not_go_together(corpus, model, capsys):
    other = save_means(corpus / "models/two", corpus / "data", {"audio": FEATURES, "video": FEATURES})
    code, _, error = call(capsys, "--model", model, other, "--text", "hello", "--", clip_of(corpus, "abc$_$0001"))
    assert code == 1 and "give models of one experiment" in error


def test_a_video_shorter_than_what_a_model_looks_at_is_taken_whole(corpus, tmp_path):
    """It used to be refused as truncated."""
    record = video_record(corpus)
    write_clip_file(tmp_path / "short.mp4", seconds=0.8, rate=25)
    frames = open_source("video", None, record, Places(), torch.device("cpu"))(Recording(tmp_path / "short.mp4"))
    assert frames.shape == (20, 20)


def video_record(corpus, **options):
    """The record of features of every frame of a corpus of 25 frames a second, six seconds at most."""
    record = read_record(corpus / "data/features/video").as_dict()
    kept = {key: value for key, value in record["options"].items() if key != "rate_hz"}
    return record | {"rate_hz": 25.0, "options": kept | {"max_seconds": 6.0} | options}


@pytest.mark.parametrize(("rate", "own"), [(50, False), (12, False), (25, True), (Fraction(2510, 100), True)])
def test_a_video_of_another_frame_rate_is_taken_at_that_of_the_corpus(corpus, tmp_path, rate, own):
    write_clip_file(tmp_path / "clip.mp4", seconds=2.0, rate=rate)
    found = open_source("video", None, video_record(corpus), Places(), torch.device("cpu"))
    segment = Segment("clip", Fraction(0), read_duration(tmp_path / "clip.mp4"))
    frames = read_frames(tmp_path / "clip.mp4", segment, 6.0, None if own else 25.0)
    assert len(frames) == pytest.approx(50, abs=1)
    expected = ClipFrameEncoder(corpus / "clip").encode_whole(frames)
    np.testing.assert_array_equal(found(Recording(tmp_path / "clip.mp4")), expected)


def test_the_picture_is_encoded_in_the_precision_of_the_corpus(corpus, capsys):
    clip = clip_of(corpus, "abc$_$0001")
    frames = read_frames(clip, Segment("clip", Fraction(0), read_duration(clip)))
    for precision, here in (("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float32")):
        record = video_record(corpus, precision=precision)
        found = open_source("video", None, record, Places(), torch.device("cpu"))(Recording(clip))
        np.testing.assert_array_equal(found, ClipFrameEncoder(corpus / "clip", precision=here).encode_whole(frames))
        assert ("made in float16, here they are in float32" in capsys.readouterr().err) == (precision == "float16")


def test_what_a_model_does_not_see_is_told(corpus, tmp_path, capsys):
    write_clip_file(tmp_path / "long.mp4", seconds=2.0)
    shutil.copy(clip_of(corpus, "ghi$_$0003"), tmp_path / "short.mp4")
    inputs = {"audio": FEATURES | {"max_seconds": 0.7}, "video": FEATURES | {"max_seconds": 0.7}}
    both = save_means(corpus / "models/both", corpus / "data", inputs)
    files = [tmp_path / "long.mp4", tmp_path / "short.mp4"]
    code, rows, error = call(capsys, "--model", both, "--", *files)
    assert code == 0 and len(rows) == 3
    notes = [line for line in error.splitlines() if line.startswith("note:")]
    assert len(notes) == 1
    assert notes[0].startswith(f"note: {files[0]}: the model sees the first 0.7 s of audio and video; the last 1.")
    # Of these features the longest part is a matter of the corpus.
    states = {"audio": {**FEATURES, "directory": str(corpus / "data/features/wavlm")}}
    alone = save_means(corpus / "models/alone", corpus / "data", states)
    code, _, error = call(capsys, "--model", alone, "--", corpus / "data/wav/abc/0002.wav")
    assert code == 0 and "0002.wav: the model sees the first 0.8 s of audio; the last 0." in error
