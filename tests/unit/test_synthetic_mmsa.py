"""The miniature feature files: the layout of the published ones, decided by the seed, with something to learn."""

from __future__ import annotations

import hashlib
import json
import pickle

import numpy as np
import pytest

from mertk.data_prep.synthetic import mmsa, opinion, trajectory
from mertk.data_prep.synthetic.marker import read_marker
from mertk.data_prep.synthetic.utterance import follow_tokens
from mertk.errors import MertkError

PART_KEYS = {
    "raw_text", "audio", "vision", "id", "text", "text_bert", "annotations", "classification_labels",
    "regression_labels",
}  # fmt: skip
LENGTH_KEYS = {"audio_lengths", "vision_lengths"}
CORPORA = ("mosi", "mosei", "sims", "sims2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("miniatures")
    for corpus in CORPORA:
        mmsa.write_corpus(root / corpus, corpus, seed=3, utterances=80 if corpus != "mosi" else 400)
    return root


def load(folder, name="unaligned"):
    with (folder / f"{name}.pkl").open("rb") as file:
        return pickle.load(file)


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("alignment", ["unaligned", "aligned"])
def test_layout_is_that_of_the_published_files(folders, corpus, alignment):
    content = load(folders / corpus, alignment)
    sizes = mmsa.MINIATURES[corpus]
    aligned = alignment == "aligned"
    others = content.pop("train_mix", {})
    assert bool(others) == (corpus == "sims2") and not any("labels" in key for key in others)
    assert list(content) == ["train", "valid", "test"]
    for part in content.values():
        extra = {f"{kind}_labels_{letter}" for kind in ("regression", "classification") for letter in "TAV"}
        assert set(part) == PART_KEYS | (set() if aligned else LENGTH_KEYS) | (extra if sizes.is_chinese else set())
        count = len(part["id"])
        audio_steps, video_steps = (sizes.text_steps,) * 2 if aligned else (sizes.audio_steps, sizes.video_steps)
        assert part["audio"].shape == (count, audio_steps, sizes.audio_dim)
        assert part["vision"].shape == (count, video_steps, sizes.video_dim)
        assert part["text"].shape == (count, sizes.text_steps, mmsa.TEXT_DIM)
        assert part["text_bert"].shape == (count, 3, sizes.text_steps)
        assert {part[key].dtype for key in ("audio", "vision", "text", "text_bert")} == {np.dtype(np.float32)}
        assert all(len(values) == count for values in part.values())
        assert all(name.count("$_$") == 1 for name in part["id"])
        limit = 1 if sizes.is_chinese else 3
        assert np.abs(part["regression_labels"]).max() <= limit
        assert np.array_equal(part["classification_labels"], np.sign(part["regression_labels"]) + 1)
        lengths = part["text_bert"][:, 1].sum(axis=1) if aligned else part["audio_lengths"]
        assert len(set(lengths)) > 1
        for frames, length in zip(part["audio"], lengths, strict=True):
            assert frames[: int(length)].any(axis=1).all()
            assert not frames[int(length) :].any()


def test_tokens_are_those_of_the_tokenizer_beside(folders):
    from transformers import AutoTokenizer

    for corpus in CORPORA:
        tokenizer = AutoTokenizer.from_pretrained(folders / corpus / "models" / "bert")
        part = load(folders / corpus)["test"]
        tokens = part["text_bert"].astype(int)
        encoded = tokenizer([str(text) for text in part["raw_text"]])["input_ids"]
        real = [row[: mask.sum()].tolist() for row, mask in zip(tokens[:, 0], tokens[:, 1], strict=True)]
        assert encoded == real
        assert tokenizer.unk_token_id not in tokens[:, 0]
        config = json.loads((folders / corpus / "models" / "bert" / "config.json").read_text())
        assert config["mertk_miniature"] is True
        assert config["vocab_size"] == len(tokenizer) > tokens[:, 0].max()


def test_the_text_encoder_can_be_loaded_and_tells_words_apart(folders):
    import torch

    from mertk.encoders.text import PretrainedTextEncoder

    encoder = PretrainedTextEncoder(str(folders / "mosi" / "models" / "bert")).eval()
    assert encoder.is_miniature
    rows = load(folders / "mosi")["test"]["text_bert"].astype(np.int64)
    lengths = torch.from_numpy(rows[:, 1].sum(axis=1))
    with torch.no_grad():
        states, _ = encoder(torch.from_numpy(rows[:, ::2].transpose(0, 2, 1).copy()), lengths)
    assert states.shape == (100, 20, encoder.output_dim)
    assert float(states[:, 0].std(dim=0).mean()) > 0.1


def test_modalities_tell_something_and_together_more(folders):
    content = load(folders / "mosi")

    def describe(part):
        tokens = part["text_bert"].astype(int)
        words = np.zeros((len(tokens), tokens[:, 0].max() + 200))
        for row, (ids, mask) in enumerate(zip(tokens[:, 0], tokens[:, 1], strict=True)):
            np.add.at(words[row], ids[mask > 0], 1.0)
        found = {"text": words[:, :200]}
        for name, key in (("audio", "audio"), ("video", "vision")):
            rows = zip(part[key], part[f"{key}_lengths"], strict=True)
            found[name] = np.stack([frames[:length].mean(axis=0) for frames, length in rows])
        return found | {"all": np.concatenate(list(found.values()), axis=1)}

    train, test = describe(content["train"]), describe(content["test"])
    target, truth = (content[part]["regression_labels"] for part in ("train", "test"))
    correlation = {}
    for name in train:
        mean, spread = train[name].mean(axis=0), train[name].std(axis=0) + 1e-6
        known, asked = (train[name] - mean) / spread, (test[name] - mean) / spread
        weights = np.linalg.solve(known.T @ known + 100 * np.eye(known.shape[1]), known.T @ (target - target.mean()))
        correlation[name] = np.corrcoef(asked @ weights, truth)[0, 1]
    single = [correlation[name] for name in ("audio", "video", "text")]
    assert min(single) > 0.3
    assert max(single) < 0.85
    assert 0.95 > correlation["all"] > max(single) + 0.02


def test_unimodal_labels_of_sims_are_near_the_common_one(folders):
    part = load(folders / "sims")["train"]
    for letter in "TAV":
        own = part[f"regression_labels_{letter}"]
        assert np.corrcoef(own, part["regression_labels"])[0, 1] > 0.4
        assert (own != part["regression_labels"]).any()


def test_only_sims_shares_videos_between_parts(folders):
    for corpus in CORPORA:
        content = load(folders / corpus)
        train, test = ({name.partition("$_$")[0] for name in content[part]["id"]} for part in ("train", "test"))
        assert bool(train & test) == (corpus == "sims")


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_seed_decides_everything(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        mmsa.write_corpus(tmp_path / name, "mosi", seed=seed, utterances=24)
    first, second, third = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert {"MINIATURE.json", "unaligned.pkl", "aligned.pkl", "models/bert/vocab.txt"} <= first.keys()
    assert first["unaligned.pkl"] != third["unaligned.pkl"]


def test_what_is_there_is_kept_or_replaced_but_nothing_else_is_touched(tmp_path):
    out = tmp_path / "corpus"
    marker = mmsa.write_corpus(out, "mosi", seed=1, utterances=24)
    assert read_marker(out) == marker
    written = (out / "unaligned.pkl").stat().st_mtime_ns
    mmsa.write_corpus(out, "mosi", seed=1, utterances=24)
    assert (out / "unaligned.pkl").stat().st_mtime_ns == written
    mmsa.write_corpus(out, "sims", seed=1, utterances=24)
    assert read_marker(out)["corpus"] == "sims"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(MertkError, match="notes.txt, which is none of its files"):
        mmsa.write_corpus(out, "mosi", seed=1, utterances=24)
    (out / ".files.json").unlink()  # a miniature of before there were listings
    mmsa.write_corpus(out, "mosi", seed=1, utterances=24)
    assert (out / "notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(MertkError, match=r"not empty and has no MINIATURE\.json"):
        mmsa.write_corpus(other, "mosi", utterances=24)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    with pytest.raises(MertkError, match="at least 24"):
        mmsa.write_corpus(tmp_path / "small", "mosi", utterances=5)


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(mmsa.pickle, "dump", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mmsa.write_corpus(tmp_path / "corpus", "mosi", utterances=24)
    assert list(tmp_path.iterdir()) == []


def test_program(tmp_path, capsys):
    assert mmsa.main(["--corpus", "mosi", "--out", str(tmp_path / "corpus"), "--utterances", "24"]) == 0
    assert "miniature of mosi, seed 1234, 24 utterances" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        mmsa.main(["--corpus", "mosi", "--out", str(tmp_path), "--seed", "-1"])


def test_sentences_follow_the_intensity_and_hold_known_tokens_only():
    rng = np.random.default_rng(0)
    for language in (opinion.ENGLISH, opinion.CHINESE):
        valences, tokens = language.valences(), opinion.tokens_of(language)
        for intensity in (-3.0, 0.0, 3.0):
            means = []
            for _ in range(50):
                text = opinion.say(rng, language, intensity)
                assert set(opinion.cut(language, text)) <= tokens.keys()
                text = text.replace(language.denial + language.gap, "-")
                said = [
                    (opinion.DENIAL if f"-{word}" in text else 1) * valence
                    for word, valence in valences.items()
                    if word in text
                ]
                means.append(np.mean(said))
            assert np.mean(means) == pytest.approx(intensity, abs=0.5)


def test_trajectories_follow_the_intensity():
    rng = np.random.default_rng(0)
    channel = trajectory.draw_channel(rng, 6)
    speaker = trajectory.draw_speaker(rng, channel)
    level = channel.directions[0] / np.linalg.norm(channel.directions[0])
    means = [
        np.mean([(trajectory.move(rng, channel, speaker, x, 20) / channel.scale @ level).mean() for _ in range(50)])
        for x in (-1, 0, 1)
    ]
    assert means[0] < means[1] < means[2]


def test_one_frame_a_token():
    frames = np.arange(10.0)[:, None]
    assert follow_tokens(frames, 5)[:, 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert follow_tokens(frames[:2], 4)[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["aligned.pkl", "models/bert/config.json", "MINIATURE.json"])
def test_a_miniature_that_lost_a_file_is_made_whole(tmp_path, name):
    mmsa.write_corpus(tmp_path, "mosi", utterances=24)
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    mmsa.write_corpus(tmp_path, "mosi", utterances=24)
    assert (tmp_path / name).read_bytes() == before
