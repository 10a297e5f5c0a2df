"""Pretrained encoders of pictures within a model: as transformers alone, in any batch, in part, and written down."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mertk.encoders import pretrained_pictures
from mertk.encoders.frame_preprocessing import read_preprocessing
from mertk.encoders.pretrained_pictures import PretrainedPictureEncoder, choose_frames
from mertk.encoders.weights import is_miniature, read_config
from mertk.errors import MertkError
from mertk.features.colour_pictures import ColourPictures
from mertk.features.picture_extractors import open_extractor
from mertk.models.foal import FoalNet
from mertk.run.kept_pictures import tell_unlike_pictures
from tests.graphs import FEATURES, Plain, arrays_of, expected_of, saved_model, written_form
from tests.tiny_encoders import EYES, PICTURES, SIDE, write_encoder
from tests.unit.test_fine_tuning import LAYERS, check_adapters

KINDS = ("clip", "siglip", "dinov2", "vit")
OUTPUTS = [("clip", "projected"), ("clip", "penultimate"), ("siglip", "projected"), ("siglip", "penultimate")]
OUTPUTS += [("dinov2", "penultimate"), ("vit", "penultimate")]
LENGTHS = (5, 2, 1)
VALUES = 3 * SIDE**2


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    return {kind: write_encoder(folder, kind, num_hidden_layers=LAYERS) for kind, folder in made.items()}


@pytest.fixture(scope="module")
def pictures():
    """A padded batch, behind whose lengths stands something else."""
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (3, 5, VALUES)).astype(np.uint8)), torch.tensor(LENGTHS)


def transformers_states(folder, kind, output, frames):
    """What transformers alone says of pictures (N, P, P, 3), prepared by its own image processor."""
    import transformers

    pixels = (frames.permute(0, 3, 1, 2).float() / 255 - torch.tensor(PICTURES["image_mean"])[:, None, None]) / (
        torch.tensor(PICTURES["image_std"])[:, None, None]
    )
    name = {"clip": "CLIPVision", "siglip": "SiglipVision", "dinov2": "Dinov2", "vit": "ViT"}[kind] + "Model"
    projecting = (kind, output) == ("clip", "projected")
    model = getattr(transformers, f"{name}WithProjection" if projecting else name).from_pretrained(folder).eval()
    with torch.inference_mode():
        found = model(pixel_values=pixels)
    if projecting:
        return found.image_embeds
    if kind == "vit":  # its head looks at that
        return found.last_hidden_state[:, 0]
    return found.last_hidden_state.mean(dim=1) if (kind, output) == OUTPUTS[3] else found.pooler_output


@pytest.mark.parametrize(("kind", "output"), OUTPUTS)
def test_states_are_those_of_transformers_whatever_the_batch(kind, output, folders, pictures):
    frames, lengths = pictures
    encoder = PretrainedPictureEncoder(str(folders[kind]), output, frames_at_once=3).eval()
    with torch.inference_mode():
        together, same = encoder(frames, lengths)
        for row, length in enumerate(LENGTHS):
            own = frames[row, :length]
            expected = transformers_states(folders[kind], kind, output, own.view(length, SIDE, SIDE, 3))
            torch.testing.assert_close(together[row, :length], expected, rtol=1e-5, atol=1e-6)
            alone, _ = encoder(own[None], lengths[row : row + 1])
            torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-5, atol=1e-6)
            assert together[row, length:].eq(0).all()
        torch.testing.assert_close(encoder(frames.float(), lengths)[0], together)
    assert same.tolist() == list(LENGTHS) and together.shape == (3, 5, encoder.output_dim)


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_where_frozen_features_are(kind, folders):
    frames = np.random.default_rng(1).integers(0, 256, (4, 20, 24, 3)).astype(np.uint8)
    extractor, shown = open_extractor(folders[kind]), ColourPictures.as_seen_by(folders[kind])
    assert shown.preparation == extractor.preparation  # prepared once for both
    seen = shown.encode(np.stack([shown.prepare(frame) for frame in frames]))
    encoder = PretrainedPictureEncoder(str(folders[kind]), input_dim=shown.dimension).eval()
    with torch.inference_mode():
        states, _ = encoder(torch.from_numpy(seen)[None], torch.tensor([4]))
    expected = extractor.encode(np.stack([extractor.prepare(frame) for frame in frames]))
    np.testing.assert_allclose(states[0].numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_adapters_begin_at_nothing_and_merge(kind, gradient_checkpointing, folders, pictures):
    def make(**given):
        return PretrainedPictureEncoder(str(folders[kind]), gradient_checkpointing=gradient_checkpointing, **given)

    check_adapters(make, *pictures)


@pytest.mark.parametrize(("kind", "output"), OUTPUTS)
def test_all_that_is_trained_has_gradients_and_rates_fall_by_layer(kind, output, folders, pictures):
    encoder = PretrainedPictureEncoder(str(folders[kind]), output, mirror=0.5).train()
    encoder(*pictures)[0].square().sum().backward()
    trained = {name: value for name, value in encoder.named_parameters() if value.requires_grad}
    assert [name for name, value in trained.items() if value.grad is None] == []
    above = encoder.layers_above()
    assert {above[name] for name in trained} == {0, 1, 2, LAYERS}
    partly = PretrainedPictureEncoder(str(folders[kind]), output, trained_layers=1).train()
    left = {name for name, value in partly.named_parameters() if value.requires_grad}
    assert left == {name for name in trained if above[name] == 0} and len(left) < len(trained)
    still = PretrainedPictureEncoder(str(folders[kind]), output, trained_layers=0, gradient_checkpointing=True).train()
    assert not still(*pictures)[0].requires_grad


def test_of_many_frames_some_at_equal_distances_are_seen(folders, pictures):
    frames, lengths = pictures
    encoder = PretrainedPictureEncoder(str(folders["clip"]), max_frames=2).eval()
    with torch.inference_mode():
        states, kept = encoder(frames, lengths)
        whole, _ = PretrainedPictureEncoder(str(folders["clip"])).eval()(frames, lengths)
    assert kept.tolist() == [2, 2, 1] and states.shape[1] == 2
    torch.testing.assert_close(states[0], whole[0, [1, 3]])
    torch.testing.assert_close(states[1:], whole[1:, :2])
    for length in range(1, 9):
        row, count = choose_frames(torch.arange(9).view(1, 9, 1), torch.tensor([length]), 4)
        places = row[0, : int(count), 0].tolist()
        assert len(set(places)) == min(length, 4) and max(places) < length


def test_pictures_of_an_utterance_are_mirrored_together_and_only_in_training(folders, pictures):
    frames, lengths = pictures
    encoder = PretrainedPictureEncoder(str(folders["clip"]), mirror=1.0)
    mirrored = frames.unflatten(2, (SIDE, SIDE, 3)).flip(3).flatten(2)
    torch.testing.assert_close(encoder.train()(frames, lengths)[0], encoder.eval()(mirrored, lengths)[0])


@pytest.mark.parametrize("sharded", [False, True])
def test_frames_are_encoded_some_at_a_time_unless_every_process_must_call_equally_often(
    sharded, folders, pictures, monkeypatch
):
    sizes = []
    encoder = PretrainedPictureEncoder(str(folders["clip"]), frames_at_once=3).eval()
    encoder.model.register_forward_pre_hook(
        lambda _, __, given: sizes.append(len(given["pixel_values"])), with_kwargs=True
    )
    monkeypatch.setattr(pretrained_pictures, "is_sharded", lambda _: sharded)
    with torch.inference_mode():
        encoder(*pictures)
    assert sizes == ([8] if sharded else [3, 3, 2])


def test_a_whole_clip_gives_its_half_that_sees_and_is_built_again_of_its_architecture(pictures, tmp_path):
    from transformers import CLIPConfig, CLIPModel

    text = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"vocab_size": 9, "bos_token_id": 1, "eos_token_id": 2}
    config = CLIPConfig(text_config=text, vision_config=EYES | {"projection_dim": 12}, projection_dim=12)
    config.mertk_miniature = True
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(tmp_path / "whole")
    prepared = {"size": {"shortest_edge": 20}, "crop_size": SIDE, "resample": 2}
    (tmp_path / "whole/preprocessor_config.json").write_text(json.dumps(PICTURES | prepared | {"do_center_crop": True}))
    encoder = PretrainedPictureEncoder(str(tmp_path / "whole")).eval()
    assert not any("text" in name for name, _ in encoder.named_parameters()) and encoder.output_dim == 12
    (tmp_path / "saved").mkdir()
    encoder.save_architecture(tmp_path / "saved")
    assert encoder.is_miniature and is_miniature(read_config(tmp_path / "saved"))
    assert read_preprocessing(tmp_path / "saved", SIDE) == encoder.preprocessing
    again = PretrainedPictureEncoder(str(tmp_path / "saved"), random_weights=True).eval()
    again.load_state_dict(encoder.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(*pictures)[0], encoder(*pictures)[0])


@pytest.mark.parametrize("max_frames", [None, 4])
def test_it_answers_alike_where_it_is_written_down(max_frames, folders):
    model = Plain(video=PretrainedPictureEncoder(str(folders["clip"]), max_frames=max_frames))
    saved = saved_model(model, {"video": FEATURES}, facts={"video_dim": VALUES})
    arrays = arrays_of(saved, [3, 1, 9], seed=3)
    np.testing.assert_allclose(written_form(saved, arrays), expected_of(saved, arrays), rtol=0, atol=1e-5)


def test_foal_net_trains_it(folders, pictures):
    encoder = PretrainedPictureEncoder(str(folders["dinov2"]), lora_rank=1)
    model = FoalNet(3, video_encoder=encoder, audio_dim=12, projection_dim=8).train()
    batch = {"audio": torch.randn(3, 5, 12), "audio_lengths": torch.tensor([5, 4, 3])}
    batch |= dict(zip(("video", "video_lengths"), pictures, strict=True))
    batch |= {"labels": torch.tensor([0, 1, 2]), "shared_seed": 1}
    sum(model.losses(model(batch), batch).values()).backward()
    trained = [value for value in model.parameters() if value.requires_grad]
    assert all(value.grad is not None and value.grad.isfinite().all() for value in trained)


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("clip", {"output": "hidden_1"}, "output 'hidden_1' is unknown to CLIP; expected projected or penultimate"),
        ("dinov2", {"output": "projected"}, "'projected' is unknown to DINOv2; expected penultimate"),
        ("clip", {"mirror": 1.5}, "mirror: got 1.5, expected a share from 0 to 1"),
        ("clip", {"max_frames": 0}, "max_frames: got 0, expected at least 1"),
        ("clip", {"input_dim": 48}, f"pictures of 48 values, but this CLIP sees {SIDE} x {SIDE} in three colours"),
        ("clip", {"trained_layers": 4}, "trained_layers: got 4, expected 0 to 3"),
    ],
)
def test_what_makes_no_sense_is_told(kind, given, told, folders):
    with pytest.raises(MertkError, match=told):
        PretrainedPictureEncoder(str(folders[kind]), **given)


def test_a_siglip_without_head_gives_the_mean_over_its_parts_alone(pictures, tmp_path):
    from transformers import SiglipVisionConfig, SiglipVisionModel

    folder = write_encoder(tmp_path, "siglip")
    config = SiglipVisionConfig.from_pretrained(folder, vision_use_head=False)
    SiglipVisionModel(config).save_pretrained(folder)
    with pytest.raises(MertkError, match="holds a SigLIP without its head; choose the output penultimate"):
        PretrainedPictureEncoder(str(folder))
    states, _ = PretrainedPictureEncoder(str(folder), "penultimate")(*pictures)
    assert states.shape[2] == config.hidden_size


def test_pictures_that_were_made_for_another_encoder_are_told(folders, caplog):
    model = Plain(video=PretrainedPictureEncoder(str(folders["clip"])))
    seen = ColourPictures.as_seen_by(folders["clip"])
    other = ColourPictures(SIDE, SIDE + 8, True, "bilinear" if seen.filter == "bicubic" else "bicubic")
    tell_unlike_pictures(model, {"audio": None, "video": seen.record().as_dict()})
    assert not caplog.records
    tell_unlike_pictures(model, {"video": other.record().as_dict()})
    told = caplog.text
    assert f"resized {SIDE + 8}, not {seen.resized}" in told and f"filter {other.filter}, not {seen.filter}" in told


def test_what_sees_clips_is_refused(tmp_path):
    folder = str(write_encoder(tmp_path, "videomae"))
    for use in (PretrainedPictureEncoder, ColourPictures.as_seen_by):
        with pytest.raises(MertkError, match=r"holds VideoMAE, which sees clips, .* expected clip, "):
            use(folder)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"side": 4}, "side: got 4, expected at least 8"),
        ({"side": 32, "resized": 16}, "and at most 16, as it is resized"),
        ({"filter": "nearest"}, "filter: got 'nearest'"),
    ],
)
def test_pictures_that_cannot_be_made_are_told(given, told):
    with pytest.raises(MertkError, match=told):
        ColourPictures(**given)
