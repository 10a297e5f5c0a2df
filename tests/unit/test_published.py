"""Files of published figures."""

import pytest

from mertk.errors import MertkError
from mertk.report.published import read_published

PUBLISHED = """\
source: The paper.
note: Its epochs are chosen on the test session.
cv: session
figures:
  full: {ua: 80.10, wa: 79.45}
  baseline: {ua: 77.85, wa: 77.31}
"""


def test_accuracies_are_percent_and_errors_are_not(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text(PUBLISHED + "others:\n  Theirs: {acc2_non0: 85.5, mae: 0.708, corr: 1}\n", encoding="utf-8")
    published = read_published(path)
    assert published["figures"]["full"] == pytest.approx({"ua": 0.801, "wa": 0.7945})
    assert published["others"] == {"Theirs": pytest.approx({"acc2_non0": 0.855, "mae": 0.708, "corr": 1.0})}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("figures: {full: {ua: 80}}", "lacks source, note, cv; expected source, note, cv and figures"),
        ("[1, 2]", "got \\[1, 2\\]; expected source"),
        ("{", "expected source"),
        (PUBLISHED + "other: {}", "has other; expected source"),
        (PUBLISHED.replace("ua: 80.10", "uar: 80.10"), "figures.full: 'uar' is not a metric; expected some of ua, wa"),
        (PUBLISHED.replace("80.10", "high"), "figures.full.ua: got 'high', expected a number"),
        (PUBLISHED + "others: [1]", "others: got \\[1\\]"),
        (PUBLISHED + "others: {Theirs: 5}", "others.Theirs: got 5"),
    ],
)
def test_published_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "published.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MertkError, match=message):
        read_published(path)


def test_published_figures_of_the_recipes_are_read(checkout):
    found = sorted(checkout.glob("recipes/*/*/published*.yaml"))
    assert found
    for path in found:
        assert "full" in read_published(path)["figures"], path
