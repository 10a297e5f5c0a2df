"""Small grey pictures, from frames to what an encoder that is trained on them makes of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from mertk.config import InputConfig
from mertk.data.feature_store import read_record
from mertk.data.recording import Recording
from mertk.data.video_frames import Segment, read_frames
from mertk.data_prep import extract_video
from mertk.encoders.pictures import PictureEncoder
from mertk.errors import MertkError
from mertk.features import Places, open_source
from mertk.features.small_pictures import SmallPictures
from mertk.models.foal import FoalNet
from tests.video_corpus import DIALOGUES, NUM_UTTERANCES, read_features, write_corpus, write_video


def test_brightness_of_the_square_in_the_middle():
    frames = np.zeros((3, 20, 40, 3), np.uint8)
    frames[0, :, 10:30] = 255
    frames[1, :, :, 1] = 255
    frames[2, :10] = 255
    pictures = SmallPictures(10).encode_whole(frames)
    assert pictures.shape == (3, 100) and pictures.dtype == np.float32
    np.testing.assert_allclose(pictures[0].reshape(10, 10)[:, 1:-1], 1, atol=1e-6)
    np.testing.assert_allclose(pictures[1], 0.587, atol=1e-6)
    upper, lower = np.split(pictures[2], 2)
    assert upper[:40].min() > 0.99 and lower[10:].max() < 0.01


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_corpus(tmp_path_factory.mktemp("pictures") / "data")
    out = folder / "features/pictures"
    assert extract_video.main(["--data", str(folder), "--side", "12", "--rate_hz", "5", "--out", str(out)]) == 0
    return folder


def test_pictures_are_extracted_without_any_weights(data):
    features, record = read_features(data / "features/pictures"), read_record(data / "features/pictures")
    assert len(features) == NUM_UTTERANCES
    assert (record.extractor, record.layer, record.dimension) == ("SmallPictures", "grey_12", 144)
    assert record.rate_hz == 5 and not record.miniature
    utterance, start, end, half = DIALOGUES["third"][1][0]
    segment = Segment(utterance, Fraction(str(start)), Fraction(str(end)), half)
    frames = read_frames(data.parent / "third.avi", segment, 6.0, 5)
    np.testing.assert_array_equal(features[utterance], SmallPictures(12).encode_whole(frames))


def test_pictures_of_a_recording_are_those_of_the_corpus(data, tmp_path):
    write_video(tmp_path / "mine.avi", 90, seed=2)
    record = read_record(data / "features/pictures").as_dict()
    source = open_source("video", InputConfig(), record, Places(), torch.device("cpu"))
    pictures = source(Recording(tmp_path / "mine.avi"))
    assert pictures.shape == (16, 144)
    whole = Segment("mine", Fraction(0), Fraction(3))
    frames = read_frames(tmp_path / "mine.avi", whole, 6.0, 5)
    np.testing.assert_array_equal(pictures[:15], SmallPictures(12).encode_whole(frames)[:15])


@pytest.mark.parametrize("arguments", [[], ["--weights", "clip", "--side", "48"], ["--side", "0"]])
def test_either_weights_or_a_side(arguments, tmp_path):
    with pytest.raises(SystemExit) as ended:
        extract_video.main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize("training", [True, False])
def test_neither_padding_nor_the_batch_changes_a_result(training):
    torch.manual_seed(0)
    encoder = PictureEncoder(side=16, dropout=0.0, mirror=0.0).train(training)
    pictures, lengths = torch.rand(3, 7, 256), torch.tensor([7, 2, 5])
    padded = torch.cat([pictures, torch.full((3, 4, 256), float("nan"))], dim=1)
    padded[1, 2:] = float("nan")
    together, same = encoder(padded, lengths)
    assert same.tolist() == [7, 2, 5]
    for row, length in enumerate(lengths):
        alone, _ = encoder(pictures[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row, :length], alone[0])
        assert together[row, length:].eq(0).all()


def test_the_pictures_of_an_utterance_are_mirrored_together_and_only_in_training():
    encoder = PictureEncoder(side=8, channels=[4], dropout=0.0, mirror=1.0)
    pictures, lengths = torch.rand(2, 3, 64), torch.tensor([3, 3])
    mirrored = pictures.unflatten(2, (8, 8)).flip(3).flatten(2)
    torch.testing.assert_close(encoder.train()(pictures, lengths)[0], encoder.eval()(mirrored, lengths)[0])


def test_pictures_of_another_size_are_refused():
    with pytest.raises(MertkError, match="pictures of 144 values, expected 48 x 48; set side"):
        PictureEncoder()(torch.rand(1, 2, 144), torch.tensor([2]))
    with pytest.raises(MertkError, match="side: got 4, expected at least 8 for 3 halvings"):
        PictureEncoder(side=4)


def test_foal_net_trains_an_encoder_of_pictures():
    model = FoalNet(3, video_encoder=PictureEncoder(side=16), audio_dim=12, projection_dim=8).train()
    batch = {
        **{"audio": torch.randn(4, 5, 12), "audio_lengths": torch.tensor([5, 4, 3, 2])},
        **{"video": torch.rand(4, 6, 256), "video_lengths": torch.tensor([6, 1, 2, 3])},
        **{"labels": torch.tensor([0, 1, 2, 0]), "shared_seed": 1},
    }
    sum(model.losses(model(batch), batch).values()).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    assert FoalNet(3, video_encoder=PictureEncoder(), audio_dim=12, modalities=["audio"]).video_encoder is None


def test_an_encoder_learns_what_pictures_show():
    """A bright left or right half, in noise: a few steps must do."""
    torch.manual_seed(0)
    model = FoalNet(2, video_encoder=PictureEncoder(side=16, dropout=0.0, mirror=0.0), modalities=["video"])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        labels = torch.randint(2, (16,))
        pictures = torch.rand(16, 3, 16, 16)
        pictures[labels == 0, :, :8] += 0.5
        pictures[labels == 1, :, 8:] += 0.5
        batch = {"video": pictures.flatten(2), "video_lengths": torch.full((16,), 3), "labels": labels}
        loss = sum(model.losses(output := model(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (output["logits"].argmax(1) == labels).float().mean() > 0.9
