"""Every family of pretrained encoders: padding and company change nothing, and states are those of transformers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mertk.data.feature_store import read_record
from mertk.data_prep import extract_text, extract_video
from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.language_model import LanguageModelEncoder
from mertk.encoders.loading import load_pretrained
from mertk.encoders.picture_families import FAMILIES as PICTURES
from mertk.encoders.speech_families import FAMILIES as SPEECH
from mertk.encoders.text import PretrainedTextEncoder
from mertk.encoders.text_families import FAMILIES as TEXTS
from mertk.encoders.text_families import is_language_model
from mertk.errors import MertkError
from mertk.features.picture_extractors import open_extractor
from mertk.features.speech_states import SpeechStates
from mertk.features.text_states import TextStates
from mertk.features.tokenizer import Tokenizer
from mertk.nn.exporting import exporting
from tests.tiny_encoders import AUDIO, LANGUAGE_MODELS, NUM_TOKENS, SIDE, TEXT, write_encoder
from tests.video_corpus import RATE, read_features, write_corpus

#: samples: two windows of Whisper and a part, an odd number of mel frames, less than a frame
LENGTHS = (37000, 9160, 150)
TEXT_LENGTHS = (9, 4, 1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Weights of a family, written once."""
    written = {}

    def get(kind: str):
        if kind not in written:
            written[kind] = write_encoder(tmp_path_factory.mktemp(kind), kind)
        return written[kind]

    return get


@pytest.fixture(scope="module")
def speech():
    random = torch.Generator().manual_seed(5)
    return 0.1 * torch.randn(len(LENGTHS), max(LENGTHS) + 700, generator=random), torch.tensor(LENGTHS)


@pytest.fixture(scope="module")
def tokens():
    random = torch.Generator().manual_seed(6)
    ids = torch.randint(5, NUM_TOKENS, (len(TEXT_LENGTHS), max(TEXT_LENGTHS)), generator=random)
    lengths = torch.tensor(TEXT_LENGTHS)
    ids[torch.arange(ids.shape[1]) >= lengths[:, None]] = 0
    return torch.stack([ids, torch.zeros_like(ids)], dim=2), lengths


def transformers_model(folder):
    from transformers import AutoModel

    return load_pretrained(AutoModel, folder, dtype=torch.float32)[0].eval()


def open_text(kind, folder):
    return (LanguageModelEncoder if kind in LANGUAGE_MODELS else PretrainedTextEncoder)(str(folder(kind))).eval()


def encoder_and_batch(kind, folder, speech, tokens):
    if kind in AUDIO:
        return PretrainedAudioEncoder(str(folder(kind))).eval(), *speech
    return open_text(kind, folder), *tokens


@pytest.mark.parametrize("kind", [*AUDIO, *TEXT, *LANGUAGE_MODELS])
def test_padding_and_company_change_nothing(kind, folder, speech, tokens):
    encoder, batch, lengths = encoder_and_batch(kind, folder, speech, tokens)
    with torch.inference_mode():
        states, counts = encoder(batch, lengths)
        assert counts.min() == 1 and counts.max() <= states.shape[1]
        for row, (length, count) in enumerate(zip(lengths.tolist(), counts.tolist(), strict=True)):
            alone, own = encoder(batch[row : row + 1, :length], lengths[row : row + 1])
            assert own.tolist() == [count] and alone.shape == (1, count, encoder.output_dim)
            torch.testing.assert_close(states[row, :count], alone[0], rtol=1e-4, atol=2e-5)
    if kind in LANGUAGE_MODELS:
        assert not states[1, counts[1] :].any()


@pytest.mark.parametrize("kind", AUDIO)
def test_sound_is_encoded_as_transformers_does_it(kind, folder, speech):
    from transformers import AutoFeatureExtractor

    samples = speech[0][1, :9160]
    extractor = AutoFeatureExtractor.from_pretrained(folder(kind))
    given = extractor(samples.numpy(), sampling_rate=16000, return_tensors="pt")
    model = transformers_model(folder(kind))
    model = model.encoder if kind == "whisper" else model
    with torch.inference_mode():
        states, lengths = PretrainedAudioEncoder(str(folder(kind))).eval()(samples[None], torch.tensor([9160]))
        expected = model(**given).last_hidden_state[0, : int(lengths[0])]
    # Of mel frames, those of transformers are computed in 64 bits.
    torch.testing.assert_close(states[0], expected, rtol=1e-3, atol=2e-4)
    assert len(expected) == 9160 // 320 + {"whisper": 1}.get(kind, -1 if kind == "wav2vec2-bert" else 0)


