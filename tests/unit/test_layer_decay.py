"""Rates that fall by layer of a pretrained encoder, as groups of the optimizer."""

from __future__ import annotations

import pytest
import torch

from mertk.config import GroupConfig, OptimizerConfig, load_config
from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.errors import MertkError
from mertk.training.optim import make_optimizer, parameter_groups
from tests.unit.test_fine_tuning import LAYERS, make_family


class Encoder(FineTunedEncoder):
    def __init__(self, name, **chosen):
        super().__init__()
        self.model, _ = make_family(name)
        self.choose_trained(**chosen)


class Method(torch.nn.Module):
    def __init__(self, name, **chosen):
        super().__init__()
        self.encoder, self.head = Encoder(name, **chosen), torch.nn.Linear(16, 2)


def rates(model, groups):
    """Rate and decay of each trained parameter, by name; each is in one group."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = [(names[one], (group["lr"], group["weight_decay"])) for group in groups for one in group["params"]]
    assert len(dict(found)) == len(found) == sum(one.requires_grad for one in names)
    return dict(found)


@pytest.mark.parametrize(
    ("family", "layer", "lowest", "behind"),
    [
        ("WavLMModel", "encoder.layers.{}.attention.q_proj.bias", "masked_spec_embed", "encoder.layer_norm.weight"),
        ("BertModel", "encoder.layer.{}.output.dense.bias", "embeddings.word_embeddings.weight", "pooler.dense.weight"),
        ("CLIPVisionModel", "encoder.layers.{}.mlp.fc1.weight", "embeddings.class_embedding", "post_layernorm.weight"),
        ("ViTModel", "layers.{}.mlp.fc1.weight", "embeddings.cls_token", "layernorm.weight"),
    ],
)
def test_each_layer_learns_at_the_rate_of_the_formula(family, layer, lowest, behind):
    model = Method(family)
    found = rates(model, parameter_groups(model, OptimizerConfig(learning_rate=1e-3, layer_decay=0.5)))
    for number in range(LAYERS):
        assert found[f"encoder.model.{layer.format(number)}"] == (1e-3 * 0.5 ** (LAYERS - 1 - number), 0.01)
    assert found[f"encoder.model.{lowest}"] == (1e-3 * 0.5**LAYERS, 0.01)
    assert found[f"encoder.model.{behind}"] == found["head.weight"] == (1e-3, 0.01)


GROUPS = [
    GroupConfig(pattern=r"(bias|norm)", weight_decay=0.0),
    GroupConfig(pattern=r"^head", learning_rate=1e-2),
    GroupConfig(pattern=r"word_embeddings", layer_decay=1.0),
]


def test_groups_of_patterns_stay_apart_and_may_have_a_decay_of_their_own():
    model = Method("BertModel")
    config = OptimizerConfig(learning_rate=1e-3, layer_decay=0.5, groups=GROUPS)
    groups = parameter_groups(model, config)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        *((1e-3 * 0.5**above, 0.0) for above in range(LAYERS + 1)),
        (1e-2, 0.01),
        (1e-3, 0.01),
        *((1e-3 * 0.5**above, 0.01) for above in range(LAYERS + 1)),
    ]
    found = rates(model, groups)
    assert found["encoder.model.encoder.layer.0.output.dense.bias"] == (1e-3 * 0.25, 0.0)
    assert found["encoder.model.embeddings.word_embeddings.weight"] == (1e-3, 0.01)
    assert found["head.weight"] == (1e-2, 0.01)


def test_without_it_the_groups_are_those_of_the_patterns_in_the_order_of_the_model():
    model = Method("BertModel")
    groups = parameter_groups(model, OptimizerConfig(groups=GROUPS[:2]))
    assert [group.keys() for group in groups] == [{"params", "lr", "weight_decay"}] * 3
    parameters = dict(model.named_parameters())
    taken = ("bias", "norm", "head.weight")
    rest = [one for name, one in parameters.items() if not any(word in name for word in taken)]
    assert all(one is other for one, other in zip(groups[2]["params"], rest, strict=True))


def test_it_goes_with_adapters_and_with_the_last_layers_alone():
    model = Method("BertModel", lora_rank=2)
    found = rates(model, make_optimizer(model, OptimizerConfig(learning_rate=1.0, layer_decay=0.5)).param_groups)
    adapters = [name for name in found if "lora_A" in name and "query" in name]
    assert {int(name.split(".")[4]): found[name][0] for name in adapters} == {0: 0.25, 1: 0.5, 2: 1.0}
    model = Method("BertModel", trained_layers=2)
    groups = parameter_groups(model, OptimizerConfig(learning_rate=1.0, layer_decay=0.5))
    assert [group["lr"] for group in groups] == [1.0, 0.5]


def test_what_has_no_layers_and_what_is_no_share_is_refused():
    with pytest.raises(MertkError, match="optimizer.layer_decay: the model has no pretrained encoder"):
        parameter_groups(torch.nn.Linear(2, 2), OptimizerConfig(layer_decay=0.9))
    with pytest.raises(MertkError, match="optimizer.layer_decay: got 1.5"):
        load_config([], ["optimizer.layer_decay=1.5"])
    with pytest.raises(MertkError, match=r"optimizer.groups\[0\].layer_decay: got -1"):
        load_config([], ["optimizer.groups=[{pattern: a, layer_decay: -1}]"])
