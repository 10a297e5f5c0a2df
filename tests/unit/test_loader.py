"""Reading utterances and sharing batches between processes."""

import gc
import os

import numpy as np
import pytest
import soundfile
import torch

from mertk.config import load_config
from mertk.data.dataset import UtteranceDataset, collate
from mertk.data.loader import EvaluationLoader, TrainingLoader
from mertk.data.manifest import load_manifest
from mertk.data.parts import open_part
from mertk.data.sampler import BatchPlan
from mertk.data.waveform import read_waveform
from mertk.errors import MertkError
from mertk.tasks import find_task


class Frames:
    """Input of made-up features; utterance `u07` has 8 frames."""

    width, record = 3, None

    def __init__(self, bad=()):
        self.bad = bad
        self.reads = 0

    def has(self, utterance):
        return True

    def length(self, utterance):
        return int(utterance[1:]) + 1

    def origin(self, utterance):
        return "features/video; make them again"

    def read(self, utterance):
        self.reads += 1
        frames = np.full((int(self.length(utterance)), 3), self.length(utterance), dtype=np.float32)
        if utterance in self.bad:
            frames[-1, 2] = np.nan
        return frames


def dataset_of(count, bad=(), cache_megabytes=0):
    ids = [f"u{number:02d}" for number in range(count)]
    return UtteranceDataset(ids, {"video": Frames(bad)}, np.arange(count) % 2, cache_megabytes)


def test_a_batch_is_padded_to_its_own_longest():
    dataset = dataset_of(10)
    batch = collate([dataset[2], dataset[5]])
    assert batch["video"].shape == (2, 6, 3)
    assert batch["video_lengths"].tolist() == [3, 6]
    assert batch["video"][0, 3:].abs().sum() == 0
    assert batch["labels"].tolist() == [0, 1]
    assert batch["utterance_ids"] == ["u02", "u05"]


def test_processes_together_see_the_batches_of_one():
    dataset = dataset_of(23)
    plan = BatchPlan(dataset.lengths(), None, 8, seed=3)
    alone = list(TrainingLoader(dataset, plan).epoch(2))
    shared = [list(TrainingLoader(dataset, plan, rank=rank, world_size=3).epoch(2)) for rank in range(3)]
    for position, batch in enumerate(alone):
        together = [name for rank in range(3) for name in shared[rank][position]["utterance_ids"]]
        assert together == batch["utterance_ids"]
        assert {shared[rank][position]["shared_seed"] for rank in range(3)} == {batch["shared_seed"]}


def test_an_epoch_can_start_in_the_middle():
    dataset = dataset_of(23)
    loader = TrainingLoader(dataset, BatchPlan(dataset.lengths(), None, 8, seed=3))
    whole, rest = list(loader.epoch(1)), list(loader.epoch(1, position=1))
    assert [b["utterance_ids"] for b in whole[1:]] == [b["utterance_ids"] for b in rest]
    assert [b["shared_seed"] for b in whole[1:]] == [b["shared_seed"] for b in rest]


def test_making_an_iterator_leaves_the_global_random_state_alone():
    dataset = dataset_of(9)
    loader = TrainingLoader(dataset, BatchPlan(dataset.lengths(), None, 4))
    before = torch.get_rng_state()
    list(loader.epoch(0))
    assert torch.equal(before, torch.get_rng_state())


def test_evaluation_covers_every_utterance_once_over_processes():
    dataset = dataset_of(23)
    seen = [
        name
        for rank in range(3)
        for batch in EvaluationLoader(dataset, 4, rank=rank, world_size=3)
        for name in batch["utterance_ids"]
    ]
    assert sorted(seen) == dataset.ids


def test_more_processes_than_rows_in_a_batch_are_refused():
    dataset = dataset_of(6)
    with pytest.raises(MertkError, match=r"cannot be shared by 4 processes.*sampler\.batch_size"):
        TrainingLoader(dataset, BatchPlan(dataset.lengths(), None, 3), world_size=4)


def test_workers_are_no_more_than_cores(monkeypatch, recwarn):
    monkeypatch.setattr("mertk.data.loader.available_cores", lambda: 1)
    loader = EvaluationLoader(dataset_of(8), 4, num_workers=64)
    assert loader._loader.num_workers == 1
    assert sum(len(batch["utterance_ids"]) for batch in loader) == 8
    assert not recwarn.list
    loader.close()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_not_finite_features_name_the_utterance_without_a_stack_trace(num_workers):
    loader = EvaluationLoader(dataset_of(8, bad=["u03"]), 4, num_workers)
    with pytest.raises(MertkError, match=r"utterance u03: its video holds NaN .* features/video; make") as caught:
        list(loader)
    loader.close()
    assert "Traceback" not in str(caught.value)


class Odd(Frames):
    """One utterance fails in a way that nobody foresaw."""

    def read(self, utterance):
        return {}["title"] if utterance == "u03" else super().read(utterance)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_error_that_nobody_foresaw_names_the_utterance(num_workers):
    dataset = dataset_of(8)
    dataset.inputs["video"] = Odd()
    loader = EvaluationLoader(dataset, 4, num_workers)
    with pytest.raises(MertkError, match="utterance u03: its video: KeyError: 'title'") as caught:
        list(loader)
    loader.close()
    assert 'return {}["title"]' in caught.value.trace


