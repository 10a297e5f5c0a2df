"""Label banks against a plain form that keeps everything and takes its means over all of it, step by step."""

from __future__ import annotations

import pytest
import torch

from mertk.models.tam_ulag_label_banks import LabelBanks

WIDTHS = {"fusion": 6, "audio": 3, "text": 4}
SIZE = 20


class PlainBanks:
    """The equations, with centres taken over the whole bank at every step."""

    def __init__(self, limit: float = 3.0, exclude_zero: bool = True) -> None:
        self.limit, self.exclude_zero = limit, exclude_zero
        self.labels: dict[str, dict[int, float]] = {name: {} for name in WIDTHS}
        self.features: dict[str, dict[int, torch.Tensor]] = {name: {} for name in WIDTHS}

    def centres(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        labels, features = self.labels[name], self.features[name]
        positive = [features[i] for i in labels if labels[i] > 0 or (labels[i] == 0 and not self.exclude_zero)]
        negative = [features[i] for i in labels if labels[i] < 0]
        return torch.stack(positive).mean(dim=0), torch.stack(negative).mean(dim=0)

    def update(self, indices, labels, features, epoch):
        parts = dict(zip(WIDTHS, features.split(list(WIDTHS.values()), dim=1), strict=True))
        centres = {name: self.centres(name) for name in WIDTHS} if epoch > 0 else {}
        # What an utterance had before the batch is what moves, however often it stands in the batch.
        before = {name: dict(labels) for name, labels in self.labels.items()}
        for row, index in enumerate(indices.tolist()):
            truth = labels[row].item()
            for name in WIDTHS:
                label = before[name].get(index, truth)
                if epoch > 0:
                    label = self.moved(
                        label, truth, name, centres, {key: part[row] for key, part in parts.items()}, epoch
                    )
                self.labels[name][index] = truth if name == "fusion" else label
                self.features[name][index] = parts[name][row]

    def moved(self, label, truth, name, centres, features, epoch):
        def relative(key):
            positive, negative = ((features[key] - centre).norm().item() for centre in centres[key])
            return (negative - positive) / (positive + 1e-8)

        ratio = relative(name) / (relative("fusion") + 1e-8)
        new = 0.5 * ratio * truth + 0.5 * (truth + relative(name) - relative("fusion"))
        number = epoch + 1
        new = max(-self.limit, min(self.limit, new))
        return (number - 1) / (number + 1) * label + 2 / (number + 1) * new


def batches(num_epochs: int, dtype: torch.dtype = torch.float64, seed: int = 0):
    """Batches of all utterances, in another order each epoch; the last takes some from the first again."""
    random = torch.Generator().manual_seed(seed)
    truths = (torch.randn(SIZE, generator=random) * 2).clamp(-3, 3).to(dtype)
    truths[4:7] = 0
    for epoch in range(num_epochs):
        order = torch.randperm(SIZE, generator=random)
        for start in range(0, SIZE, 8):
            indices = torch.cat([order, order])[start : start + 8]
            features = torch.randn(8, sum(WIDTHS.values()), generator=random).to(dtype)
            yield indices, truths[indices], features, epoch


def assert_sums_are_exact(banks: LabelBanks, tolerance: float) -> None:
    """Running sums and counts against those of everything in the banks."""
    start = 0
    for bank, width in enumerate(banks.widths):
        labels, columns = banks.labels[:, bank], slice(start, start + width)
        is_positive = labels > 0 if banks.exclude_zero else labels >= 0
        for place, has_sign in enumerate((is_positive & banks.is_seen, (labels < 0) & banks.is_seen)):
            expected = banks.features[has_sign][:, columns].double().sum(dim=0)
            torch.testing.assert_close(banks.sums[columns, place], expected, rtol=0, atol=tolerance)
            assert banks.counts[bank, place] == has_sign.sum()
        start += width


@pytest.mark.parametrize("options", [{}, {"exclude_zero": False}, {"limit": 0.5}], ids=str)
def test_labels_and_centres_are_those_of_the_plain_form(options):
    banks, plain = LabelBanks(SIZE, WIDTHS, **options).double(), PlainBanks(**options)
    for batch in batches(4):
        banks.update(*batch)
        plain.update(*batch)
        indices, truths = batch[:2]
        for name, labels in banks.lookup(indices, truths).items():
            expected = torch.tensor([plain.labels[name][index] for index in indices.tolist()], dtype=torch.float64)
            torch.testing.assert_close(labels, expected, rtol=0, atol=1e-10)
        assert_sums_are_exact(banks, 1e-12)
    centres = torch.cat([torch.stack(plain.centres(name), dim=1) for name in WIDTHS])
    torch.testing.assert_close(banks.centres(), centres, rtol=0, atol=1e-12)
    assert banks.labels[:, 1:].abs().max() <= max(banks.limit, batch[1].abs().max())


def test_labels_stay_the_true_ones_in_the_first_epoch_and_move_then():
    banks = LabelBanks(SIZE, WIDTHS)
    for indices, truths, features, epoch in batches(2, torch.float32):
        banks.update(indices, truths, features, epoch)
        found = banks.lookup(indices, truths)
        assert torch.equal(found["fusion"], truths)
        assert torch.equal(found["audio"], truths) == (epoch == 0)


def test_of_an_utterance_that_stands_twice_the_last_row_counts():
    filled = list(batches(1))
    twice, once = LabelBanks(SIZE, WIDTHS).double(), LabelBanks(SIZE, WIDTHS).double()
    for banks in (twice, once):
        for batch in filled:
            banks.update(*batch)
    indices, truths = torch.tensor([3, 8, 3, 9, 3]), torch.tensor([1.0, -1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    features = torch.randn(5, sum(WIDTHS.values()), dtype=torch.float64)
    twice.update(indices, truths, features, 1)
    kept = torch.tensor([1, 3, 4])
    once.update(indices[kept], truths[kept], features[kept], 1)
    for name, value in once.state_dict().items():
        torch.testing.assert_close(twice.state_dict()[name], value, rtol=0, atol=1e-12)


def test_an_utterance_first_seen_later_starts_from_its_true_label():
    banks = LabelBanks(SIZE, WIDTHS).double()
    index, truth = torch.tensor([SIZE - 1]), torch.tensor([2.5], dtype=torch.float64)
    for indices, truths, features, epoch in batches(1):
        keep = indices != SIZE - 1
        banks.update(indices[keep], truths[keep], features[keep], epoch)
    assert not banks.is_seen[-1]
    assert all(labels.item() == 2.5 for labels in banks.lookup(index, truth).values())
    counts = banks.counts.sum()
    banks.update(index, truth, torch.randn(1, sum(WIDTHS.values()), dtype=torch.float64), 1)
    assert banks.is_seen[-1]
    assert banks.labels[-1, 1] != 2.5
    assert banks.counts.sum() == counts + len(WIDTHS)  # it has left no class that it was not in
    assert_sums_are_exact(banks, 1e-12)


def test_without_a_negative_utterance_no_label_moves():
    banks = LabelBanks(4, WIDTHS)
    indices, truths = torch.arange(4), torch.tensor([1.0, 2.0, 0.0, 3.0])
    for epoch in range(3):
        banks.update(indices, truths, torch.randn(4, sum(WIDTHS.values())), epoch)
    assert torch.equal(banks.labels, truths[:, None].expand(4, len(WIDTHS)))


def test_banks_continue_from_their_state_exactly():
    whole, half = LabelBanks(SIZE, WIDTHS), LabelBanks(SIZE, WIDTHS)
    steps = list(batches(4, torch.float32))
    for batch in steps:
        whole.update(*batch)
    for batch in steps[:7]:
        half.update(*batch)
    resumed = LabelBanks(SIZE, WIDTHS)
    resumed.load_state_dict({name: value.clone() for name, value in half.state_dict().items()})
    for batch in steps[7:]:
        resumed.update(*batch)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_running_sums_of_float32_features_do_not_drift():
    banks = LabelBanks(SIZE, WIDTHS)
    for batch in batches(100, torch.float32):
        banks.update(*batch)
    assert_sums_are_exact(banks, 1e-10)
    assert banks.sums.dtype == torch.float64


def test_only_the_banks_own_state_is_saved():
    banks = LabelBanks(SIZE, WIDTHS)
    assert set(banks.state_dict()) == {"is_seen", "labels", "features", "sums", "counts"}
    assert list(banks.parameters()) == []


def test_an_update_never_waits_for_the_device():
    """Tensors without values refuse whatever would need one on the host: a branch, a mask as index, `.item()`."""
    banks = LabelBanks(SIZE, WIDTHS).to("meta")
    for batch in batches(2, torch.float32):
        banks.update(*(value.to("meta") for value in batch[:3]), batch[3])
        banks.lookup(batch[0].to("meta"), batch[1].to("meta"))
