"""Every YAML of every recipe gives a model that can be built and computes just the losses it has weights for."""

import re
from pathlib import Path

import pytest
import torch

from mertk.config import load_config
from mertk.training.building import build_model
from mertk.training.optim import parameter_groups
from mertk.training.turns import make_turns
from tests.tiny_encoders import SIDE, write_encoder

ENCODERS = {"audio": "wavlm", "video": "clip", "text": "bert"}
RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def combinations():
    """What each recipe merges without an overlay, and with each one beside or below it, or shared by its method."""
    for script in sorted(RECIPES.glob("*/*/run.sh")):
        own, shared = script.parent / "conf", RECIPES / "common/conf"
        method, corpus = script.parent.name, script.parent.parent.name
        if method == "baselines":
            yield from baseline_combinations(script, corpus)
            continue
        base = next(
            path for path in (shared / f"{method}.yaml", own / f"{method}.yaml", *own.glob("*.yaml")) if path.exists()
        )
        always = [base, *own.glob(f"{corpus}.yaml")]
        # Tasks are those of the corpus, but in the recipe of one's own.
        beside = sorted([*own.rglob("*.yaml"), *(shared / base.stem).rglob("*.yaml")])
        beside = [path for path in beside if is_overlay(path)]
        for files in [always, *([*always, overlay] for overlay in beside if overlay not in always)]:
            yield as_case(files)
    yield from own_combinations()
    yield from frozen_combinations()


def frozen_combinations():
    """What --audio and --video lay over methods, with sound and without: one that takes an encoder itself, others."""
    shared = RECIPES / "common/conf"
    yield as_case([shared / f"{name}.yaml" for name in ("foal", "lora_audio", "foal/lora_audio")])
    for kind in ("lora_video", "finetuned_video"):
        yield as_case([shared / f"{name}.yaml" for name in ("foal", "foal/small", kind, f"foal/{kind}")])
    over = [shared / "frozen_audio.yaml"]
    yield as_case([shared / "foal.yaml", *over, shared / "foal/frozen_audio.yaml"])
    yield as_case([shared / "foal.yaml", *over, shared / "foal/frozen_audio.yaml", shared / "foal/ablation/video.yaml"])
    yield as_case([shared / "tfn.yaml", *over])
    yield as_case([shared / "tam_ulag.yaml", *over, shared / "tam_ulag/ablation/text.yaml"])


def methods_of(script):
    """Those that a recipe of several has."""
    return re.search(r'^methods="(.*)"$', script.read_text(encoding="utf-8"), re.M)[1].split()


def is_overlay(file):
    """Whether it lies over the method's file by itself."""
    with_others = ("space", "frozen_audio", "lora_audio", "lora_video", "finetuned_video")
    return file.parent.name != "task" and file.stem not in with_others


def baseline_combinations(script, corpus):
    """What the recipe of all baselines merges for each; what they share on one corpus alone."""
    own, shared = script.parent / "conf", RECIPES / "common/conf"
    for method in methods_of(script):
        always = [shared / f"{method}.yaml", *own.glob(f"{corpus}.yaml"), *(own / method).glob(f"{corpus}.yaml")]
        if corpus == "iemocap":
            yield from iemocap_combinations(method, always, own, shared)
            continue
        beside = sorted((own / method).glob("*.yaml"))
        if corpus == "mosi":
            beside += [path for path in sorted((shared / method).rglob("*.yaml")) if is_overlay(path)]
        for files in [always, *([*always, overlay] for overlay in beside if overlay not in always)]:
            yield as_case(files)


def iemocap_combinations(method, always, own, shared):
    """Of classes; with audio and video, on frozen layers, or with all; with text in the place of one."""
    always = [*always, shared / method / "task/classification.yaml"]
    frozen = [shared / "frozen_audio.yaml", *(own / method).glob("frozen_audio.yaml")]
    for chosen in ("audio_video", "audio_text"):
        yield as_case([*always, *(shared / method).glob(f"ablation/{chosen}.yaml"), *frozen])
    yield as_case([*always, shared / method / "ablation/video_text.yaml"])


