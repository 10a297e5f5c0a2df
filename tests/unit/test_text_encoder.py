"""The text encoder of the BERT family, on tiny models with random weights."""

import pytest
import torch

from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError

SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import BertConfig, BertModel

    path = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=30, max_position_embeddings=12, **SIZE)).save_pretrained(path)
    return path


def tokens_of(*rows):
    """Rows of token ids as one padded batch, and its lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.zeros(len(rows), int(lengths.max()), 2, dtype=torch.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids), 0] = torch.tensor(ids)
    return tokens, lengths


def test_a_padded_batch_equals_its_texts_one_by_one(folder):
    encoder = PretrainedTextEncoder(str(folder)).double().eval()
    rows = [[1, 5, 7, 2], [1, 9, 2], [1, 3, 4, 8, 20, 2]]
    tokens, lengths = tokens_of(*rows)
    together, _ = encoder(tokens, lengths)
    for row, ids in enumerate(rows):
        alone, _ = encoder(*tokens_of(ids))
        torch.testing.assert_close(together[row, : len(ids)], alone[0], rtol=0, atol=1e-12)


def test_every_weight_gets_a_gradient(folder):
    encoder = PretrainedTextEncoder(str(folder))
    states, lengths = encoder(*tokens_of([1, 2, 3], [4, 5]))
    assert states.shape == (2, 3, encoder.output_dim) and lengths.tolist() == [3, 2]
    states.sum().backward()
    assert [name for name, weight in encoder.named_parameters() if weight.grad is None] == []


def test_a_frozen_encoder_has_neither_gradient_nor_dropout(folder):
    encoder = PretrainedTextEncoder(str(folder), freeze=True).train()
    first, _ = encoder(*tokens_of([1, 2, 3]))
    second, _ = encoder(*tokens_of([1, 2, 3]))
    assert torch.equal(first, second)
    assert not first.requires_grad and not any(weight.requires_grad for weight in encoder.parameters())


@pytest.mark.parametrize("kind", ["Roberta", "Electra", "XLMRoberta"])
def test_other_encoders_of_the_family_load(kind, tmp_path):
    import transformers

    config = getattr(transformers, f"{kind}Config")(vocab_size=30, max_position_embeddings=20, **SIZE)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    states, _ = PretrainedTextEncoder(str(tmp_path))(*tokens_of([5, 6, 7]))
    assert states.shape == (1, 3, 16)


def test_a_pooler_makes_a_vector_of_texts_whose_embeddings_may_be_changed(folder):
    encoder = PretrainedTextEncoder(str(folder), freeze=True, pooler=True)
    tokens, lengths = tokens_of([5, 6, 7], [8])
    pooled = encoder.pool(tokens, lengths)
    states, _ = encoder(tokens, lengths)
    torch.testing.assert_close(pooled, encoder.model.pooler(states))
    torch.testing.assert_close(encoder.pool(tokens, lengths, lambda embedded: embedded), pooled)
    shift = torch.ones(1, requires_grad=True)
    changed = encoder.pool(tokens, lengths, lambda embedded: embedded + shift * torch.arange(embedded.shape[2]))
    assert not torch.allclose(changed, pooled)
    changed.sum().backward()
    assert shift.grad is not None and all(weight.grad is None for weight in encoder.parameters())
    torch.testing.assert_close(encoder.pool(tokens, lengths), pooled)  # nothing of the change is left


def test_an_encoder_is_built_again_without_weights(folder, tmp_path):
    encoder = PretrainedTextEncoder(str(folder)).eval()
    encoder.save_architecture(tmp_path)
    again = PretrainedTextEncoder(str(tmp_path), random_weights=True).eval()
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(*tokens_of([1, 2]))[0], again(*tokens_of([1, 2]))[0])


def test_a_file_that_lacks_weights_is_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MertkError, match=r"lack 1 tensors .*encoder\.layer\.1\.output\.dense\.weight"):
        PretrainedTextEncoder(str(tmp_path))


def test_tokens_of_another_tokenizer_and_texts_too_long_are_refused(folder):
    encoder = PretrainedTextEncoder(str(folder))
    with pytest.raises(MertkError, match="token id 30, but the text encoder knows 30"):
        encoder(*tokens_of([1, 30]))
    with pytest.raises(MertkError, match="13 tokens, but the text encoder has 12 positions"):
        encoder(*tokens_of([1] * 13))


@pytest.mark.parametrize(("kind", "most"), [("Bert", 20), ("Electra", 20), ("Roberta", 18), ("XLMRoberta", 18)])
def test_as_many_tokens_as_there_are_positions_and_no_more(kind, most, tmp_path):
    """RoBERTa numbers positions from behind its padding token, so that 514 of them are for 512 tokens."""
    import transformers

    config = getattr(transformers, f"{kind}Config")(vocab_size=30, max_position_embeddings=20, pad_token_id=1, **SIZE)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    encoder = PretrainedTextEncoder(str(tmp_path))
    assert encoder.num_positions == most
    assert encoder(*tokens_of([5] * most))[0].shape == (1, most, 16)
    with pytest.raises(MertkError, match=f"{most + 1} tokens, but the text encoder has {most} positions"):
        encoder(*tokens_of([5] * (most + 1)))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, tmp_path, value):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][2, 3] = value
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MertkError, match=r"encoder\.layer\.1\.output\.dense\.weight hold NaN or infinite values"):
        PretrainedTextEncoder(str(tmp_path))


def test_a_model_of_another_kind_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "wavlm"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(MertkError, match="model_type 'wavlm' is no text encoder"):
        PretrainedTextEncoder(str(tmp_path))
