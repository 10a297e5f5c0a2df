"""Features of the voice: what librosa and transformers compute themselves, for clips of any length, made once."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import soundfile
import torch

from mertk.data.averaging import average_frames
from mertk.data.feature_store import FeatureWriter, read_record
from mertk.data.ledger import read_ledger
from mertk.data.waveform import read_waveform
from mertk.data_prep import extract_audio
from mertk.errors import MertkError
from mertk.features.librosa_features import LibrosaFeatures
from mertk.features.speech_states import SpeechStates
from tests.raw_corpus import write_wavlm
from tests.video_corpus import read_features

#: seconds, by utterance; the shortest is a single sample
SECONDS = {"a": 1.3, "b": 0.31, "c": 0.005, "d": 1 / 16000, "e": 0.7}


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory):
    return write_wavlm(tmp_path_factory.mktemp("weights") / "wavlm")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, seconds in SECONDS.items():
        count = round(seconds * 16000)
        tone = np.sin(np.arange(count) * 2 * np.pi * 440 / 16000)
        soundfile.write(tmp_path / f"{name}.wav", 0.3 * tone + 0.05 * random.standard_normal(count), 16000)
    (folder / "wav.scp").write_text("".join(f"{name} {tmp_path / name}.wav\n" for name in SECONDS))
    (folder / "utt2dur").write_text("".join(f"{name} {seconds:.5f}\n" for name, seconds in SECONDS.items()))
    return folder


def run(data, *options, out="audio"):
    return extract_audio.main(["--data", str(data), "--out", str(data / out), *options])


def samples_of(data, name, rate=16000):
    return read_waveform(data.parent / f"{name}.wav", name, rate)


def test_librosa_features_are_librosas_own(data):
    assert run(data) == 0
    features = read_features(data / "audio")
    assert features.keys() == SECONDS.keys()
    for name in SECONDS:
        samples = samples_of(data, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            crossings = librosa.feature.zero_crossing_rate(samples)
            cepstra = librosa.feature.mfcc(y=samples, sr=16000, n_mfcc=20, htk=True)
            chroma = librosa.feature.chroma_cqt(y=samples, sr=16000)
        assert features[name].shape == (1 + len(samples) // 512, 33)
        np.testing.assert_allclose(features[name].T, np.concatenate([crossings, cepstra, chroma]), rtol=1e-5, atol=1e-5)
    record = read_record(data / "audio")
    assert (record.extractor, record.rate_hz, record.dimension) == ("LibrosaFeatures", 31.25, 33)
    assert record.options == {"sample_rate_hz": 16000, "average": 1}
    assert record.weights_fingerprint.startswith("librosa 0.")


def test_silence_has_features():
    features = LibrosaFeatures().encode(np.zeros(16000, dtype=np.float32))
    assert features.shape == (32, 33) and np.isfinite(features).all()


def test_sample_rate_average_and_length_are_options(data):
    assert run(data, "--sample_rate_hz", "22050", "--average", "4", "--max_seconds", "0.5", "--dtype", "float16") == 0
    features = read_features(data / "audio")
    whole = LibrosaFeatures(22050).encode(read_waveform(data.parent / "a.wav", "a", 22050, 0.5))
    assert len(whole) == 22 and features["a"].shape == (6, 33)
    expected = [whole[start : start + 4].mean(axis=0) for start in range(0, 22, 4)]
    np.testing.assert_allclose(features["a"], np.array(expected), rtol=2e-3)
    record = read_record(data / "audio")
    assert record.rate_hz == pytest.approx(22050 / 512 / 4) and record.options["max_seconds"] == 0.5


@pytest.mark.parametrize("layer", [None, 1, 2, -1])
def test_hidden_states_are_those_of_the_encoder_alone(data, wavlm, layer):
    from transformers import AutoModel

    options = [] if layer is None else ["--layer", str(layer)]
    assert run(data, "--weights", str(wavlm), *options) == 0
    model = AutoModel.from_pretrained(wavlm).eval()
    for name, features in read_features(data / "audio").items():
        samples = samples_of(data, name)
        samples = np.pad((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7), (0, max(400 - len(samples), 0)))
        caught = []
        number = -1 if layer is None else layer - 1 if layer > 0 else layer
        hook = model.encoder.layers[number].register_forward_hook(lambda *given, to=caught: to.append(given[2]))
        with torch.inference_mode():
            final = model(torch.from_numpy(samples)[None]).last_hidden_state[0]
        hook.remove()
        expected = final if layer is None else (caught[0][0] if isinstance(caught[0], tuple) else caught[0])[0]
        np.testing.assert_allclose(features, expected.numpy(), rtol=1e-4, atol=1e-5)
    record = read_record(data / "audio")
    assert (record.extractor, record.rate_hz, record.dimension) == ("SpeechStates", 50.0, 24)
    assert record.layer == ("output" if layer is None else f"layer_{layer}")


@pytest.mark.parametrize("layer", [0, 4, -4])
def test_a_layer_that_is_not_there_is_refused(wavlm, layer):
    with pytest.raises(MertkError, match=rf"layer {layer}: .*wavlm has layers 1 to 3, or -1 to -3"):
        SpeechStates(str(wavlm), layer)


@pytest.mark.parametrize("encoder", [True, False])
def test_same_bits_with_any_number_of_threads_and_in_any_company(data, wavlm, encoder, monkeypatch):
    from mertk.processes import Processes

    options = ["--weights", str(wavlm)] if encoder else []
    monkeypatch.setattr(Processes, "num_cores", lambda self: 3)
    assert run(data, *options) == 0
    monkeypatch.setattr(Processes, "num_cores", lambda self: 1)
    (data / "utt2dur").unlink()
    lines = (data / "wav.scp").read_text().splitlines(keepends=True)
    (data / "wav.scp").write_text("".join(lines[:2]))
    assert run(data, *options, out="alone") == 0
    together = read_features(data / "audio")
    alone = read_features(data / "alone")
    assert alone.keys() == {"a", "b"}
    for name, features in alone.items():
        np.testing.assert_array_equal(features, together[name])


def test_goes_on_where_it_stopped_and_makes_again_what_has_changed(data, monkeypatch):
    class Interrupted(Exception):
        pass

    written, write = [], FeatureWriter.write

    def write_two(self, *given):
        if len(self.finished) == 2:
            raise Interrupted
        write(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureWriter, "write", write_two)
        with pytest.raises(Interrupted):
            run(data)
    assert not (data / "audio" / "features.scp").exists()
    monkeypatch.setattr(FeatureWriter, "write", lambda self, *given: (written.append(given[0]), write(self, *given)))
    assert run(data) == 0
    assert len(written) == 3
    written.clear()
    soundfile.write(data.parent / "e.wav", np.zeros(12000), 16000)
    assert run(data) == 0
    assert written == ["e"]


def test_unusable_sound_goes_to_the_ledger_until_too_much_is_lost(data, capsys):
    (data.parent / "a.wav").unlink()
    (data.parent / "b.wav").write_bytes(b"no sound")
    soundfile.write(data.parent / "e.wav", np.zeros(1600), 16000)
    soundfile.write(data.parent / "c.wav", np.array([np.nan, 0.0] * 40), 16000, subtype="FLOAT")
    assert run(data) == 1
    assert "4 of 5 utterances" in capsys.readouterr().err
    assert run(data, "--max_lost", "0.8") == 0
    reasons = {entry.utterance: entry.reason for entry in read_ledger(data / "audio" / "excluded.tsv")}
    assert reasons == {"a": "no_audio", "b": "unreadable_audio", "c": "unreadable_audio", "e": "truncated_audio"}
    assert set(read_features(data / "audio")) == {"d"}


def test_other_features_are_refused_unless_overwritten(data, wavlm, capsys):
    assert run(data) == 0
    assert run(data, "--average", "2") == 1
    assert "options.average: 2 here, 1 there" in capsys.readouterr().err
    assert run(data, "--weights", str(wavlm), "--overwrite") == 0
    assert read_features(data / "audio")["a"].shape == (64, 24)


@pytest.mark.parametrize(
    "options",
    [["--layer", "2"], ["--weights", "w", "--extractor", "librosa"], ["--average", "0"], ["--max_seconds", "x"]],
)
def test_options_that_do_not_go_together_are_wrong_usage(data, options):
    with pytest.raises(SystemExit) as ended:
        run(data, *options)
    assert ended.value.code == 2


def test_the_last_group_of_an_average_may_be_shorter():
    frames = np.arange(14, dtype=np.float32).reshape(7, 2)
    np.testing.assert_array_equal(average_frames(frames, 5), [[4, 5], [11, 12]])
    np.testing.assert_array_equal(average_frames(frames, 100), [[6, 7]])
    assert average_frames(frames, 1) is frames and average_frames(frames, 2).dtype == np.float32
