"""Augmentation and modality dropout in training: drawn purely, and only there."""

from collections import Counter

import numpy as np
import pytest
import torch

from mertk.config import load_config
from mertk.data.augmentation import Gain, Speed
from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import EvaluationLoader, TrainingLoader
from mertk.data.sampler import BatchPlan
from mertk.data.variation import Draw, SoundChanges, Variation, draws
from mertk.errors import MertkError
from mertk.run.training import train
from mertk.training.batches import make_variation
from mertk.training.checkpoint import all_checkpoints, read_weights
from tests.small_run import small_config, write_data, write_recordings

NOISE = "mertk.data.augmentation.Noise"
RATE = 1000


class Sound:
    """Waveforms that tell their utterance; `u07` has 107 samples."""

    width = steps = record = None

    def length(self, utterance):
        return 100 + int(utterance[1:])

    def read(self, utterance):
        return np.full(self.length(utterance), 0.1 + int(utterance[1:]), dtype=np.float32)

    def origin(self, utterance):
        return "nowhere"


class Frames(Sound):
    width = 2

    def read(self, utterance):
        return np.ones((3, 2), dtype=np.float32)


class Tokens(Sound):
    def read(self, utterance):
        return np.full((4, 2), 7, dtype=np.int64)


def dataset_of(count, **inputs):
    ids = [f"u{number:02d}" for number in range(count)]
    return UtteranceDataset(ids, inputs or {"audio": Sound(), "video": Frames()}, np.arange(count) % 2, 64)


def variation(seed=5, **dropout):
    changes = [(Speed(factors=[0.9, 1.1]), 0.5), (Gain(gain_db=[-6, 6]), 1.0)]
    return Variation(seed, {"audio": SoundChanges(changes, RATE)}, dropout)


def loader_of(dataset, variation, **place):
    plan = BatchPlan(dataset.lengths(), dataset.labels, 8, seed=5)
    return TrainingLoader(dataset, plan, **place, variation=variation)


def equal(one, other):
    keys = [key for key, value in one.items() if isinstance(value, torch.Tensor)]
    return one["utterance_ids"] == other["utterance_ids"] and all(torch.equal(one[key], other[key]) for key in keys)


def rows_of(batches):
    """Waveforms without padding, in the order of the epoch."""
    return [
        row[:length] for batch in batches for row, length in zip(batch["audio"], batch["audio_lengths"], strict=True)
    ]


def test_workers_and_where_an_epoch_begins_change_nothing(monkeypatch):
    monkeypatch.setattr("mertk.data.loader.available_cores", lambda: 2)
    dataset, given = dataset_of(24), variation(audio=0.3, video=0.3)
    expected = list(loader_of(dataset, given).epoch(1))
    for num_workers in (1, 2):
        loader = loader_of(dataset, given, num_workers=num_workers)
        again, rest = list(loader.epoch(1)), list(loader.epoch(1, position=2))
        loader.close()
        assert all(map(equal, again, expected)) and len(again) == len(expected)
        assert all(map(equal, rest, expected[2:])) and len(rest) == len(expected) - 2
    other = list(loader_of(dataset, given).epoch(2))
    assert not torch.equal(other[0]["audio"], expected[0]["audio"])


def test_processes_together_hear_what_one_hears():
    dataset, given = dataset_of(24), variation(audio=0.3)
    alone = rows_of(loader_of(dataset, given).epoch(3))
    shares = [list(loader_of(dataset, given, rank=rank, world_size=2).epoch(3)) for rank in range(2)]
    together = rows_of(share[position] for position in range(len(shares[0])) for share in shares)
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_an_utterance_that_is_drawn_twice_is_changed_twice():
    row = {"utterance_id": "u01", "audio": Sound().read("u01")}
    heard = [variation().apply(row, Draw(1, epoch, repeat))["audio"] for epoch in (0, 1) for repeat in (0, 1)]
    assert len({(len(samples), float(samples[50])) for samples in heard}) == 4
    assert [[draw.repeat for draw in batch] for batch in draws([[2, 2], [1, 2]], 4)] == [[0, 1], [0, 2]]


def test_the_lengths_of_a_batch_follow_the_speed():
    changes = SoundChanges([(Speed(factors=[0.5]), 1.0)], RATE)
    dataset = dataset_of(6)
    batch = next(loader_of(dataset, Variation(0, {"audio": changes})).epoch(0))
    assert batch["audio_lengths"].tolist() == [2 * dataset.inputs["audio"].length(u) for u in batch["utterance_ids"]]
    assert batch["audio"].shape[1] == max(batch["audio_lengths"])
    # What is slower is longer than may be read.
    changes.max_seconds = 0.15
    assert len(changes.apply(Sound().read("u10"), np.random.default_rng(0))) == 150


def test_the_cache_keeps_the_waveform_that_was_read():
    class InPlace:
        def augment(self, samples, sample_rate_hz, random):
            samples *= 0
            return samples

    dataset = dataset_of(4)
    given = Variation(0, {"audio": SoundChanges([(InPlace(), 1.0)], RATE)})
    assert not next(loader_of(dataset, given).epoch(0))["audio"].any()
    assert all(dataset[row]["audio"].all() for row in range(4))


