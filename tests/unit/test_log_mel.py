"""The encoder that is trained from nothing: its spectrogram, its augmentation, and what padding may do (nothing)."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft
import torch

from mertk.encoders.log_mel import LogMelEncoder, _cosine_transform
from mertk.encoders.spectrogram import Augmentation, LogMelSpectrogram, trim_silence
from mertk.errors import MertkError
from mertk.models.foal import FoalNet
from mertk.nn.normalization import MaskedBatchNorm

LENGTHS = [16000, 9137, 400, 12345, 1]
PLAIN = {"stretch": 0.0, "warp": 0.0, "gain": 0.0, "time_masks": 0, "mel_masks": 0}


@pytest.fixture
def speech():
    """Bursts of tones in quiet noise, padded with loud noise that must not matter."""
    random = torch.Generator().manual_seed(5)
    waveforms = 0.001 * torch.randn(len(LENGTHS), max(LENGTHS) + 700, generator=random)
    for row, length in enumerate(LENGTHS):
        burst = slice(length // 4, length // 2)
        seconds = torch.arange(waveforms.shape[1])[burst] / 16000
        waveforms[row, burst] += 0.2 * torch.sin(2 * torch.pi * 200 * (row + 1) * seconds)
        waveforms[row, length:] = 5.0
    return waveforms, torch.tensor(LENGTHS)


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")
@pytest.mark.parametrize("num_mels", [40, 80])
def test_spectrogram_is_that_of_librosa(num_mels, speech):
    waveforms, lengths = speech
    frames, frame_lengths = LogMelSpectrogram(num_mels)(waveforms, lengths)
    for row, length in enumerate(LENGTHS):
        expected = librosa.feature.melspectrogram(
            y=waveforms[row, :length].numpy(), sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=num_mels
        )
        assert frame_lengths[row] == expected.shape[1]
        found = frames[row, : expected.shape[1]].numpy()
        np.testing.assert_allclose(found, np.log(expected.T + 1e-6), rtol=0, atol=2e-3)


def test_cepstrum_is_the_orthonormal_cosine_transform():
    expected = scipy.fft.dct(np.eye(20), type=2, norm="ortho", axis=0)[:7].T
    np.testing.assert_allclose(_cosine_transform(20, 7).numpy(), expected, atol=1e-6)


def test_silence_is_cut_at_both_ends_and_only_there():
    levels = torch.full((2, 40), -10.0)
    levels[0, [10, 25]] = 0.0  # a pause of speech stays
    levels[1, 2:38] = 0.0
    frames = levels[..., None].repeat(1, 1, 3)
    frames[..., 1] += 1e-3 * torch.arange(40)
    trimmed, lengths = trim_silence(frames, torch.tensor([28, 39]), decibels=20, margin=3)
    assert lengths.tolist() == [21, 39]
    torch.testing.assert_close(trimmed[0, :21], frames[0, 7:28])
    torch.testing.assert_close(trimmed[1, :39], frames[1, :39])


def test_an_utterance_of_one_level_is_kept_whole():
    assert trim_silence(torch.zeros(1, 30, 4), torch.tensor([30]), decibels=20)[1].tolist() == [30]


def _padding_matters_not(encoder, waveforms, lengths):
    frames, frame_lengths = encoder(waveforms, lengths)
    for row, length in enumerate(LENGTHS):
        alone, alone_length = encoder(waveforms[row : row + 1, :length], lengths[row : row + 1])
        assert alone_length[0] == frame_lengths[row] == alone.shape[1]
        torch.testing.assert_close(frames[row, : frame_lengths[row]], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"silence_decibels": None}, {"num_coefficients": 0}], ids=str)
def test_padded_batch_equals_utterances_one_by_one(options, speech):
    torch.manual_seed(0)
    encoder = LogMelEncoder(dimension=16, **options)
    encoder(*speech)  # running statistics that are not those of the start
    _padding_matters_not(encoder.eval(), *speech)


def test_more_padding_changes_nothing_in_training_either(speech):
    waveforms, lengths = speech
    encoder = LogMelEncoder(dimension=16, dropout=0.0, **PLAIN)
    frames, frame_lengths = encoder(waveforms, lengths)
    padded, padded_lengths = encoder(torch.nn.functional.pad(waveforms, (0, 5000), value=3.0), lengths)
    assert padded_lengths.tolist() == frame_lengths.tolist()
    for row, length in enumerate(frame_lengths):
        torch.testing.assert_close(padded[row, :length], frames[row, :length], rtol=1e-4, atol=1e-5)


def test_foal_net_on_a_padded_batch_equals_utterances_one_by_one(speech):
    waveforms, lengths = speech
    model = FoalNet(num_classes=8, audio_encoder=LogMelEncoder(dimension=16), modalities=["audio"]).eval()
    logits = model({"audio": waveforms, "audio_lengths": lengths})["logits"]
    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        alone = model({"audio": waveforms[one, :length], "audio_lengths": lengths[one]})["logits"]
        torch.testing.assert_close(alone[0], logits[row], rtol=1e-4, atol=1e-5)


def test_batch_norm_is_that_of_torch_on_the_real_frames():
    torch.manual_seed(0)
    frames = torch.randn(3, 7, 5) * 3 + 100
    mask = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    ours, theirs = MaskedBatchNorm(5), torch.nn.BatchNorm1d(5)
    for _ in range(30):
        found, expected = ours(frames, mask), theirs(frames[mask])
        torch.testing.assert_close(found[mask], expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    count = mask.sum()  # torch keeps the unbiased variance
    torch.testing.assert_close(ours.running_variance, theirs.running_var * (count - 1) / count, rtol=0.02, atol=0.02)


def test_batch_norm_ignores_what_padding_holds():
    frames = torch.randn(2, 6, 3)
    mask = torch.arange(6) < torch.tensor([6, 2])[:, None]
    first, second = MaskedBatchNorm(3), MaskedBatchNorm(3)
    expected = first(frames, mask)
    frames[1, 2:] = torch.nan
    torch.testing.assert_close(second(frames, mask)[mask], expected[mask])
    torch.testing.assert_close(second.running_variance, first.running_variance)


def test_every_parameter_gets_a_gradient(speech):
    encoder = LogMelEncoder(dimension=16)
    encoder(*speech)[0].sum().backward()
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_augmentation_is_of_training_only_and_from_the_generator_of_torch(speech):
    encoder = LogMelEncoder(dimension=16, dropout=0.0)
    torch.manual_seed(1)
    first = encoder(*speech)[0]
    torch.manual_seed(1)
    torch.testing.assert_close(encoder(*speech)[0], first)
    second = encoder(*speech)[0]
    assert second.shape != first.shape or not torch.allclose(second, first)
    encoder.eval()
    torch.testing.assert_close(encoder(*speech)[0], encoder(*speech)[0], rtol=0, atol=0)


def test_augmentation_keeps_lengths_within_the_frames_and_values_finite():
    torch.manual_seed(0)
    frames = torch.randn(6, 50, 20)
    lengths = torch.tensor([50, 49, 30, 7, 2, 1])
    for _ in range(50):
        changed, changed_lengths = Augmentation(stretch=0.5, warp=0.3)(frames, lengths)
        assert changed.isfinite().all()
        assert (changed_lengths >= 1).all()
        assert (changed_lengths <= changed.shape[1]).all()


def test_no_augmentation_changes_nothing():
    frames, lengths = torch.randn(2, 9, 4), torch.tensor([9, 5])
    changed, changed_lengths = Augmentation(**PLAIN)(frames, lengths)
    torch.testing.assert_close(changed, frames, rtol=0, atol=0)
    assert changed_lengths.tolist() == [9, 5]


def test_checkpoints_hold_no_constants():
    names = LogMelEncoder(dimension=8).state_dict()
    assert not any("bands" in name or "window" in name or "transform" in name for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"num_coefficients": 90}, "num_coefficients.*90.*80"), ({"kernel_size": 4}, "odd")]
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(MertkError, match=message):
        LogMelEncoder(**arguments)
