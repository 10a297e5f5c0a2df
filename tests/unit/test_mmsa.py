"""data_prep.mmsa: a feature file becomes a data directory that holds what the file says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import import_features
from mertk.bin import validate_data
from mertk.data.feature_store import FeatureStore
from mertk.data.folds import check_parts, read_fold
from mertk.data.manifest import load_manifest
from mertk.data_prep import mmsa, mmsa_published
from tests.unit.mmsa_content import COUNTS, left_behind, make_aligned, make_content, make_part, run, write


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_utterance_is_written_with_its_real_frames_alone(tmp_path, protocol):
    content = make_content()
    assert run(tmp_path, content, protocol=protocol) == 0
    data = tmp_path / "data"
    manifest = load_manifest(data, need=("utt2label", "text", "utt2video"))
    assert len(manifest) == sum(COUNTS.values())
    stores = {name: FeatureStore(data / "features" / name) for name in ("audio", "video", "text", "tokens")}
    for part in content.values():
        for row, utterance in enumerate(part["id"]):
            assert np.float32(manifest.value("utt2label", utterance)) == part["regression_labels"][row]
            assert manifest.value("utt2video", utterance) == utterance.split("$_$")[0]
            assert manifest.value("text", utterance) == " ".join(part["raw_text"][row].split())
            length = int(part["text_bert"][row, 1].sum())
            for modality, key, frames in (
                ("audio", "audio", part["audio_lengths"][row]),
                ("video", "vision", part["vision_lengths"][row]),
                ("text", "text", length),
            ):
                assert np.array_equal(stores[modality].read(utterance), part[key][row, :frames])
            tokens = stores["tokens"].read(utterance)
            assert tokens.dtype == np.int32
            assert tokens.tolist() == part["text_bert"][row, ::2, :length].T.astype(int).tolist()


def test_records_say_where_features_come_from(tmp_path):
    assert run(tmp_path, make_content()) == 0
    digest = hashlib.sha256((tmp_path / "features.pkl").read_bytes()).hexdigest()
    for modality, steps, width in (("audio", 7, 5), ("video", 6, 20), ("text", 5, 8), ("tokens", 5, 2)):
        record = FeatureStore(tmp_path / "data" / "features" / modality).record
        assert record.options["sequence_length"] == steps
        assert record.options["alignment"] == "unaligned"
        assert record.options["sha256"] == digest
        assert record.weights_fingerprint == f"sha256:{digest}"
        assert (record.dimension, record.count, record.miniature) == (width, 13, False)
        assert record.rate_hz is None
    corpus = json.loads((tmp_path / "data" / "corpus.json").read_text())
    assert corpus["metrics"] == corpus["corpus"] == "mosi"
    assert corpus["parts"] == {"train": 6, "validation": 3, "test": 4}
    assert corpus["sha256"] == digest
    assert corpus["sha1"] == hashlib.sha1((tmp_path / "features.pkl").read_bytes()).hexdigest()
    assert corpus["sequence_lengths"] == {"audio": 7, "video": 6, "text": 5}


def test_official_split_is_made_and_found_sound(tmp_path, capsys):
    content = make_content()
    assert run(tmp_path, content) == 0
    data = tmp_path / "data"
    clean, refit = (read_fold(data / "folds" / f"official-{name}" / "1") for name in ("clean", "clean-refit"))
    assert clean.train == sorted(content["train"]["id"])
    assert clean.validation == sorted(content["valid"]["id"])
    assert clean.test == refit.test == sorted(content["test"]["id"])
    assert refit.train == sorted([*clean.train, *clean.validation])
    assert refit.validation == []
    assert clean.info["cv"] == "official"
    for fold in (clean, refit):
        assert check_parts(load_manifest(data, need=()), fold)["left_out"] == 0
    assert validate_data.main([str(data)]) == 0


def test_sims_has_labels_of_single_modalities_and_tells_shared_videos(tmp_path, capsys):
    content = make_content(sims=True)
    content["test"]["id"][0] = "train0$_$9"
    assert run(tmp_path, content, corpus="sims") == 0
    assert "training and test share 1 videos, such as train0" in capsys.readouterr().out
    manifest = load_manifest(tmp_path / "data", need=())
    for column, letter in (("utt2label_text", "T"), ("utt2label_audio", "A"), ("utt2label_video", "V")):
        found = float(manifest.value(column, "train0$_$1"))
        assert found == pytest.approx(content["train"][f"regression_labels_{letter}"][0])
    assert manifest.corpus["metrics"] == "sims"
    assert manifest.corpus["shared_videos"]["training and test"] == {"count": 1, "example": "train0"}
    assert validate_data.main([str(tmp_path / "data")]) == 0


def test_the_modalities_that_have_no_labels_are_told(tmp_path):
    content = make_content(sims=True)
    for part in content.values():
        del part["regression_labels_T"]
    assert run(tmp_path, content, corpus="sims") == 0
    manifest = load_manifest(tmp_path / "data", need=("utt2label", "utt2label_video"))
    assert "no labels of single modalities (regression_labels_T)" in manifest.corpus["warnings"]


def test_the_unlabelled_part_of_sims2_is_told_and_not_read(tmp_path, capsys):
    content = make_content(sims=True)
    content["train_mix"] = make_part("mix", 5, sims=True)
    content["train_mix"]["regression_labels"][1:] = np.nan
    content["unlabelled"] = list(content["train_mix"]["id"][1:])
    assert run(tmp_path, content, corpus="sims2") == 0
    manifest = load_manifest(tmp_path / "data", need=("utt2label_audio",))
    assert len(manifest) == 13 and manifest.corpus["metrics"] == "sims"
    told = "train_mix (5 utterances, 4 of them without a label), unlabelled (4 ids) as well, which is not read"
    first, *others = manifest.corpus["warnings"]
    assert first.startswith("no checksum of a published file of sims2 is known")
    assert f"the file holds {told}" in others and f"warning: the file holds {told}" in capsys.readouterr().err
    assert "6 utterances in the train part, the published files of sims2 have 2722" in others
    assert "audio features are 5 wide, those of the published files of sims2 25" in others


def test_aligned_files_take_their_lengths_from_the_text(tmp_path):
    content = make_aligned()
    assert run(tmp_path, content) == 0
    stores = [FeatureStore(tmp_path / "data" / "features" / name) for name in ("audio", "video", "text", "tokens")]
    lengths = content["train"]["text_bert"][:, 1].sum(axis=1)
    for row, utterance in enumerate(content["train"]["id"]):
        assert {store.num_frames(utterance) for store in stores} == {int(lengths[row])}
    assert stores[0].record.options["alignment"] == "aligned"
    warnings = json.loads((tmp_path / "data" / "corpus.json").read_text())["warnings"]
    assert warnings[0].startswith("none of the published files of mosi has this checksum (SHA-1 ")
    assert warnings[-2].startswith("text features are 8")
    full = sum((content[part]["text_bert"][:, 1].sum(axis=1) == 5).sum() for part in content)
    assert warnings[-1] == f"{full} transcripts fill all 5 tokens that there is room for; longer ones are cut off"


def test_a_file_of_the_other_alignment_is_refused(tmp_path, capsys):
    assert run(tmp_path, make_aligned(), "--alignment", "unaligned") == 1
    assert "holds aligned features, unaligned ones were asked for" in capsys.readouterr().err
    assert left_behind(tmp_path) == ["features.pkl"]


def test_differences_from_the_published_files_are_told(tmp_path, capsys):
    assert run(tmp_path, make_content()) == 0
    captured = capsys.readouterr()
    assert "none of the published files of mosi has this checksum" in captured.out
    assert "6 utterances in the train part, the published files of mosi have 1284" in captured.err
    assert "text features are 8 wide, those of the published files of mosi 768" in captured.err
    assert "audio features" not in captured.err


def test_published_files_are_recognised(tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "features.pkl", make_content())
    known = {hashlib.sha1(path.read_bytes()).hexdigest(): "MOSI/unaligned_50"}
    monkeypatch.setattr(mmsa_published, "KNOWN_FILES", known)
    assert run(tmp_path, make_content()) == 0
    assert "this is MOSI/unaligned_50 as published, SHA-1" in capsys.readouterr().out
    assert mmsa.main(["--features", str(path), "--corpus", "mosei", "--out", str(tmp_path / "other")]) == 1
    assert "but was to be read as mosei" in capsys.readouterr().err


def test_known_digests_are_whole():
    assert {len(digest) for digest in mmsa_published.KNOWN_FILES} == {40, 64}
    assert len(mmsa_published.KNOWN_FILES) == 10


def test_a_miniature_is_marked_and_not_held_against_the_published(tmp_path, capsys):
    (tmp_path / "MINIATURE.json").write_text("{}")
    assert run(tmp_path, make_content()) == 0
    captured = capsys.readouterr()
    assert "a MINIATURE" in captured.out
    assert "warning" not in captured.err
    assert load_manifest(tmp_path / "data", need=()).corpus["miniature"] is True
    assert FeatureStore(tmp_path / "data" / "features" / "audio").record.miniature
    (tmp_path / "MINIATURE.json").unlink()
    assert run(tmp_path, make_content()) == 1
    assert "is the data directory of mosi miniature" in capsys.readouterr().err


def test_infinite_values_become_zero_and_are_counted(tmp_path, capsys):
    content = make_content()
    content["train"]["audio"][3, 0, :2] = -np.inf
    content["test"]["audio"][1, 1, 4] = np.nan
    content["test"]["vision"] = content["test"]["vision"].astype(np.float64)
    content["test"]["vision"][2, 0, 0] = 1e300  # infinite as float32
    assert run(tmp_path, content) == 0
    audio = FeatureStore(tmp_path / "data" / "features" / "audio")
    assert audio.read("train1$_$2")[0, :2].tolist() == [0, 0]
    assert audio.read("train1$_$2")[0, 2] == content["train"]["audio"][3, 0, 2]
    assert audio.record.options["infinite"] == "zero"
    infinite = json.loads((tmp_path / "data" / "corpus.json").read_text())["infinite"]
    assert infinite["policy"] == "zero"
    assert infinite["audio"] == {"values": 3, "utterances": 2}
    assert infinite["video"] == {"values": 1, "utterances": 1}
    assert infinite["text"] == {"values": 0, "utterances": 0}
    errors = capsys.readouterr().err
    assert "3 NaN or infinite values of audio in 2 utterances are now 0" in errors
    assert "the first is train1$_$2" in errors


def test_ids_may_be_lists_hold_blanks_or_lack_a_clip(tmp_path, capsys):
    content = make_content()
    content["test"]["id"] = ["a b$_$1", b"c$_$2", ["d$_$3"], "lone"]
    assert run(tmp_path, content) == 0
    ids = load_manifest(tmp_path / "data", need=("utt2label",)).ids
    assert {"a_b$_$1", "c$_$2", "d$_$3", "lone"} <= set(ids)
    assert "1 ids have no $_$ and count as videos of their own; the first is lone" in capsys.readouterr().err


def test_importing_again_replaces_what_was_imported_and_keeps_the_rest(tmp_path, capsys):
    assert run(tmp_path, make_content()) == 0
    data = tmp_path / "data"
    (data / "corpus").mkdir()
    content = make_aligned()
    content["train"]["id"][0] = "new$_$1"
    assert run(tmp_path, content) == 0
    assert "new$_$1" in load_manifest(data, need=("utt2label",)).ids
    assert FeatureStore(data / "features" / "audio").record.options["alignment"] == "aligned"
    assert (data / "corpus").is_dir()
    assert left_behind(tmp_path) == ["data", "features.pkl"]
    assert run(tmp_path, make_content(), corpus="mosei") == 1
    assert "is the data directory of mosi; remove it" in capsys.readouterr().err
    replace(FeatureStore(data / "features" / "audio").record, extractor="wavlm").write(data / "features" / "audio")
    assert run(tmp_path, make_content()) == 1
    assert "features/audio holds features made by wavlm; remove them" in capsys.readouterr().err


def test_file_of_the_benchmark_can_be_imported(tmp_path):
    path = tmp_path / "unaligned.pkl"
    import_features.write_file(path, 0.004)
    assert path.stat().st_size == pytest.approx(4e6, rel=0.15)
    assert mmsa.main(["--features", str(path), "--corpus", "mosei", "--out", str(tmp_path / "data")]) == 0
    assert load_manifest(tmp_path / "data", need=()).corpus["infinite"]["audio"]["values"] == 3
