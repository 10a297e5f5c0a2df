"""What is proved before training when the parts are three-column scp files."""

import pytest

from mertk.config import load_config
from mertk.data.separation import check_separation
from mertk.errors import MertkError


@pytest.fixture
def parts(tmp_path):
    """A function from utterances by part to a configuration of scp files that hold them."""

    def make(**utterances):
        settings = []
        for part, names in utterances.items():
            file = tmp_path / f"{part}.scp"
            file.write_text("".join(f"{name} /wav/{name}.wav neu\n" for name in names.split()))
            settings.append(f"data.{part}={file}")
        return load_config([], settings).data

    return make


def test_parts_must_be_apart(parts):
    assert "say nothing of speakers" in check_separation(parts(train="a b", validation="c", test="d"), "custom")[0]
    with pytest.raises(MertkError, match=r"c is in data\.validation .* and in data\.test"):
        check_separation(parts(train="a b", validation="c", test="c"), "custom")


def test_under_published_only_selection_may_see_the_test_part(parts):
    check_separation(parts(train="a b", validation="c d", test="c d"), "published")
    check_separation(parts(train="a b", validation="c d"), "published")
    for given in ({"validation": "b c"}, {"validation": "c", "test": "b"}, {"validation": "b", "test": "c"}):
        with pytest.raises(MertkError, match=r"b is in data\.train"):
            check_separation(parts(train="a b", **given), "published")
