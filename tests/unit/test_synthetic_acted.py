"""Miniatures of RAVDESS and CREMA-D: their layouts, and what their importers make of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mertk.data.folds import read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import validate_directory
from mertk.data_prep import cremad, ravdess
from mertk.data_prep.ravdess_folds import PUBLISHED_GROUPS
from mertk.data_prep.synthetic import actor, listing, spoken_clip, weights
from mertk.data_prep.synthetic import cremad as small_cremad
from mertk.data_prep.synthetic import ravdess as small_ravdess
from mertk.errors import MertkError


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "write_models", lambda out, seed: (out / "clip").mkdir(parents=True))


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every take is the same one, for tests of where takes are; what they hold is tested of single ones."""
    one = actor.perform(1, actor.draw_actor(1, "01", "F"), "take", "hap")
    encoded: dict[tuple[str, bool], bytes] = {}
    write = spoken_clip.write_clip

    def write_once(path: Path, pictures: np.ndarray, samples: np.ndarray | None) -> None:
        key = (path.suffix, samples is not None)
        if key not in encoded:
            write(path, pictures, samples)
            encoded[key] = path.read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded[key])

    monkeypatch.setattr(spoken_clip, "write_clip", write_once)
    monkeypatch.setattr(actor, "perform", lambda *_: one)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ravdess_is_as_its_makers_pack_it(tmp_path: Path, still: None) -> None:
    marker = small_ravdess.write_corpus(tmp_path / "corpus")
    assert json.loads((tmp_path / "corpus/MINIATURE.json").read_text()) == marker
    for name in (
        "Audio_Speech_Actors_01-24/Actor_02/03-01-01-01-01-01-02.wav",
        "Video_Speech_Actor_02/Actor_02/01-01-01-01-01-01-02.mp4",
        "Video_Speech_Actor_02/Actor_02/02-01-01-01-01-01-02.mp4",
        "Audio_Song_Actors_01-24/Actor_02/03-02-01-01-01-01-02.wav",
    ):
        assert (tmp_path / "corpus" / name).stat().st_size > 1000
    manifest = ravdess.prepare(
        tmp_path / "corpus", tmp_path / "data", folds_by=["speaker", *PUBLISHED_GROUPS], video=True
    )
    assert (len(manifest), manifest.corpus["miniature"]) == (96, True) and marker["utterances"] == 96
    assert manifest.corpus["files"]["left_out"]["song"] == 24
    assert validate_directory(tmp_path / "data") == []
    for way in ("speaker", *PUBLISHED_GROUPS):
        for number in range(1, 7):
            test = read_fold(tmp_path / "data/folds" / f"{way}-clean" / str(number)).test
            assert len({utterance[6:8] for utterance in test}) == 8, "every fold has every emotion"


def test_cremad_is_as_its_makers_pack_it(tmp_path: Path, still: None) -> None:
    marker = small_cremad.write_corpus(tmp_path / "corpus")
    manifest = cremad.prepare(tmp_path / "corpus", tmp_path / "data")
    assert len(manifest) == marker["utterances"] - 1 and manifest.corpus["miniature"]
    assert [(e.utterance, e.reason) for e in read_ledger(tmp_path / "data/excluded.tsv")] == [
        (small_cremad.SILENT, "silent_audio")
    ]
    assert validate_directory(tmp_path / "data") == []
    voted = cremad.prepare(tmp_path / "corpus", tmp_path / "voted", labels="voice")
    assert voted.corpus["left_out"]["label_not_in_map"] > 0 and len(set(voted.labels())) == 6


def test_the_seed_decides_everything_and_what_is_whole_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_ravdess, "NUM_ACTORS", 2)
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        small_ravdess.write_corpus(tmp_path / name, seed)
    one, again, other = (contents(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again and one.keys() == other.keys() and one != other
    wav = next((tmp_path / "one").rglob("03-01-*.wav"))
    before = wav.stat().st_mtime_ns
    small_ravdess.write_corpus(tmp_path / "one", 1)
    assert wav.stat().st_mtime_ns == before
    wav.unlink()
    small_ravdess.write_corpus(tmp_path / "one", 1)
    assert contents(tmp_path / "one") == one and listing.is_whole(tmp_path / "one")
    (tmp_path / "one" / "mine.txt").write_text("mine")
    with pytest.raises(MertkError, match=r"mine\.txt, which is none of its files"):
        small_ravdess.write_corpus(tmp_path / "one", 2)


def test_voice_and_face_follow_the_emotion() -> None:
    her = actor.draw_actor(1, "01", "F")
    loud = [abs(actor.perform(1, her, f"take {number}", "ang")[0]).mean() for number in range(4)]
    calm = [abs(actor.perform(1, her, f"take {number}", "cal")[0]).mean() for number in range(4)]
    assert min(loud) > max(calm)
    samples, pictures = actor.perform(1, her, "take", "hap")
    assert pictures.shape[1:] == (72, 72, 3) and abs(len(samples) / 16000 - len(pictures) / 24) < 0.1