def test_a_recording_longer_than_a_window_of_whisper_is_encoded_window_by_window(folder, speech):
    encoder = PretrainedAudioEncoder(str(folder("whisper"))).eval()
    samples = speech[0][:1, :37000]
    with torch.inference_mode():
        whole, _ = encoder(samples, torch.tensor([37000]))
        parts = [encoder(part, torch.tensor([part.shape[1]]))[0] for part in samples.split(16000, dim=1)]
    assert [part.shape[1] for part in parts] == [50, 50, 16]
    torch.testing.assert_close(whole, torch.cat(parts, dim=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", AUDIO)
def test_what_is_trained_of_an_encoder_of_sound_has_gradients_and_is_built_again(kind, folder, speech, tmp_path):
    encoder = PretrainedAudioEncoder(str(folder(kind)), gradient_checkpointing=True).train()
    torch.manual_seed(0)
    encoder(*speech)[0].sum().backward()
    assert [name for name, value in encoder.named_parameters() if value.requires_grad and value.grad is None] == []
    encoder.eval().save_architecture(tmp_path)
    again = PretrainedAudioEncoder(str(tmp_path), random_weights=True).eval()
    again.load_state_dict(encoder.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(*speech)[0], encoder(*speech)[0])


@pytest.mark.parametrize("kind", AUDIO)
def test_layers_that_are_not_trained_give_the_same_each_time(kind, speech, tmp_path):
    folder = write_encoder(tmp_path, kind, **{"dropout" if kind == "whisper" else "hidden_dropout": 0.5})
    encoder = PretrainedAudioEncoder(str(folder), trained_layers=1, spec_augment=None if kind == "whisper" else False)
    entered = []
    encoder.train().layers[1].register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    first, second = (encoder(*speech)[0] for _ in range(2))
    assert torch.equal(*entered) and not torch.equal(first, second)
    above = encoder.layers_above()
    assert {above[name] for name, value in encoder.named_parameters() if value.requires_grad} == {0}
    with pytest.raises(MertkError, match="layerdrop skips layers that are not trained"):
        PretrainedAudioEncoder(str(folder), trained_layers=1, layerdrop=0.1)


@pytest.mark.parametrize("kind", ["data2vec-audio", "wav2vec2-bert", "whisper"])
def test_operators_that_are_written_down_give_the_same(kind, folder, speech):
    encoder = PretrainedAudioEncoder(str(folder(kind))).eval()
    with torch.inference_mode():
        expected, lengths = encoder(*speech)
        with exporting():
            found, _ = encoder(*speech)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(found[row, :length], expected[row, :length], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", AUDIO)
def test_layers_of_sound_stand_side_by_side(kind, folder, speech):
    samples = speech[0][0, :37000].numpy()
    several, alone = SpeechStates(str(folder(kind)), "0,1,last"), SpeechStates(str(folder(kind)), 1)
    features = several.encode(samples)
    assert features.shape == (alone.encode(samples).shape[0], 48) and several.rate_hz == 50.0
    np.testing.assert_array_equal(features[:, 16:32], alone.encode(samples))
    np.testing.assert_array_equal(features[:, 32:], SpeechStates(str(folder(kind))).encode(samples))
    assert SpeechStates.from_record(several.record()).record() == several.record()


@pytest.mark.parametrize("kind", [*TEXT, *LANGUAGE_MODELS])
def test_texts_are_encoded_as_transformers_does_it(kind, folder):
    from transformers import AutoTokenizer

    given = AutoTokenizer.from_pretrained(folder(kind))("good day", return_tensors="pt")
    extractor = TextStates(str(folder(kind)), 20, layer="0,last")
    features = extractor.encode("good day")
    with torch.inference_mode():
        expected = transformers_model(folder(kind))(input_ids=given["input_ids"]).last_hidden_state[0]
    np.testing.assert_allclose(features[:, 16:], expected.numpy(), rtol=1e-4, atol=1e-5)
    assert extractor.encode("").shape[0] == (1 if kind in LANGUAGE_MODELS else 2)
    assert len(TextStates(str(folder(kind)), 4).encode("good day")) == 4
    record = extractor.record()
    assert TextStates.from_record(record).record() == record and record.options.keys() == {
        "vocabulary",
        "max_tokens",
        "sequence_length",
    }


@pytest.mark.parametrize("kind", TEXT)
def test_layers_of_text_are_those_of_transformers(kind, folder):
    extractor = TextStates(str(folder(kind)), 20, layer="0,1,2,last")
    tokens = torch.from_numpy(extractor.tokenizer.encode("good day")[None, :, 0]).long()
    with torch.inference_mode():
        found = transformers_model(folder(kind))(input_ids=tokens, output_hidden_states=True)
    expected = torch.cat([*found.hidden_states, found.last_hidden_state], dim=2)[0]
    np.testing.assert_allclose(extractor.encode("good day"), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LANGUAGE_MODELS)
def test_the_last_token_of_a_language_model_can_stand_for_a_text(kind, folder):
    extractor = TextStates(str(folder(kind)), 20, last_token=True)
    found = extractor.encode("good day")
    np.testing.assert_array_equal(found, TextStates(str(folder(kind)), 20).encode("good day")[-1:])
    record = extractor.record()
    assert record.options["last_token"] is True and TextStates.from_record(record).encode("x").shape == (1, 16)
    assert not np.allclose(found, extractor.encode("bad day"), atol=1e-3)  # it has read what stands before


def test_roberta_has_two_positions_less_than_it_says(folder):
    encoder = PretrainedTextEncoder(str(folder("roberta")))
    assert encoder.num_positions == 22
    encoder(torch.full((1, 22, 2), 7) * torch.tensor([1, 0]), torch.tensor([22]))
    with pytest.raises(MertkError, match="text of 23 tokens, but the text encoder has 22 positions"):
        encoder(torch.zeros(1, 23, 2, dtype=torch.int64), torch.tensor([23]))


def test_a_language_model_stays_as_it_is_and_knows_its_limits(folder, tokens, tmp_path):
    encoder = LanguageModelEncoder(str(folder("gpt2"))).train()
    assert torch.equal(encoder(*tokens)[0], encoder(*tokens)[0])  # no dropout
    assert not any(value.requires_grad for value in encoder.parameters())
    encoder.save_architecture(tmp_path)
    again = LanguageModelEncoder(str(tmp_path), random_weights=True)
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again(*tokens)[0], encoder(*tokens)[0])
    with pytest.raises(MertkError, match=f"token id {NUM_TOKENS}, but the language model knows {NUM_TOKENS}"):
        encoder(torch.full((1, 3, 2), NUM_TOKENS), torch.tensor([3]))
    with pytest.raises(MertkError, match="30 tokens, but the language model has 24 positions"):
        encoder(torch.zeros(1, 30, 2, dtype=torch.int64), torch.tensor([30]))


@pytest.mark.parametrize(
    ("kind", "output", "width"),
    [
        ("clip", None, 12),
        ("siglip", None, 16),
        ("siglip", "penultimate", 16),
        ("dinov2", None, 16),
        ("dinov2", "hidden_-1", 16),
        ("vit", None, 16),
        ("videomae", None, 16),
        ("videomae", "layers_0,1,last", 48),
        ("videomae", "clips", 16),
    ],
)
def test_pictures_are_encoded_alike_in_any_batch_and_by_the_record(kind, output, width, folder):
    frames = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE, 3)).astype(np.uint8)
    extractor = open_extractor(folder(kind), output)
    together = extractor.encode(frames)
    rows = {"tubelets": 5, "clips": 3}.get(extractor.output, 5 if kind == "videomae" else 9)
    assert together.shape == (rows, width) and extractor.dimension == width
    apart = open_extractor(folder(kind), output, 6.0, None, 1).encode(frames)
    np.testing.assert_allclose(apart, together, rtol=1e-4, atol=1e-5)
    record = extractor.record()
    assert type(extractor).from_record(record).record() == record


