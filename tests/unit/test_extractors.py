"""What an extractor writes into its record makes the same extractor again, and nothing else does."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from mertk.data.feature_store import read_record
from mertk.errors import MertkError
from mertk.features import Places, open_source
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from mertk.features.colour_pictures import ColourPictures
from mertk.features.extractor import PLACE_OPTIONS, Extractor, record_name
from mertk.features.librosa_features import LibrosaFeatures
from mertk.features.registry import BUILT_IN, find_extractor
from mertk.features.small_pictures import SmallPictures
from mertk.features.speech_states import SpeechStates
from mertk.features.text_states import TextStates
from mertk.features.tokenizer import Tokenizer
from tests.own_extractors import Brightness, Forgetful, Letters, Peaks
from tests.raw_corpus import write_bert, write_wavlm
from tests.video_corpus import write_clip

LAYER = "zero_crossing_rate mfcc_20_htk chroma_cqt_12"
#: record.json as it has been written since there are such features, version of librosa and preprocessing aside
OF_LIBROSA = {
    "count": 0,
    "dimension": 33,
    "dtype": "float32",
    "extractor": "LibrosaFeatures",
    "format": 2,
    "layer": LAYER,
    "miniature": False,
    "modality": "audio",
    "options": {"average": 3, "sample_rate_hz": 22050},
    "rate_hz": 14.35546875,
    "warnings": [],
    "weights": "librosa",
}
OF_PICTURES = {
    "count": 0,
    "dimension": 144,
    "dtype": "float32",
    "extractor": "SmallPictures",
    "format": 2,
    "layer": "grey_12",
    "miniature": False,
    "modality": "video",
    "options": {"batch_frames": 256, "max_seconds": 6.0, "precision": "float32", "rate_hz": 5.0},
    "rate_hz": 5.0,
    "warnings": [],
    "weights": "grey_12",
    "weights_fingerprint": "grey_12",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return {
        "wavlm": write_wavlm(folder / "wavlm"),
        "clip": write_clip(folder / "clip"),
        "bert": write_bert(folder / "bert"),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda _: LibrosaFeatures(),
        lambda _: LibrosaFeatures(22050, 3, 0.5),
        lambda found: SpeechStates(str(found["wavlm"])),
        lambda found: SpeechStates(str(found["wavlm"]), -2, 2, 1.5),
        lambda found: ClipFrameEncoder(found["clip"]),
        lambda found: ClipFrameEncoder(found["clip"], "hidden_-2", 3.0, 5.0, 7, "bfloat16"),
        lambda _: SmallPictures(12, None, 5.0, 9),
        lambda _: ColourPictures(12, 16, False, "bilinear", None, 5.0),
        lambda found: ColourPictures.as_seen_by(found["clip"], 3.0, 5.0),
        lambda found: Tokenizer(found["bert"], 7),
        lambda found: TextStates(str(found["bert"]), 7),
        lambda _: Peaks(40, 2, 1.5),
        lambda _: Brightness(3, 5.0),
        lambda _: Letters(),
    ],
)
def test_a_record_makes_the_extractor_that_wrote_it(make, weights, tmp_path):
    made = make(weights)
    record = made.record()
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    again = type(made).from_record(read_record(tmp_path))
    assert again.record() == record
    assert find_extractor(record.extractor, "here") is type(made)


def test_records_are_those_of_before(tmp_path):
    LibrosaFeatures(22050, 3).record().write(tmp_path)
    written = json.loads((tmp_path / "record.json").read_text())
    assert written.pop("weights_fingerprint").startswith("librosa 0.")
    assert written == OF_LIBROSA
    SmallPictures(12, rate_hz=5.0).record().write(tmp_path)
    written = json.loads((tmp_path / "record.json").read_text())
    assert written["options"].pop("preprocessing")["crop"] == [12, 12]
    assert written == OF_PICTURES


def test_every_class_of_mertk_is_found_by_its_name():
    for name, module in BUILT_IN.items():
        found = getattr(import_module(f"mertk.features.{module}"), name)
        assert issubclass(found, Extractor) and found.modality in PLACE_OPTIONS
        assert record_name(found) == name
    assert record_name(Peaks) == "tests.own_extractors.Peaks"


def test_weights_of_another_fingerprint_are_refused_with_the_option_that_gives_others(weights, tmp_path):
    other = write_wavlm(tmp_path / "other", seed=1)
    record = SpeechStates(str(weights["wavlm"]), 2).record()
    with pytest.raises(MertkError, match=rf"{other}: this is not what the audio .* {PLACE_OPTIONS['audio']}"):
        SpeechStates.from_record(record, str(other))
    moved = SpeechStates.from_record(replace(record, weights="/no/weights"), str(weights["wavlm"]))
    assert moved.record() == record


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dimension": 2}, "dimension 2, here 1"),
        ({"options": {"window_samples": 80, "overlap": 3}}, "overlap 3, here None"),
        ({"options": {"window_samples": 80, "sample_rate_hz": 16000}}, "sample_rate_hz 16000, here 8000"),
        ({"weights_fingerprint": "Peaks 1"}, "made with Peaks 1, here is tests.own_extractors.Peaks, .* otherwise"),
    ],
)
def test_another_version_of_a_class_is_refused(change, told):
    with pytest.raises(MertkError, match=told):
        Peaks.from_record(replace(Peaks().record(), **change))


def test_another_preprocessing_of_the_same_weights_is_refused(weights, tmp_path):
    record = ClipFrameEncoder(weights["clip"]).record()
    other = shutil.copytree(weights["clip"], tmp_path / "clip")
    path = other / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_mean": [0.5, 0.5, 0.5]}))
    with pytest.raises(
        MertkError, match=r"made otherwise than ClipFrameEncoder .*preprocessing .*right weights with --"
    ):
        ClipFrameEncoder.from_record(record, str(other))


def test_pictures_of_a_precision_that_changed_nothing_are_made_as_ever():
    record = SmallPictures(12).record()
    before = replace(record, options=record.options | {"precision": "bfloat16"})
    assert SmallPictures.from_record(before).record() == record


def test_what_keeps_no_record_of_an_argument_is_refused():
    with pytest.raises(MertkError, match="Forgetful does not keep its argument window_samples as an attribute"):
        Forgetful().record()


@pytest.mark.parametrize(
    "change",
    [
        {"extractor": "SpeechStates", "layer": "layer_x"},
        {"extractor": "Tokenizer", "options": {"max_tokens": "many"}},
        {"extractor": "SmallPictures", "layer": "grey_"},
        {"options": {"average": 0}},
        {"options": {"sample_rate_hz": None}},
        {"rate_hz": -1.0},
    ],
)
def test_a_record_that_no_program_wrote_is_one_message(change):
    record = LibrosaFeatures().record().as_dict() | change
    with pytest.raises(MertkError, match="the audio features of this model: "):
        open_source("audio", None, record, Places(), torch.device("cpu"))


def test_a_full_gpu_is_no_fault_of_a_record(monkeypatch):
    def fill(self, *_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    record = SmallPictures(12).record().as_dict()
    monkeypatch.setattr(SmallPictures, "__init__", fill)
    with pytest.raises(torch.OutOfMemoryError):
        open_source("video", None, record, Places(), torch.device("cpu"))


def test_a_module_that_is_not_trusted_is_not_asked_for_an_extractor():
    record = Peaks().record()
    with pytest.raises(MertkError, match=r"features.audio.*: 'tests.*no class of mertk.*add --trust tests"):
        open_source("audio", None, record.as_dict(), Places(), torch.device("cpu"))
    other = replace(record, extractor="torch.nn.Linear").as_dict()
    with pytest.raises(MertkError, match=r"torch.nn.Linear is no mertk.features.extractor.Extractor"):
        open_source("audio", None, other, Places(), torch.device("cpu"), ["torch"])
