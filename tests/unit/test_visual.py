"""CLIP on frames: the same as transformers, frame by frame, and clear about weights that will not do."""

from __future__ import annotations

import json
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection

from mertk.encoders import frame_preprocessing
from mertk.encoders.frame_preprocessing import read_preprocessing
from mertk.encoders.picture_families import FAMILIES
from mertk.encoders.weights import find_weights, fingerprint, is_miniature
from mertk.errors import MertkError
from mertk.features.clip_frame_encoder import ClipFrameEncoder

SIZE = 32
VISION = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": SIZE,
    "patch_size": 8,
    "projection_dim": 20,
}
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": SIZE},
    "crop_size": {"height": SIZE, "width": SIZE},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def write_preprocessor(folder, **changes):
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | changes))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION, mertk_miniature=True)).save_pretrained(folder)
    write_preprocessor(folder)
    return folder


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves and noise, (height, width, 3) uint8: smooth parts and sharp ones."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 120 * np.sin(x / 9 + y / 17), 127 + 120 * np.cos(y / 5), (x * y) % 256], -1)
    noise = np.random.default_rng(seed).normal(0, 20, (height, width, 3))
    return np.clip(waves + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((96, 72), {}),  # the half of a small picture, upright
        ((72, 97), {}),
        ((20, 25), {}),  # made larger
        ((32, 32), {}),
        ((480, 360), {"size": {"shortest_edge": 40}}),
        ((96, 72), {"size": SIZE, "crop_size": SIZE}),  # numbers alone, as old files have them
        ((96, 72), {"size": {"height": SIZE, "width": SIZE}, "do_center_crop": False}),
        ((96, 72), {"resample": 2, "do_normalize": False}),
    ],
)
@pytest.mark.parametrize("path", ["uint8", "float"])
def test_preprocessing_equals_that_of_transformers(tmp_path, monkeypatch, shape, changes, path):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    write_preprocessor(tmp_path, **changes)
    frames = np.stack([picture(*shape, seed) for seed in range(3)])
    expected = CLIPImageProcessorPil.from_pretrained(tmp_path)(list(frames), return_tensors="pt")["pixel_values"]

    if path == "float":  # what GPUs do
        monkeypatch.setattr(frame_preprocessing, "_resize_bytes", frame_preprocessing._resize_floats)
    values = read_preprocessing(tmp_path, SIZE)(torch.from_numpy(frames))
    assert values.shape == expected.shape == (3, 3, SIZE, SIZE) and values.dtype == torch.float32
    one_level = 1.01 / 255 / (min(PREPROCESSOR["image_std"]) if changes.get("do_normalize", True) else 1)
    difference = (values - expected).abs()
    assert difference.max() < one_level
    assert (difference > 1e-5).float().mean() < 0.02


