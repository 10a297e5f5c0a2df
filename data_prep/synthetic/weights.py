"""Small encoders of the real architectures with random weights, read through `from_pretrained` like the real ones.

They stand in for microsoft/wavlm-large, openai/clip-vit-large-patch14 and bert-base-uncased: same classes, same kinds
of layers, same frame rate, few and narrow layers. `mertk_miniature: true` in their config.json says so to whoever
loads them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from transformers import BertTokenizer, CLIPVisionModelWithProjection

MARKER_KEY = "mertk_miniature"
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # of BERT, first in its vocabulary
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the colours, as in openai/clip-vit-large-patch14
CLIP_SPREAD = (0.26862954, 0.26130258, 0.27577711)


def write_models(out: Path | str, seed: int = 1234) -> None:
    """Write `out`/wavlm and `out`/clip, each with its weights, configuration and preprocessor."""
    out = Path(out)
    with _quietly():
        _write_wavlm(out / "wavlm", seed)
        _write_clip(out / "clip", seed)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """No bars over a few hundred kilobytes, and no DeepSpeed that looks for a GPU: saving imports it where it is."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    given = os.environ.get("DS_ACCELERATOR")
    os.environ["DS_ACCELERATOR"] = given or "cpu"
    try:
        yield
    finally:
        if given is None:
            del os.environ["DS_ACCELERATOR"]
        if bars:
            logging.enable_progress_bar()


def _write_wavlm(folder: Path, seed: int) -> None:
    """WavLM with all seven convolutions of the real one, so that it gives 50 frames a second, and two narrow layers."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    config = WavLMConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        conv_dim=(32, 32, 32, 64, 64, 64, 64),
        conv_bias=False,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        num_buckets=32,
        max_bucket_distance=100,
        layerdrop=0.0,
        final_dropout=0.0,
        mask_time_prob=0.05,
        mask_time_length=5,
        **{MARKER_KEY: True},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WavLMModel(config)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=16000, padding_value=0.0, do_normalize=True, return_attention_mask=True
    )
    extractor.save_pretrained(folder)


def _write_clip(folder: Path, seed: int) -> None:
    """The vision half of CLIP with its projection: pictures of 48 x 48 pixels in patches of 12."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=8,
        image_size=48,
        patch_size=12,
        projection_dim=96,
        **{MARKER_KEY: True},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        model = CLIPVisionModelWithProjection(config).eval()
        _spread_out(model, seed)
    model.save_pretrained(folder)
    _write_clip_preprocessor(folder, config.image_size)


def _spread_out(model: CLIPVisionModelWithProjection, seed: int) -> None:
    """Scale the random weights so that a head can learn from how the features of faces differ.

    As initialised for training, attention is nearly even, every frame's features are one constant plus a few per cent,
    and nothing tells where in the picture something is. Attention and places are therefore drawn wider, and the mean
    over drawn faces is taken out of both embeddings that can be extracted, the last but one layer's and the projected
    one (a data-dependent initialisation; compare Mishkin and Matas, All you need is a good init, 2016).
    """
    import torch

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, so that the seed alone decides the weights
    pictures = _pictures_of_faces(seed, model.config.image_size)
    layers = model.vision_model.encoder.layers
    with torch.no_grad():
        model.vision_model.embeddings.position_embedding.weight.mul_(10.0)
        for layer in layers:
            for weight in (layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight):
                weight.mul_(2.0)
            for weight in (layer.self_attn.v_proj.weight, layer.self_attn.out_proj.weight):
                weight.mul_(3.0)
        states = model(pixel_values=pictures, output_hidden_states=True).hidden_states[-2][:, 0]
        layers[-2].mlp.fc2.bias.sub_(states.mean(dim=0))
        model.vision_model.post_layernorm.bias.sub_(model.vision_model(pixel_values=pictures).pooler_output.mean(dim=0))
        model.visual_projection.weight.div_(model(pixel_values=pictures).image_embeds.std(dim=0).mean())
    torch.set_num_threads(num_threads)


def _pictures_of_faces(seed: int, size: int, count: int = 240) -> torch.Tensor:
    """Faces of people who are not in the corpus, as the preprocessor hands them over: (count, 3, size, size)."""
    import numpy as np
    import torch

    from mertk.data_prep.synthetic import face
    from mertk.data_prep.synthetic.dialogue import generator

    rng = generator(seed, "faces for the weights")
    pictures = []
    for index in range(count // 6):
        traits = face.draw_face(rng, "FM"[index % 2])
        valence, arousal, opening = rng.uniform(-1.2, 1.2, 6), rng.uniform(-1, 1, 6), rng.uniform(0, 1, 6)
        expression = face.move(rng, valence, arousal, opening, rate_hz=1.0)
        pictures.append(face.render(traits, expression, 1 + rng.normal(0, 0.05) + rng.normal(0, 0.02, 3)))
    whole = torch.from_numpy(np.concatenate(pictures)).permute(0, 3, 1, 2).float() / 255
    small = torch.nn.functional.interpolate(whole, (size, size), mode="bilinear", antialias=True)
    mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_SPREAD))
    return (small - mean) / spread


def _write_clip_preprocessor(folder: Path, size: int) -> None:
    """The configuration of CLIPImageProcessor, with CLIP's own mean and spread of the colours."""
    preprocessor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(CLIP_MEAN),
        "image_std": list(CLIP_SPREAD),
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n", encoding="utf-8")


def write_bert(folder: Path, valences: Mapping[str, float], seed: int = 1234) -> BertTokenizer:
    """Write a BERT of two narrow layers with its tokenizer, and return the tokenizer.

    The weights are drawn wider than for a real one, since what is drawn narrowly would take a real training to say
    anything of the words at all; opinion words differ along one direction, as they do after such a training.

    Args:
        valences: tokens to know, with the intensity of those that have one; letters are known too.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in (*range(ord("a"), ord("z") + 1), *range(ord("0"), ord("9") + 1))]
    vocabulary = list(dict.fromkeys([*SPECIAL_TOKENS, *valences, *letters, *(f"##{letter}" for letter in letters)]))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), encoding="utf-8")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), model_max_length=128)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=128,
        initializer_range=0.12,
        **{MARKER_KEY: True},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    embeddings = token_embeddings(valences, len(vocabulary), config.hidden_size, seed)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.copy_(torch.from_numpy(embeddings))
    with _quietly():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return tokenizer


def token_embeddings(valences: Mapping[str, float], count: int, width: int, seed: int) -> np.ndarray:
    """(count, width) float32, a row for each token: noise, and a common direction by its intensity of -3 to 3."""
    import numpy as np

    from mertk.data_prep.synthetic.dialogue import generator

    rng = generator(seed, "token embeddings", width)
    rows = rng.normal(size=(count, width))
    direction = rng.normal(size=width)
    for row, valence in enumerate(valences.values(), start=len(SPECIAL_TOKENS)):
        rows[row] += 0.4 * valence * direction
    rows[0] = 0.0  # padding
    return rows.astype(np.float32)
