"""What of a pretrained encoder is trained: all, the last layers, adapters. Weights are random, of every family."""

from __future__ import annotations

import sys
import warnings

import pytest
import torch

from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.depth import measure_depth
from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.encoders.lora import find_targets
from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError
from tests.unit.test_audio_encoder import KINDS, write_weights
from tests.unit.test_text_encoder import SIZE, tokens_of

LAYERS = 3
PICTURES = {"image_size": 8, "patch_size": 4}
SPEECH = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
#: by the class of transformers, what makes it small, and what it is given
FAMILIES = {
    "Wav2Vec2Model": (SPEECH, "input_values"),
    "HubertModel": (SPEECH, "input_values"),
    "UniSpeechSatModel": (SPEECH | {"do_stable_layer_norm": True}, "input_values"),
    "WavLMModel": (SPEECH | {"do_stable_layer_norm": True}, "input_values"),
    "BertModel": ({"vocab_size": 30}, "input_ids"),
    "RobertaModel": ({"vocab_size": 30}, "input_ids"),
    "ElectraModel": ({"vocab_size": 30, "embedding_size": 8}, "input_ids"),
    "DebertaV2Model": ({"vocab_size": 30, "relative_attention": True, "norm_rel_ebd": "layer_norm"}, "input_ids"),
    "CLIPVisionModel": (PICTURES, "pixel_values"),
    "ViTModel": (PICTURES, "pixel_values"),
    "Dinov2Model": (PICTURES, "pixel_values"),
}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_family(name):
    """A model of random weights, and what a call is given."""
    import transformers

    options, given = FAMILIES[name]
    config = getattr(transformers, name.replace("Model", "Config"))(**SIZE | {"num_hidden_layers": LAYERS} | options)
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    shapes = {"input_values": torch.randn(2, 900), "pixel_values": torch.randn(2, 3, 8, 8)}
    return model, {given: shapes.get(given, torch.arange(2, 10).view(2, 4))}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_stands_before_and_behind_a_layer_is_known(name):
    model, given = make_family(name)
    depth = measure_depth(model)
    assert depth.count == LAYERS and {depth.above(one) for one, _ in model.named_parameters()} >= {0, 1, 2, 3}
    entered = []
    layer = model.get_submodule(f"{depth.prefix}{LAYERS - 1}")
    layer.register_forward_pre_hook(
        lambda _, args, kwargs: entered.append((*args, *kwargs.values())[0]), with_kwargs=True
    )
    output = model(**given)
    parameters = dict(model.named_parameters())
    find = {"allow_unused": True, "retain_graph": True}
    used = torch.autograd.grad(
        output[0].sum() + sum(one.sum() for one in output[1:2]), list(parameters.values()), **find
    )
    before = torch.autograd.grad(entered[0].square().sum(), list(parameters.values()), **find)
    for (one, _), is_used, is_before in zip(parameters.items(), used, before, strict=True):
        if is_used is not None:
            assert (depth.above(one) > 0) == (is_before is not None), one


