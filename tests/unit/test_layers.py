"""Several layers of a frozen encoder: kept side by side, weighed as learnt, in front of any method."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

from mertk.data.feature_record import FeatureRecord, read_record
from mertk.data.feature_store import FeatureStore
from mertk.data_prep import extract_audio, extract_text, extract_video
from mertk.encoders.layers import WeightedLayers
from mertk.errors import MertkError
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from mertk.features.layers import choose_layers, read_layers
from mertk.features.speech_states import SpeechStates
from mertk.features.text_states import TextStates
from mertk.nn.layers import WeightedSum
from tests.raw_corpus import write_bert, write_wavlm
from tests.video_corpus import read_features, write_clip

#: of WavLM in these tests
LAYERS, WIDTH = 3, 24


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory):
    return str(write_wavlm(tmp_path_factory.mktemp("weights") / "wavlm"))


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).standard_normal(7000).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory, samples):
    folder = tmp_path_factory.mktemp("data")
    for name, count in (("a", 7000), ("b", 900)):
        soundfile.write(folder / f"{name}.wav", 0.1 * samples[:count], 16000)
    (folder / "wav.scp").write_text(f"a {folder}/a.wav\nb {folder}/b.wav\n")
    (folder / "utt2dur").write_text(f"a {7000 / 16000:.5f}\nb {900 / 16000:.5f}\n")
    (folder / "text").write_text("a hello world\nb bad\n")
    return folder


def extract(data, out, wavlm, *options):
    assert extract_audio.main(["--data", str(data), "--out", str(out), "--speech", wavlm, *options]) == 0
    return read_features(out)


# Which layers


def test_layers_are_named_in_their_order_each_once():
    assert choose_layers("all", LAYERS) == ["0", "1", "2", "last"]
    assert choose_layers("1,3,last", LAYERS) == ["1", "3", "last"]
    for text in ("", "6,", "6,2", "2,2", "last,2", "-1", "all,2", "06", "first", "٣"):
        with pytest.raises(ValueError, match="expected all, or some of the numbers"):
            read_layers(text)
    with pytest.raises(MertkError, match=r"layers 1,4: the encoder has layers 1 to 3, and no 4"):
        choose_layers("1,4", LAYERS)


def test_all_layers_of_speech_are_those_of_transformers(wavlm, samples):
    from transformers import AutoModel

    normalised = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        model = AutoModel.from_pretrained(wavlm).eval()
        output = model(torch.from_numpy(normalised)[None], output_hidden_states=True)
    # Its last one is normalised in some versions and not in others.
    expected = [*output.hidden_states[:-1], output.last_hidden_state]
    extractor = SpeechStates(wavlm, "all")
    found = extractor.encode(samples)
    assert extractor.layer == "layers_0,1,2,last" and extractor.dimension == found.shape[1] == (LAYERS + 1) * WIDTH
    for number, states in enumerate(expected):
        part = found.reshape(len(found), LAYERS + 1, WIDTH)[:, number]
        np.testing.assert_allclose(part, states[0].numpy(), rtol=1e-4, atol=1e-5)


def test_each_of_several_layers_is_to_the_last_bit_what_it_is_alone(wavlm, samples):
    several = SpeechStates(wavlm, "1,3,last").encode(samples).reshape(-1, 3, WIDTH)
    for place, layer in enumerate((1, -1, None)):
        np.testing.assert_array_equal(several[:, place], SpeechStates(wavlm, layer).encode(samples))
    # Layers behind the last one that is wanted are not computed.
    assert len(SpeechStates(wavlm, "0,1").encoder.model.encoder.layers) == 1


def test_last_alone_makes_the_directory_that_no_option_makes(data, wavlm, tmp_path):
    plain, last = extract(data, tmp_path / "plain", wavlm), extract(data, tmp_path / "last", wavlm, "--layers", "last")
    assert (tmp_path / "plain/record.json").read_text() == (tmp_path / "last/record.json").read_text()
    for name in plain:
        np.testing.assert_array_equal(plain[name], last[name])
    second = extract(data, tmp_path / "second", wavlm, "--layers", "2")
    assert read_record(tmp_path / "second").layer == "layer_2" and second["a"].shape == plain["a"].shape


def test_text_and_pictures_have_layers_too(data, tmp_path, capsys):
    bert, clip = write_bert(tmp_path / "bert"), write_clip(tmp_path / "clip")
    options = ["--data", str(data), "--bert", str(bert), "--out", str(tmp_path / "tokens")]
    for name, more in (("plain", []), ("several", ["--layers", "0,2,last", "--dtype", "float16"])):
        assert extract_text.main([*options, "--embeddings", str(tmp_path / name), *more]) == 0
    record, plain, several = (
        read_record(tmp_path / "several"),
        *map(read_features, (tmp_path / "plain", tmp_path / "several")),
    )
    assert (record.layer, record.num_layers, record.dtype) == ("layers_0,2,last", 3, "float16")
    layers = several["a"].reshape(len(plain["a"]), 3, -1)
    np.testing.assert_allclose(layers[:, 2], plain["a"], rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(layers[:, 1], layers[:, 2])  # BERT normalises each layer at its end
    assert TextStates.from_record(record).record().dimension == record.dimension
    with pytest.raises(SystemExit):
        extract_text.main([*options, "--layers", "all"])
    assert "--layers and --dtype go with --embeddings" in capsys.readouterr().err

    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 30, 3), dtype=np.uint8)
    alone = [ClipFrameEncoder(clip, output).encode_whole(frames) for output in ("hidden_0", "hidden_1", "penultimate")]
    encoder = ClipFrameEncoder(clip, "layers_0,1,last")
    np.testing.assert_array_equal(encoder.encode_whole(frames), np.concatenate(alone, axis=1))
    record = encoder.record()
    assert record.num_layers == 3 and ClipFrameEncoder.from_record(record).record() == record
    assert (
        ClipFrameEncoder(clip, "layers_all").layer.startswith("layers_0,1,") and encoder.dimension == record.dimension
    )


@pytest.mark.parametrize(
    ("program", "words", "told"),
    [
        (extract_audio, ["--layers", "all"], "--layer and --layers go with --speech"),
        (extract_audio, ["--speech", "w", "--layers", "2", "--layer", "1"], "--layer and --layers: give one"),
        (extract_audio, ["--speech", "w", "--layers", "3,1"], "'3,1': expected all, or some of the numbers"),
        (extract_audio, ["--extractor", "my.Own", "--layers", "all"], "--layers: the arguments of an --extractor"),
        (extract_video, ["--side", "9", "--layers", "all"], "--layers and --precision go with --clip"),
        (extract_video, ["--clip", "w", "--output", "projected", "--layers", "all"], "--output and --layers: give one"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(program, words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(["--data", "none", "--out", "none", *words])
    assert ended.value.code == 2 and told in capsys.readouterr().err


@pytest.mark.parametrize("program", [extract_audio, extract_video])
def test_precisions_have_short_names_in_every_program(program, capsys):
    given = ["--data", "none", "--out", "none", "--encoder", "w", "--precision"]
    assert program.parse_arguments([*given, "bf16"]).precision == "bfloat16"
    with pytest.raises(SystemExit):
        program.parse_arguments([*given, "half"])
    assert "got 'half', expected float32 or bfloat16" in capsys.readouterr().err


# On disk


def test_float16_halves_the_cache_and_keeps_three_digits(data, wavlm, tmp_path, capsys):
    whole = extract(data, tmp_path / "whole", wavlm, "--layers", "all")
    half = extract(data, tmp_path / "half", wavlm, "--layers", "all", "--dtype", "float16")
    told = capsys.readouterr().out
    assert "2 utterances, 4 x 24 values a frame, " in told
    sizes = [sum(path.stat().st_size for path in (tmp_path / name).glob("*.bin")) for name in ("whole", "half")]
    assert f"{sizes[1] / 1e3:.1f} kB" in told and sizes[1] < 0.6 * sizes[0]
    for name in whole:
        assert half[name].dtype == np.float16
        np.testing.assert_array_equal(half[name], whole[name].astype(np.float16))
        np.testing.assert_allclose(half[name], whole[name], rtol=2**-10, atol=1e-6)


def test_the_size_is_told_beforehand_where_it_is_much(data, wavlm, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mertk.features.extraction.WORTH_TELLING_BYTES", 1)
    extract(data, tmp_path / "out", wavlm, "--layers", "all", "--dtype", "float16", "--max_seconds", "0.4")
    seconds = 0.4 + 900 / 16000
    assert f"; about {seconds * 50 * 4 * 24 * 2 / 1e3:.1f} kB\n" in capsys.readouterr().out


def test_other_layers_are_not_mixed_with_those_that_are_there(data, wavlm, tmp_path, capsys):
    extract(data, tmp_path, wavlm, "--layers", "1,2")
    arguments = ["--data", str(data), "--out", str(tmp_path), "--speech", wavlm, "--layers", "1,3"]
    assert extract_audio.main(arguments) == 1
    told = capsys.readouterr().err
    assert "holds features of another kind" in told and "'layers_1,2'" in told and "'layers_1,3'" in told


def test_a_record_whose_width_is_not_that_of_its_layers_is_refused(data, wavlm, tmp_path):
    extract(data, tmp_path, wavlm, "--layers", "1,2")
    path = tmp_path / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layer": "layers_1,2,3,last,5"}))
    with pytest.raises(MertkError, match="48 values a frame cannot be those of 5 layers"):
        FeatureStore(tmp_path)


def test_records_of_before_have_one_layer():
    assert FeatureRecord("audio", "a", "b", "c", "all", None, 4).num_layers == 1


# Weights


def test_weights_begin_equal_sum_to_one_and_find_the_layer_that_tells():
    torch.manual_seed(0)
    weighting = WeightedSum(4)
    assert weighting.weights.tolist() == [0.25] * 4
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.1)
    layers = torch.randn(64, 4, 5)
    for _ in range(100):
        loss = (weighting(layers) - layers[:, 2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert weighting.weights.sum().item() == pytest.approx(1, abs=1e-6) and weighting.weights.min() > 0
    assert weighting.weights[2] > 0.9


def test_the_sum_is_that_of_the_weights_and_a_norm_evens_out_loud_layers():
    layers = torch.randn(2, 7, 3, 5) * torch.tensor([1.0, 100.0, 1e-2])[:, None]
    weighting = WeightedSum(3)
    weighting.scores.data = torch.tensor([0.3, -1.0, 2.0])
    expected = sum(weight * layers[:, :, place] for place, weight in enumerate(weighting.weights))
    torch.testing.assert_close(weighting(layers), expected)
    evened = WeightedSum(3, layer_norm=True)(layers)
    assert 0.3 < evened.std() < 1 and torch.isfinite(WeightedSum(3, layer_norm=True)(torch.zeros(1, 3, 5))).all()


@pytest.mark.parametrize("layer_norm", [False, True])
def test_neither_padding_nor_company_changes_a_frame(layer_norm):
    encoder = WeightedLayers(12, 3, layer_norm)
    encoder.weighting.scores.data = torch.tensor([0.3, -1.0, 2.0])
    frames = torch.randn(3, 9, 12)
    lengths = torch.tensor([9, 4, 1])
    frames[1, 4:] = frames[2, 1:] = float("nan")
    found, same = encoder(frames, lengths)
    assert same is lengths and found.shape == (3, 9, 4) and encoder.output_dim == 4
    for row, length in zip(range(3), lengths.tolist(), strict=True):
        alone, _ = encoder(frames[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(found[row, :length], alone[0], rtol=1e-6, atol=1e-6)


def test_the_mean_may_be_mapped_to_another_width():
    encoder = WeightedLayers(12, 3, dimension=2)
    frames, lengths = torch.randn(1, 4, 12), torch.tensor([4])
    expected = encoder.projection(encoder.weighting(frames.unflatten(2, (3, 4))))
    assert encoder.output_dim == 2 and torch.equal(encoder(frames, lengths)[0], expected)


def test_what_does_not_fit_is_refused():
    with pytest.raises(MertkError, match="takes features, and its modality has none"):
        WeightedLayers()
    with pytest.raises(MertkError, match="num_layers: got 5, but a frame has 12 values"):
        WeightedLayers(12, 5)
    with pytest.raises(MertkError, match=r"features of 8 values a frame, expected 3 layers of 4 \(12\)"):
        WeightedLayers(12, 3)(torch.zeros(1, 2, 8), torch.tensor([2]))