def test_one_number_is_a_square_where_nothing_is_cut_out(tmp_path):
    """As older files of ViT have it, which say neither how it is resized nor that nothing is cut out."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    told = {"size": SIZE, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    frames = np.stack([picture(96, 72)])
    expected = ViTImageProcessorPil.from_pretrained(tmp_path)(list(frames), return_tensors="pt")["pixel_values"]
    values = read_preprocessing(tmp_path, SIZE, defaults=FAMILIES["vit"].preprocessing)(torch.from_numpy(frames))
    assert values.shape == expected.shape and (values - expected).abs().max() < 2.02 / 255


@pytest.mark.parametrize("output", ["projected", "penultimate", "hidden_0", "hidden_2", "hidden_-2"])
def test_outputs_are_those_of_the_model(weights, output):
    frames = np.stack([picture(48, 40, seed) for seed in range(4)])
    encoder = ClipFrameEncoder(weights, output)
    embeddings = encoder.encode_whole(frames)
    assert embeddings.shape == (4, encoder.dimension) and embeddings.dtype == np.float32

    model = CLIPVisionModelWithProjection.from_pretrained(weights).eval()
    with torch.no_grad():
        pixels = encoder.preprocessing(torch.from_numpy(frames))
        result = model(pixel_values=pixels, output_hidden_states=True)
        pooled = model.vision_model.post_layernorm(result.last_hidden_state[:, 0])
    expected = {
        "projected": result.image_embeds,
        "penultimate": pooled,
        "hidden_0": result.hidden_states[0][:, 0],
        "hidden_2": result.hidden_states[2][:, 0],
        "hidden_-2": result.hidden_states[2][:, 0],
    }[output]
    np.testing.assert_allclose(embeddings, expected.numpy(), atol=1e-6)


def test_same_frames_give_the_same_bits(weights):
    encoder, frames = ClipFrameEncoder(weights), np.stack([picture(48, 40, seed) for seed in range(5)])
    first = encoder.encode_whole(frames)
    for _ in range(3):
        np.testing.assert_array_equal(encoder.encode_whole(frames.copy()), first)


def test_reads_a_whole_clip_and_a_vision_model_alone(tmp_path):
    torch.manual_seed(0)
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    text = {
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 9,
    }
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=VISION, projection_dim=20))
    model.save_pretrained(whole)
    vision = CLIPVisionModel(CLIPVisionConfig(**VISION)).eval()
    vision.save_pretrained(alone)
    frames = picture(SIZE, SIZE)[None]
    for folder in (whole, alone):
        write_preprocessor(folder)

    encoder = ClipFrameEncoder(whole)
    pixels = encoder.preprocessing(torch.from_numpy(frames))
    with torch.no_grad():
        expected = model.eval().visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    np.testing.assert_allclose(encoder.encode_whole(frames), expected.numpy(), atol=1e-6)

    with torch.no_grad():
        expected = vision(pixel_values=pixels).pooler_output
    state = load_file(alone / "model.safetensors")
    old_names = {f"vision_model.{key.removeprefix('vision_model.')}": value for key, value in state.items()}
    for names in (state, old_names):  # as this version of transformers writes them, and as the first ones did
        save_file(names, alone / "model.safetensors", metadata={"format": "pt"})
        np.testing.assert_allclose(
            ClipFrameEncoder(alone, "penultimate").encode_whole(frames), expected.numpy(), atol=1e-6
        )
        with pytest.raises(MertkError, match="no projection.*choose the output penultimate"):
            ClipFrameEncoder(alone, "projected")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "pooled"}, "output 'pooled' is unknown"),
        ({"output": "hidden_4"}, "layers 0 .* to 3"),
        ({"precision": "float16"}, "precision 'float16' on cpu"),
    ],
)
def test_refuses_wrong_choices(weights, arguments, message):
    with pytest.raises(MertkError, match=message):
        ClipFrameEncoder(weights, **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_size": 40, "size": 40}, r"makes pictures of \(40, 40\) .* takes 32 x 32"),
        ({"resample": 0}, "resample 0"),
        ({"size": {"shortest_edge": 20}}, "smaller than the crop"),
        ({"image_mean": None}, "not the settings"),
        ({"image_std": [1.0]}, "three values"),
        ({"size": None}, "not the settings"),
    ],
)
def test_refuses_preprocessors_that_do_not_fit(tmp_path, changes, message):
    write_preprocessor(tmp_path, **changes)
    with pytest.raises(MertkError, match=message):
        read_preprocessing(tmp_path, SIZE)


def test_missing_weights_say_what_was_looked_for(tmp_path, weights, monkeypatch):
    with pytest.raises(MertkError, match=r"absent not found.*config.json and one of model.safetensors.*hub id"):
        find_weights(tmp_path / "absent")
    with pytest.raises(MertkError, match=rf"no config.json.*subfolders that do: (.*, )?{weights.name}"):
        find_weights(weights.parent)
    broken = shutil.copytree(weights, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    with pytest.raises(MertkError, match="none of model.safetensors"):
        find_weights(broken)
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(MertkError, match=re.escape(f"{broken}: the weights cannot be loaded")):
        ClipFrameEncoder(broken)
    (broken / "config.json").write_text('{"model_type": "wavlm"}')
    with pytest.raises(MertkError, match="model_type 'wavlm' is no CLIP model"):
        ClipFrameEncoder(broken)
    bare = shutil.copytree(weights, tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    with pytest.raises(MertkError, match="preprocessor_config.json not found"):
        ClipFrameEncoder(bare)


def test_incomplete_weights_are_refused(tmp_path, weights):
    folder = shutil.copytree(weights, tmp_path / "incomplete")
    state = load_file(folder / "model.safetensors")
    del state[next(key for key in state if "layers.1.mlp.fc1.weight" in key)]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MertkError, match="the weights lack 1 tensors.*layers.1.mlp.fc1.weight"):
        ClipFrameEncoder(folder)


def test_hub_model_that_cannot_be_had(tmp_path):
    """In a process of its own: whether the hub is off-line is read at import."""
    import os
    import subprocess

    code = "from mertk.encoders.weights import find_weights; find_weights('openai/clip-vit-large-patch14')"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "MertkError: weights 'openai/clip-vit-large-patch14': there is no such folder" in result.stderr
    assert "hf download openai/clip-vit-large-patch14" in result.stderr


def test_fingerprint_follows_weights_and_architecture_only(tmp_path, weights):
    print_of_original = fingerprint(weights)
    copy = shutil.copytree(weights, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"transformers_version": "1.0", "_name_or_path": "x"}))
    assert fingerprint(copy) == print_of_original
    (copy / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu"}))
    assert fingerprint(copy) != print_of_original
    (copy / "config.json").write_text(json.dumps(config))
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert fingerprint(copy) != print_of_original


def test_sharded_weights_have_a_fingerprint_of_all_shards(tmp_path, weights):
    model = CLIPVisionModelWithProjection.from_pretrained(weights)
    model.save_pretrained(tmp_path, max_shard_size="20kB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    before = fingerprint(tmp_path)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    data = bytearray(shards[-1].read_bytes())
    data[-1] ^= 1
    shards[-1].write_bytes(data)
    assert fingerprint(tmp_path) != before
    shards[0].unlink()
    with pytest.raises(MertkError, match="names it"):
        fingerprint(tmp_path)


def test_miniature_mark(weights):
    config = CLIPVisionConfig.from_pretrained(weights)
    assert is_miniature(config) and ClipFrameEncoder(weights).is_miniature
    assert not is_miniature({}) and not is_miniature(CLIPVisionConfig())