def own_combinations():
    """What the recipe of one's own corpus merges for each method: variants, modalities, tasks."""
    own, shared = RECIPES / "own/conf", RECIPES / "common/conf"
    for method in ("audio", "foal", "hscl", "tam_ulag", *methods_of(RECIPES / "mosi/baselines/run.sh")):
        always = [shared / f"{method}.yaml", own / "own.yaml", *(own / method).glob("own.yaml")]
        small, frozen = variants_of(method)
        for variant in (small, frozen):
            yield as_case([*always, variant])
        modalities = [*(shared / method).glob("modalities/*.yaml"), *(own / method).glob("modalities/*.yaml")]
        for file in sorted(modalities):
            states = [own / "text/states.yaml"] if "text" in file.stem else []
            yield as_case([*always, frozen, file, *states])
        for task in sorted((shared / method).glob("task/*.yaml")):
            yield as_case([*always, small, task, *(shared / method).glob("ablation/audio.yaml")])


def variants_of(method):
    """The files of `small` and `frozen`: the recipe's, or the method's."""
    folders = [RECIPES / "own/conf" / method, RECIPES / "common/conf" / method]
    return [next(path for folder in folders for path in folder.glob(f"{name}.yaml")) for name in ("small", "frozen")]


def as_case(files):
    return pytest.param(files, id="+".join(str(path.relative_to(RECIPES)) for path in files))


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Tiny encoders with random weights in the place of the pretrained ones, by the model's argument."""
    from transformers import BertConfig, BertModel, WavLMConfig, WavLMModel

    folder = tmp_path_factory.mktemp("encoders")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    convolutions = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    WavLMModel(WavLMConfig(**size, **convolutions, feat_extract_norm="layer")).save_pretrained(folder / "wavlm")
    (folder / "wavlm/preprocessor_config.json").write_text('{"do_normalize": true, "sampling_rate": 16000}')
    BertModel(BertConfig(vocab_size=10, **size)).save_pretrained(folder / "bert")
    write_encoder(folder / "clip", "clip")
    return {f"{modality}_encoder": str(folder / name) for modality, name in ENCODERS.items()}


def test_there_are_recipes_to_check():
    found = [case.id for case in combinations()]
    assert len(found) >= 80
    corpora = ("meld", "mosi", "mosei", "sims", "sims2")
    for recipe in ("iemocap/foal", *(f"{corpus}/{method}" for corpus in corpora for method in ("hscl", "tam_ulag"))):
        assert any(f"{recipe}/conf" in name for name in found), recipe


@pytest.mark.parametrize("files", list(combinations()))
def test_a_configuration_builds_and_weighs_what_it_computes(files, encoders):
    config = load_config(files)
    for name, folder in encoders.items():
        if config.model.get(name) is not None and "weights" in config.model[name]:
            config.model[name]["weights"] = folder
    facts = {"num_classes": 4, "num_train_utterances": 4, "class_counts": [1] * 4}
    for modality in ("audio", "video", "text"):
        facts |= {f"{modality}_dim": 16, f"{modality}_steps": 9}
    facts["audio_layers"] = 4
    sees = config.model.get("video_encoder") or {}
    if "weights" in sees:  # pictures in colour
        facts["video_dim"] = 3 * SIDE**2
    elif "side" in sees:
        facts["video_dim"] = sees["side"] ** 2
    model = build_model(config.model, "model", facts, config.data.inputs).train()
    regression = model.task == "regression"
    labels = torch.tensor([-1.0, 0.5, 0.5, 1.0]) if regression else torch.arange(4)
    if model.task == "multilabel":
        labels = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    batch = {"labels": labels, "indices": torch.arange(4), "utterance_ids": list("abcd")}
    batch |= {"shared_seed": 1, "epoch": 0, "position": 2}
    for name, given in config.data.inputs.items():
        values = {
            "waveform": torch.randn(4, 8000),
            "features": torch.randn(4, 9, facts[f"{name}_dim"]),
            "tokens": torch.ones(4, 9, 2, dtype=torch.int64),
        }[given.kind]
        if given.kind == "tokens":
            values[..., 1] = 0
        batch |= {name: values, f"{name}_lengths": torch.full((4,), values.shape[1])}
    output = model(batch)
    terms = model.losses(output, batch)
    assert terms.keys() == {name for name, weight in config.loss_weights.items() if weight is not None}
    sum(terms.values()).backward()
    model.after_step(output, batch)
    unused = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert unused == []
    assert sum(len(group["params"]) for group in parameter_groups(model, config.optimizer)) > 0
    assert all(make_turns(model, config.optimizer, 4, config.loss_weights))
    model.eval()
    with torch.no_grad():
        assert model.losses(model(batch), batch).keys() <= terms.keys()