def test_the_cache_saves_reads_and_keeps_its_size():
    dataset = dataset_of(8, cache_megabytes=1)
    for _ in range(3):
        dataset[4]
    assert dataset.inputs["video"].reads == 1
    dataset.cache_bytes = dataset[7]["video"].nbytes  # room for the largest alone
    dataset[6]
    assert dataset._cached_bytes <= dataset.cache_bytes
    assert dataset._cached_bytes == sum(arrays["video"].nbytes for arrays in dataset._cache.values())


def write_wav(path, seconds=0.5, rate=16000, channels=1):
    samples = 0.1 * np.random.RandomState(0).standard_normal((int(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def test_waveforms_are_cut_mixed_and_resampled(tmp_path):
    assert read_waveform(write_wav(tmp_path / "a.wav"), "a", max_seconds=0.25).shape == (4000,)
    assert read_waveform(write_wav(tmp_path / "b.wav", rate=48000, channels=2), "b").shape == (8000,)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 2), (8000, 1)])
def test_other_formats_are_refused_when_asked(tmp_path, rate, channels):
    path = write_wav(tmp_path / "a.wav", rate=rate, channels=channels)
    with pytest.raises(
        MertkError, match=rf"utterance a: .*a\.wav has {channels} channel\(s\) at {rate} Hz, expected 1 at"
    ):
        read_waveform(path, "a", policy="refuse")


def test_bad_audio_names_file_and_utterance(tmp_path):
    with pytest.raises(MertkError, match=r"utterance u: audio file .*none\.wav does not exist"):
        read_waveform(tmp_path / "none.wav", "u")
    (tmp_path / "junk.wav").write_bytes(b"RIFF junk")
    with pytest.raises(MertkError, match=r"utterance u: .*junk\.wav cannot be read"):
        read_waveform(tmp_path / "junk.wav", "u")
    with pytest.raises(MertkError, match=r"utterance u: .*empty\.wav holds no samples"):
        read_waveform(write_wav(tmp_path / "empty.wav", seconds=0), "u")
    with pytest.raises(MertkError, match=r"lasts 0\.500 s, expected 0\.900 s .*truncated"):
        read_waveform(write_wav(tmp_path / "short.wav"), "u", expected_seconds=0.9)


def scp_part(tmp_path, labels, **settings):
    lines = []
    for number, label in enumerate(labels):
        path = write_wav(tmp_path / f"w{number}.wav", seconds=0.1)
        lines.append(f"utt{number} {path} {label}\n")
    (tmp_path / "train.scp").write_text("".join(lines))
    given = [f"{key}={value}" for key, value in settings.items()]
    return load_config([], [f"data.train={tmp_path}/train.scp", "data.inputs.audio.kind=waveform", *given]).data


def test_a_three_column_scp_is_a_part(tmp_path):
    part = open_part(scp_part(tmp_path, ["sad", "ang", "sad"]), "train", find_task("classification"))
    assert part.classes == ["ang", "sad"]
    assert part.dataset.labels.tolist() == [1, 0, 1]
    assert part.facts() == {"num_train_utterances": 3, "num_classes": 2, "class_counts": [1, 2]}
    assert part.dataset[1]["audio"].shape == (1600,)


def test_a_label_outside_the_classes_names_the_utterance(tmp_path):
    config = scp_part(tmp_path, ["sad", "hap"], **{"data.classes": "[sad,ang]"})
    with pytest.raises(MertkError, match=r"utterance utt1 has the label 'hap', expected one of sad, ang"):
        open_part(config, "train", find_task("classification"))


def test_permuted_labels_keep_their_counts_but_not_their_places(tmp_path):
    labels = ["a", "b", "c", "d"] * 5
    plain = open_part(scp_part(tmp_path, labels), "train", find_task("classification")).dataset.labels
    permuted = open_part(
        scp_part(tmp_path, labels, **{"data.permute_training_labels": "true"}), "train", find_task("classification")
    ).dataset.labels
    assert sorted(plain) == sorted(permuted)
    assert (plain != permuted).any()


def test_the_manifest_of_an_scp_has_the_paths(tmp_path):
    scp_part(tmp_path, ["x"])
    assert load_manifest(tmp_path / "train.scp").column("wav.scp") == [str(tmp_path / "w0.wav")]


class Left:
    """Garbage that tells when it is collected."""

    def __init__(self, told):
        self.told, self.itself = told, self

    def __del__(self):
        (self.told / str(os.getpid())).touch()


class CollectedFrames(Frames):
    """Frames of who collects garbage before each."""

    def read(self, utterance):
        gc.collect()
        return super().read(utterance)


def test_workers_leave_alone_what_was_left_behind_before_them(tmp_path):
    dataset = dataset_of(4)
    dataset.inputs["video"] = CollectedFrames()
    gc.disable()
    try:
        Left(tmp_path)
        loader = EvaluationLoader(dataset, batch_size=2, num_workers=1)
    finally:
        gc.enable()
    assert gc.get_freeze_count() == 0
    assert len(list(loader)) == 2
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]
