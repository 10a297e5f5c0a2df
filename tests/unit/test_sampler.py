import numpy as np
import pytest

from mertk.data.sampler import BatchPlan, evaluation_batches, local_rows, shared_seed

LENGTHS = np.random.RandomState(0).uniform(1, 6, size=203)
CLASSES = np.repeat([0, 1, 2], [150, 40, 13])


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    plan = BatchPlan(LENGTHS, CLASSES, 16, seed=5)
    again = BatchPlan(LENGTHS, CLASSES, 16, seed=5)
    plan.batches(7)  # what was asked for before must not matter
    for one, other in zip(plan.batches(3), again.batches(3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(a, b) for a, b in zip(plan.batches(3), plan.batches(4), strict=True))
    other_seed = BatchPlan(LENGTHS, CLASSES, 16, seed=6).batches(3)
    assert any(not np.array_equal(a, b) for a, b in zip(plan.batches(3), other_seed, strict=True))


def test_unbalanced_epochs_hold_every_row_once():
    batches = BatchPlan(LENGTHS, None, 16, seed=1).batches(0)
    assert sorted(np.concatenate(batches)) == list(range(203))
    assert {len(batch) for batch in batches} <= {15, 16}


def test_balanced_epochs_draw_classes_equally_often():
    plan = BatchPlan(LENGTHS, CLASSES, 16, seed=1)
    drawn = np.concatenate([row for epoch in range(60) for row in plan.batches(epoch)])
    shares = np.bincount(CLASSES[drawn]) / len(drawn)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)
    # Within a class every utterance is as likely as any other.
    rare = np.bincount(drawn, minlength=203)[CLASSES == 2]
    assert rare.min() > 0.75 * rare.mean()


def test_length_pools_put_like_with_like():
    def padding(pool):
        batches = BatchPlan(LENGTHS, None, 8, length_pool=pool, seed=1).batches(0)
        return sum(LENGTHS[batch].max() * len(batch) - LENGTHS[batch].sum() for batch in batches)

    assert padding(16) < 0.4 * padding(1)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])
def test_processes_share_a_batch_without_overlap(world_size):
    batch = np.arange(100, 115)
    shares = [local_rows(batch, rank, world_size) for rank in range(world_size)]
    np.testing.assert_array_equal(np.concatenate(shares), batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_evaluation_batches_hold_every_row_once_in_order_of_length():
    batches = evaluation_batches(LENGTHS, 32)
    rows = np.concatenate(batches)
    assert sorted(rows) == list(range(203))
    assert (np.diff(LENGTHS[rows]) >= 0).all()


def test_shared_seeds_differ_between_steps():
    seeds = {shared_seed(1, epoch, position) for epoch in range(20) for position in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
