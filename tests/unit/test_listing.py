"""Miniatures that lost files, and files of others in their folders."""

import pytest

from mertk.data_prep.synthetic import listing
from mertk.errors import MertkError


@pytest.fixture
def miniature(tmp_path):
    for folder in (tmp_path / "out", tmp_path / "new"):
        (folder / "deep").mkdir(parents=True)
        for name in ("one", "deep/two"):
            (folder / name).write_text(name)
        listing.write_listing(folder)
    return tmp_path / "out", tmp_path / "new"


def test_what_is_missing_or_cut_comes_back_and_the_rest_is_not_touched(miniature):
    out, new = miniature
    assert listing.is_whole(out)
    untouched = (out / "one").stat().st_mtime_ns
    (out / "deep" / "two").unlink()
    assert not listing.is_whole(out)
    listing.mend(out, new)
    assert (out / "deep" / "two").read_text() == "deep/two"
    assert (out / "one").stat().st_mtime_ns == untouched
    (out / "one").write_text("")
    assert not listing.is_whole(out)


def test_files_of_others_are_not_replaced(miniature):
    out, _ = miniature
    listing.check_own(out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(MertkError, match="notes.txt, which is none of its files"):
        listing.check_own(out)


def test_miniatures_of_before_there_were_listings_count_as_whole(miniature):
    out, _ = miniature
    (out / listing.LISTING).unlink()
    (out / "notes.txt").write_text("mine")
    assert listing.is_whole(out) and not listing.has_listing(out)
    listing.check_own(out)