def test_inputs_are_left_out_as_often_as_asked_and_never_all():
    dataset = dataset_of(8, audio=Sound(), video=Frames(), text=Tokens())
    given = Variation(5, {}, {"audio": 0.5, "video": 1.0})
    batches = [batch for epoch in range(40) for batch in loader_of(dataset, given).epoch(epoch)]
    audio, video, text = (torch.cat([batch[name].flatten(1).any(1) for batch in batches]) for name in dataset.inputs)
    assert not video.any() and text.all()
    assert 0.4 < audio.double().mean() < 0.6
    assert batches[0]["text"].dtype == torch.int64
    assert set(batches[0]["video_lengths"].tolist()) == {3}  # zeros of the same length

    given = Variation(5, {}, {"audio": 1.0, "video": 1.0, "text": 1.0})
    counts = Counter()
    for batch in [batch for epoch in range(5) for batch in loader_of(dataset, given).epoch(epoch)]:
        there = torch.stack([batch[name].flatten(1).any(1) for name in dataset.inputs])
        assert (there.sum(0) == 1).all()
        counts.update(there.nonzero()[:, 0].tolist())
    assert len(counts) == 3


def test_an_input_alone_stays():
    given = Variation(0, {}, {"audio": 1.0, "video": 1.0})
    assert all(row.all() for row in rows_of(loader_of(dataset_of(4, audio=Sound()), given).epoch(0)))


def test_validation_hears_what_was_read():
    dataset = dataset_of(4)
    batch = next(iter(EvaluationLoader(dataset, 4)))
    assert all(torch.equal(row, torch.from_numpy(dataset[i]["audio"])) for i, row in enumerate(rows_of([batch])))


class Wrong:
    def augment(self, samples, sample_rate_hz, random):
        return samples / np.where(random.uniform() < 2, 0, 1)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_an_augmentation_that_fails_names_itself_and_the_utterance():
    given = Variation(0, {"audio": SoundChanges([(Wrong(), 1.0)], RATE)})
    with pytest.raises(
        MertkError, match=r"utterance u\d\d: the augmentation of its audio: Wrong gave an array of shape"
    ):
        list(loader_of(dataset_of(4), given).epoch(0))


def configure(*augmentation, dropout=0):
    given = ", ".join(augmentation)
    settings = ["data.inputs.audio.kind=waveform", f"data.inputs.audio.augmentation=[{given}]"]
    return load_config([], [*settings, f"data.inputs.audio.dropout={dropout}"])


def test_nothing_is_changed_unasked():
    assert make_variation(configure().data, 1) is None


def test_a_variation_is_made_as_the_configuration_says():
    made = make_variation(configure(f"{{component: {NOISE}, snr_db: [0, 1], probability: 0.5}}", dropout=0.2).data, 3)
    (noise, probability), *others = made.sound["audio"].steps
    assert (noise.snr_db, probability, others, made.seed, made.dropout) == ((0.0, 1.0), 0.5, [], 3, {"audio": 0.2})


class Takes:
    def __init__(self, probability=1.0):
        pass

    augment = Wrong.augment


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (f"{{component: {NOISE}, snr: [0, 1]}}", r"audio\.augmentation\[0\]\.snr: .*Did you mean: 'snr_db'"),
        (f"{{component: {NOISE}, snr_db: [3, 1]}}", r"^data\.inputs\.audio\.augmentation\[0\]\.snr_db: got \[3, 1\]"),
        ("{component: mertk.data.augmentation.Noize}", r"Did you mean: 'mertk\.data\.augmentation\.Noise'"),
        (
            "{component: torch.nn.Linear}",
            r"Linear has no augment; .* mertk\.data\.augmentation\.Augmentation",
        ),
        (
            "{snr_db: [0, 1]}",
            r"component: got None, expected a dotted path to a class of what .*Augmentation",
        ),
        (f"{{component: {__name__}.Takes}}", "Takes has an argument probability"),
    ],
)
def test_a_wrong_augmentation_names_its_key(augmentation, message):
    with pytest.raises(MertkError, match=message):
        make_variation(configure(augmentation).data, 1)


def listen(data, run_dir, *settings, resume=False):
    model = "model={component: tests.toy.Listener}"
    sound = ("data.inputs.audio.kind=waveform", f"data.inputs.audio.sample_rate_hz={RATE}")
    train(small_config(data, run_dir, model, *sound, *settings), resume=resume, force=True)
    return read_weights(all_checkpoints(run_dir / "checkpoints")[-1] / "model.safetensors")


def test_a_training_that_goes_on_hears_the_same(tmp_path):
    data = tmp_path / "data"
    write_data(data)
    write_recordings(data)
    changes = [
        "{component: mertk.data.augmentation.Speed, probability: 0.5}",
        f"{{component: {NOISE}, snr_db: [0, 20]}}",
        "{component: mertk.data.augmentation.Gain}",
    ]
    varied = (f"data.inputs.audio.augmentation=[{', '.join(changes)}]", "data.inputs.video.dropout=0.3")
    plain = listen(data, tmp_path / "plain")
    whole = listen(data, tmp_path / "whole", *varied)
    listen(data, tmp_path / "cut", *varied, "training.epochs=1")
    cut = listen(data, tmp_path / "cut", *varied, resume=True)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert not torch.equal(whole["out.weight"], plain["out.weight"])