@pytest.mark.parametrize("name", FAMILIES)
def test_query_and_value_are_known_by_every_familys_names(name):
    model, _ = make_family(name)
    depth = measure_depth(model)
    found = find_targets(model, depth)
    assert len(found) == 2 * LAYERS and all("att" in one and ("q" in one or "v" in one) for one in found)
    places = [one.removeprefix(depth.prefix) for one in found]
    assert [one for one in places if one.startswith("0.")] and not any("key" in one or "k_" in one for one in places)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Weights of each kind, and a padded batch."""
    folders = {kind: write_weights(tmp_path_factory.mktemp(kind), kind, num_hidden_layers=LAYERS) for kind in KINDS}
    random = torch.Generator().manual_seed(5)
    return folders, torch.randn(3, 4000, generator=random).to(DEVICE), torch.tensor([4000, 2500, 900], device=DEVICE)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    from transformers import BertConfig, BertModel

    path = tmp_path_factory.mktemp("bert")
    config = BertConfig(vocab_size=30, max_position_embeddings=12, **SIZE | {"num_hidden_layers": LAYERS})
    BertModel(config).save_pretrained(path)
    return path


def disturb(encoder):
    """Have the adapters do something."""
    for name, parameter in encoder.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0, 0.1)


def check_adapters(make, *batch):
    """Nothing changes at the start, every adapter learns, and merged is what it was."""
    torch.manual_seed(0)  # of rarer draws rounding alone is more than is allowed
    plain = make().requires_grad_(False).to(DEVICE).eval()
    encoder = make(lora_rank=2, lora_dropout=0.1).to(DEVICE).eval()
    before = plain(*batch)[0]
    # Weights that want gradients torch multiplies by in another order: the plain ones are held still here as well.
    assert torch.equal(encoder(*batch)[0], before)
    encoder.train()(*batch)[0].square().sum().backward()
    trained = {name: value for name, value in encoder.named_parameters() if value.requires_grad}
    assert len([name for name in trained if "lora_" in name]) == 2 * 2 * LAYERS
    assert all(value.grad is not None for value in trained.values())
    assert all(value.grad.abs().sum() > 0 for name, value in trained.items() if "lora_B" in name)
    disturb(encoder)
    unmerged = encoder.eval()(*batch)[0]
    assert (unmerged - before).abs().max() > 1e-3
    left_out = encoder.names_in_weights()
    assert not set(left_out) & set(trained) and len(left_out) + len(trained) == len(encoder.state_dict())
    encoder.merge()
    torch.testing.assert_close(encoder(*batch)[0], unmerged, rtol=1e-6, atol=1e-6)
    assert encoder.state_dict().keys() == plain.state_dict().keys() and encoder.names_in_weights() == []
    assert not any(type(module).__module__.startswith("peft") for module in encoder.modules())


@pytest.mark.parametrize("kind", ["wavlm-layer", "wavlm-group", "wav2vec2-group", "hubert-group"])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_adapters_of_speech_encoders_begin_at_nothing_and_merge(speech, kind, gradient_checkpointing):
    folders, *batch = speech

    def make(**given):
        return PretrainedAudioEncoder(str(folders[kind]), gradient_checkpointing=gradient_checkpointing, **given)

    check_adapters(make, *batch)


def test_adapters_of_text_encoders_begin_at_nothing_and_merge(bert):
    check_adapters(lambda **given: PretrainedTextEncoder(str(bert), **given), *(one.to(DEVICE) for one in TEXT))


TEXT = tokens_of([1, 5, 7, 2], [1, 9, 2])


@pytest.mark.parametrize("kind", ["wavlm-layer", "wav2vec2-group"])
def test_the_last_layers_alone_are_trained_and_those_below_give_the_same_each_time(speech, kind):
    folders, *batch = speech
    encoder = PretrainedAudioEncoder(str(folders[kind]), trained_layers=1, spec_augment=False).to(DEVICE).train()
    trained = {name for name, value in encoder.named_parameters() if value.requires_grad}
    behind = {"model.encoder.layer_norm.weight", "model.encoder.layer_norm.bias"}
    assert {name for name in trained if ".layers.2." not in name} == (behind if kind == "wavlm-layer" else set())
    entered = []
    encoder.model.encoder.layers[2].register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    first, second = encoder(*batch)[0], encoder(*batch)[0]
    assert torch.equal(*entered) and not entered[0].requires_grad
    assert not torch.equal(first, second)  # the last one has its dropout
    first.sum().backward()
    assert all(value.grad is not None for name, value in encoder.named_parameters() if name in trained)
    assert not encoder.model.encoder.layers[1].attention.training
    assert not encoder.eval().model.encoder.layers[2].training


def test_adapters_may_stand_in_the_last_layers_alone(bert):
    encoder = PretrainedTextEncoder(str(bert), trained_layers=1, lora_rank=1, lora_targets=["dense"]).train()
    trained = [name for name, value in encoder.named_parameters() if value.requires_grad]
    assert len(trained) == 2 * 3 and all(".layer.2." in name and "dense" in name for name in trained)
    assert not encoder.model.embeddings.training and encoder.model.encoder.layer[2].training


def test_with_no_layer_nothing_is_trained(bert, speech):
    for encoder in (
        PretrainedTextEncoder(str(bert), trained_layers=0, pooler=True),
        PretrainedAudioEncoder(str(speech[0]["wavlm-layer"]), trained_layers=0),
    ):
        assert not any(value.requires_grad for value in encoder.parameters())


def test_frames_are_hidden_by_what_the_weights_have(speech, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = speech[0]["wav2vec2-group"]
    adapted = PretrainedAudioEncoder(str(folder), lora_rank=1)
    assert adapted.model.masked_spec_embed.requires_grad and adapted.has_spec_augment
    partly = PretrainedAudioEncoder(str(folder), trained_layers=1)
    assert not partly.model.masked_spec_embed.requires_grad and partly.has_spec_augment
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert not PretrainedAudioEncoder(str(tmp_path), trained_layers=1).has_spec_augment
    assert "model.masked_spec_embed" not in PretrainedAudioEncoder(str(tmp_path), lora_rank=1).names_in_weights()
    with pytest.raises(MertkError, match="spec_augment is set, but the weights of .* lack"):
        PretrainedAudioEncoder(str(tmp_path), trained_layers=1, spec_augment=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"trained_layers": 4}, "trained_layers: got 4, expected 0 to 3; BertModel has 3 layers"),
        ({"trained_layers": -1}, "trained_layers: got -1"),
        ({"trained_layers": 0, "lora_rank": 2}, "trained_layers: got 0, expected 1 to 3"),
        ({"lora_alpha": 3.0}, "lora_alpha, lora_dropout and lora_targets are of adapters; give lora_rank"),
        ({"lora_rank": 0}, "lora_rank: got 0, expected more than 0"),
        ({"lora_rank": 2, "lora_dropout": 1.0}, "lora_dropout: got 1.0, expected 0 to below 1"),
        (
            {"lora_rank": 2, "lora_targets": ["query", "values"]},
            r"lora_targets: got values; the linear layers of BertModel are attention.output.dense, attention.self.key",
        ),
        ({"lora_rank": 2, "lora_targets": "values"}, "lora_targets: got values; the linear"),
        ({"lora_rank": 2, "freeze": True}, "freeze keeps all of the encoder as it is"),
    ],
)
def test_what_makes_no_sense_is_told(bert, given, told):
    with pytest.raises(MertkError, match=told):
        PretrainedTextEncoder(str(bert), **given)


def test_without_peft_it_is_told_how_to_get_it(bert, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MertkError, match=r"leave lora_rank out.*pip install .*\[lora\]"):
        PretrainedTextEncoder(str(bert), lora_rank=2)


def test_a_front_end_that_is_trained_goes_with_neither(speech):
    with pytest.raises(MertkError, match="freeze_feature_encoder: false trains all"):
        PretrainedAudioEncoder(str(speech[0]["wavlm-layer"]), freeze_feature_encoder=False, lora_rank=2)


def test_an_encoder_without_layers_has_no_last_ones():
    class Plain(FineTunedEncoder):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Linear(2, 2)
            self.choose_trained(trained_layers=1)

    with pytest.raises(MertkError, match="Linear has no list of layers with attention"):
        Plain()


def test_adapters_compile_and_compute_in_bf16(bert):
    encoder = PretrainedTextEncoder(str(bert), lora_rank=2).to(DEVICE).eval()
    disturb(encoder)
    tokens, lengths = (one.to(DEVICE) for one in TEXT)
    expected = encoder(tokens, lengths)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(encoder, backend="eager")
        torch.testing.assert_close(compiled(tokens, lengths)[0], expected)
    with torch.autocast(DEVICE.type, torch.bfloat16):
        rounded = encoder(tokens, lengths)[0]
    torch.testing.assert_close(rounded.float(), expected, rtol=0.1, atol=0.1)
    assert {value.dtype for value in encoder.parameters()} == {torch.float32}
