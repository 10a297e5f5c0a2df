"""Extractors of one's own: from a dotted path on a command line to the answer of a model, on the same numbers."""

from __future__ import annotations

import re
import shutil
import sys

import numpy as np
import pytest
import torch

from mertk.bin import predict
from mertk.data.feature_store import read_record
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest
from mertk.data.recording import Recording
from mertk.data_prep import extract_audio, extract_text, extract_video, raw_video
from mertk.features import Places, open_source
from tests.raw_corpus import write_corpus
from tests.sentiment_model import save_means
from tests.video_corpus import read_features

PROGRAMS = {"audio": extract_audio, "video": extract_video, "text": extract_text}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_corpus(folder / "corpus")
    given = ["--corpus", str(folder / "corpus"), "--out", str(folder / "data"), "--name", "mosi"]
    assert raw_video.main(given) == 0
    return folder


def extract(corpus, modality, out, *options):
    data = ["--data", str(corpus / "data"), "--out", str(out)]
    return PROGRAMS[modality].main([*data, "--extractor", *options])


def clip_of(corpus, utterance):
    video, _, name = utterance.partition("$_$")
    return corpus / "corpus/Raw" / video / f"{name}.mp4"


@pytest.fixture
def example(checkout, tmp_path, monkeypatch):
    """The example of the documentation, in a folder of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", (checkout / "docs/features.md").read_text(encoding="utf-8"), re.DOTALL)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_voice.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("my_voice", None)


def test_the_documented_extractor_goes_from_a_corpus_into_an_answer(corpus, example, tmp_path, capsys):
    features = tmp_path / "loudness"
    assert extract(corpus, "audio", features, "my_voice.Loudness", "window_samples=160") == 0
    record, stored = read_record(features), read_features(features)
    assert (record.extractor, record.rate_hz, record.dimension) == ("my_voice.Loudness", 100.0, 1)
    assert record.options == {"sample_rate_hz": 16000, "average": 1, "window_samples": 160}
    assert all(values.min() > -101 and values.max() < 0 for values in stored.values())

    model = save_means(tmp_path / "best", corpus / "data", {"audio": {"kind": "features", "directory": str(features)}})
    sys.modules.pop("my_voice")
    arguments = ["--model", str(model), "--trust", "tests.sentiment_model"]
    files = [str(clip_of(corpus, name)) for name in stored]
    assert predict.main([*arguments, "--", *files]) == 1
    assert "add --trust my_voice" in capsys.readouterr().err and "my_voice" not in sys.modules
    assert predict.main([*arguments, "--trust", "my_voice", "--", *files]) == 0
    answers = [float(line.split("\t")[1]) for line in capsys.readouterr().out.splitlines()[1:]]
    weight = np.linspace(-1, 1, 3)[0]
    expected = [weight * stored[name].astype(np.float64).mean() for name in stored]
    np.testing.assert_allclose(answers, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("modality", "words", "told"),
    [
        ("audio", ["Peaks", "average=2", "max_seconds=0.5"], {"window_samples": 80, "average": 2, "max_seconds": 0.5}),
        ("video", ["Brightness", "rows=7", "rate_hz=5"], {"rows": 7, "rate_hz": 5.0}),
        ("text", ["Letters"], {}),
    ],
)
def test_features_of_a_recording_are_those_of_the_corpus(corpus, tmp_path, modality, words, told):
    name = f"tests.own_extractors.{words[0]}"
    assert extract(corpus, modality, tmp_path / "out", name, *words[1:]) == 0
    record, stored = read_record(tmp_path / "out").as_dict(), read_features(tmp_path / "out")
    assert (
        record["extractor"] == name and record["options"].items() >= told.items() and "device" not in record["options"]
    )
    trusted = ["tests.own_extractors"]
    read = open_source(modality, None, record, Places(), torch.device("cpu"), trusted)
    data = load_manifest(corpus / "data")
    assert set(stored) == set(data.ids)
    for utterance in data.ids:
        made = read(Recording(clip_of(corpus, utterance), data.value("text", utterance)))
        np.testing.assert_array_equal(made, stored[utterance])


def test_an_extractor_of_mertk_goes_by_its_name_too(corpus, tmp_path):
    assert extract(corpus, "video", tmp_path / "named", "SmallPictures", "side=12", "rate_hz=5") == 0
    given = ["--data", str(corpus / "data"), "--out", str(tmp_path / "options"), "--side", "12", "--rate_hz", "5"]
    assert extract_video.main(given) == 0
    assert (tmp_path / "named/record.json").read_text() == (tmp_path / "options/record.json").read_text()


def test_videos_of_several_rates_need_one_that_the_extractor_takes(corpus, tmp_path, capsys):
    assert extract(corpus, "video", tmp_path / "out", "tests.own_extractors.Brightness", "rows=7") == 1
    assert "frames a second, the others have" in capsys.readouterr().err


def test_an_utterance_of_which_nothing_comes_is_a_line_of_the_ledger(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/text").write_text("a hello world\nb\nc good\n")
    arguments = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--max_lost", "0.4"]
    assert extract_text.main([*arguments, "--extractor", "tests.own_extractors.Letters"]) == 0
    assert [entry.reason for entry in read_ledger(tmp_path / "out/excluded.tsv")] == ["no_frames"]
    assert read_features(tmp_path / "out")["a"].tolist() == [[5.0], [5.0]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no_such_module.Voice"], "cannot import 'no_such_module.Voice'"),
        (["Peaks"], "cannot import 'Peaks'"),
        (["tests.own_extractors.Letters"], "is no mertk.features.modalities.AudioExtractor"),
        (["torch.nn.Linear"], "is no mertk.features.modalities.AudioExtractor"),
        (["tests.own_extractors.Peaks", "window_sample=2"], "'window_sample'"),
        (["tests.own_extractors.Peaks", "window_samples=wide"], "--extractor.window_samples"),
        (["tests.own_extractors.Peaks", "wide"], "setting 'wide': expected key=value"),
        (["tests.own_extractors.Forgetful"], "Forgetful does not keep its argument window_samples"),
        (["SpeechStates", "layer=2"], "--extractor: SpeechStates needs weights"),
        (["SmallPictures"], "SmallPictures is no mertk.features.modalities.AudioExtractor"),
    ],
)
def test_a_fault_in_naming_it_is_one_message(corpus, tmp_path, capsys, words, told):
    assert extract(corpus, "audio", tmp_path / "out", *words) == 1
    error = capsys.readouterr().err
    assert (
        told in error and error.startswith("error: ") and error.count("error:") == 1 and not (tmp_path / "out").exists()
    )


@pytest.mark.parametrize(
    ("modality", "options"),
    [
        ("audio", ["--average", "2"]),
        ("audio", ["--weights", "wavlm"]),
        ("video", ["--side", "8"]),
        ("video", ["--rate_hz", "5"]),
        ("text", ["--weights", "bert"]),
        ("text", ["--max_tokens", "5"]),
    ],
)
def test_options_of_other_extractors_are_wrong_usage(corpus, tmp_path, modality, options):
    with pytest.raises(SystemExit) as ended:
        extract(corpus, modality, tmp_path / "out", "tests.own_extractors.Peaks", *options)
    assert ended.value.code == 2


def test_a_module_beside_the_model_is_not_imported_unasked(corpus, example, tmp_path, capsys):
    """The folder of a model is no place that modules are looked for in."""
    features = tmp_path / "loudness"
    assert extract(corpus, "audio", features, "my_voice.Loudness") == 0
    model = save_means(tmp_path / "best", corpus / "data", {"audio": {"kind": "features", "directory": str(features)}})
    shutil.move(str(example / "my_voice.py"), model / "my_voice.py")
    sys.modules.pop("my_voice")
    file = str(clip_of(corpus, "abc$_$0001"))
    trust = ["--trust", "tests.sentiment_model", "--trust", "my_voice"]
    assert predict.main(["--model", str(model), *trust, "--", file]) == 1
    assert "cannot import 'my_voice.Loudness'" in capsys.readouterr().err