def test_a_picture_of_siglip_is_that_of_transformers(folder):
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3)).astype(np.uint8)
    extractor = open_extractor(folder("siglip"))
    with torch.inference_mode():
        pixels = extractor.preprocessing(torch.from_numpy(frames))
        expected = transformers_model(folder("siglip"))(pixel_values=pixels).pooler_output
    np.testing.assert_allclose(extractor.encode_whole(frames), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_clips_are_those_of_transformers_and_a_last_one_that_is_not_full_is_filled_up(folder):
    frames = np.random.default_rng(0).integers(0, 256, (7, SIDE, SIDE, 3)).astype(np.uint8)
    extractor = open_extractor(folder("videomae"), None, 6.0, 8.0)
    assert extractor.record().rate_hz == 4.0  # a row for two frames
    filled = np.concatenate([frames, frames[-1:]])
    with torch.inference_mode():
        pixels = extractor.preprocessing.normalize(torch.from_numpy(filled)).unflatten(0, (2, 4))
        states = transformers_model(folder("videomae"))(pixel_values=pixels).last_hidden_state
    expected = states.unflatten(1, (2, -1)).mean(dim=2)
    np.testing.assert_allclose(extractor.encode(frames), expected.flatten(0, 1).numpy(), rtol=1e-4, atol=1e-5)
    clips = open_extractor(folder("videomae"), "clips").encode(frames[:5])
    np.testing.assert_allclose(clips[0], expected[0].mean(dim=0).numpy(), rtol=1e-4, atol=1e-5)
    assert len(clips) == 2 and len(extractor.encode(frames[:1])) == 1


def test_a_record_of_clips_takes_videos_at_the_rate_of_the_frames(folder):
    extractor = open_extractor(folder("videomae"))
    extractor.corpus_rate_hz = 30.0
    record = extractor.record()
    assert (record.rate_hz, record.extractor) == (15.0, "VideoStates")
    assert type(extractor).from_record(record).corpus_rate_hz == 30.0


def refusal(make) -> str:
    with pytest.raises(MertkError) as told:
        make()
    return str(told.value)


def test_what_is_of_no_family_is_refused_with_the_families(folder, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    ways = {
        PretrainedAudioEncoder: SPEECH,
        PretrainedTextEncoder: TEXTS,
        LanguageModelEncoder: ["gpt2", "llama"],
        open_extractor: PICTURES,
    }
    for way, known in ways.items():
        told = refusal(lambda way=way: way(str(tmp_path)))
        assert "model_type 't5'" in told and all(name in told for name in known)
    assert "mertk extract text --embeddings" in refusal(lambda: PretrainedTextEncoder(str(folder("gpt2"))))
    assert "no language model" in refusal(lambda: TextStates(str(folder("roberta")), last_token=True))
    assert "VideoMAE, whose features VideoStates makes" in refusal(
        lambda: type(open_extractor(folder("siglip")))(folder("videomae"))
    )
    assert f"'projected' is unknown to {folder('dinov2')}; expected penultimate" in refusal(
        lambda: open_extractor(folder("dinov2"), "projected")
    )


def test_of_several_encoders_it_is_told_which_has_no_such_layer(folder):
    speech, text, pictures = folder("whisper"), folder("roberta"), folder("videomae")
    for make, weights in (
        (lambda: SpeechStates(str(speech), 3), speech),
        (lambda: SpeechStates(str(speech), "1,3"), speech),
        (lambda: TextStates(str(text), 20, layer="3"), text),
        (lambda: open_extractor(pictures, "layers_3,last"), pictures),
        (lambda: open_extractor(pictures, "hidden_3"), pictures),
    ):
        assert f"{weights} has layers" in refusal(make)


@pytest.mark.parametrize(
    ("kind", "file", "changes", "options", "message"),
    [
        ("whisper", "preprocessor_config", {"feature_size": 128}, {}, "feature_size is 128, expected 80"),
        ("whisper", "config", {}, {"normalize": True}, "normalised in its own way"),
        ("whisper", "config", {}, {"spec_augment": True}, "whose frames are not hidden"),
        ("wav2vec2-bert", "preprocessor_config", {"stride": 4}, {}, "stride is 4, expected 2"),
        ("wav2vec2-bert", "preprocessor_config", {"sampling_rate": 8000}, {}, "sampling_rate is 8000, expected 16000"),
        ("wav2vec2-bert", "config", {"add_adapter": True}, {}, "with an adapter is no encoder"),
        ("data2vec-audio", "config", {"add_adapter": True}, {}, "with an adapter is no encoder"),
        ("hubert", "config", {"intermediate_size": 30}, {}, "(tensors of other sizes than config.json describes)"),
    ],
)
def test_what_an_encoder_of_sound_cannot_do_is_said(kind, file, changes, options, message, folder, tmp_path):
    for path in folder(kind).iterdir():
        (tmp_path / path.name).symlink_to(path)
    path = tmp_path / f"{file}.json"
    content = json.loads(path.read_text()) | changes
    path.unlink()
    path.write_text(json.dumps(content))
    assert message in refusal(lambda: PretrainedAudioEncoder(str(tmp_path), **options))


def test_tokens_of_any_tokenizer_keep_what_stands_behind(folder):
    for kind in TEXT:
        cut = Tokenizer(folder(kind), 4)
        whole = cut.whole("good day")
        assert cut.encode("good day").tolist() == [*whole[:3].tolist(), whole[-1].tolist()]
    for kind in LANGUAGE_MODELS:
        cut = Tokenizer(folder(kind), 4)
        assert cut.encode("good day").tolist() == cut.whole("good day")[:4].tolist()
        assert len(cut.encode("")) == 1


def test_language_models_are_those_without_an_encoder():
    kinds = {"gpt2": True, "llama": True, "gemma2": True, "opt": True, "bert": False, "roberta": False, "bart": False}
    kinds |= {"xlnet": False, "bert-generation": False}
    assert {kind: is_language_model({"model_type": kind}) for kind in kinds} == kinds


def test_a_model_of_more_than_text_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": {"vocab_size": 4}}))
    assert "gemma3 reads more than text" in refusal(lambda: LanguageModelEncoder(str(tmp_path)))


def test_a_corpus_of_videos_is_extracted_in_rows_of_two_frames(folder, tmp_path):
    data = write_corpus(tmp_path / "data", only={"s0", "t1"})
    options = ["--data", str(data), "--encoder", str(folder("videomae")), "--out", str(data / "movement")]
    assert extract_video.main(options) == 0
    record, features = read_record(data / "movement"), read_features(data / "movement")
    assert record.rate_hz == pytest.approx(float(RATE) / 2) and record.layer == "tubelets"
    assert {len(rows) for rows in features.values()} == {1, len(features["t1"])}  # s0 has two frames


def test_a_corpus_of_texts_is_extracted_to_vectors_of_a_language_model(folder, tmp_path):
    (tmp_path / "text").write_text("a good day\nb\n", encoding="utf-8")
    options = ["--data", str(tmp_path), "--encoder", str(folder("qwen2")), "--out", str(tmp_path / "tokens")]
    with pytest.raises(SystemExit):
        extract_text.main([*options, "--last_token"])
    assert extract_text.main([*options, "--embeddings", str(tmp_path / "vectors"), "--last_token"]) == 0
    vectors = read_features(tmp_path / "vectors")
    assert vectors["a"].shape == vectors["b"].shape == (1, 16)
    assert read_features(tmp_path / "tokens")["b"].tolist() == [[0, 0]]


def test_an_encoder_that_will_not_do_leaves_no_features_behind(folder, tmp_path, capsys):
    (tmp_path / "text").write_text("a good day\nb\n", encoding="utf-8")
    options = ["--data", str(tmp_path), "--encoder", str(folder("roberta")), "--out", str(tmp_path / "tokens")]
    for wrong, told in (["--last_token"], "no language model"), (["--layers", "99"], "99"):
        assert extract_text.main([*options, "--embeddings", str(tmp_path / "vectors"), *wrong]) == 1
        assert told in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["text"]
