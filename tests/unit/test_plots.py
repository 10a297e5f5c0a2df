"""Pictures show all that they say, whatever it is called."""

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from mertk.report import plots
from mertk.report.plots import plot_confusion, plot_scatter, shorten_labels, wrap
from mertk.report.projection import plot_projection

LONG = "paper_data.permute_training_labels=true session-clean (MINIATURE; labels permuted in training: chance expected)"
EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, and their texts inside the axes' limits, as they were drawn."""
    figures = []
    save = plots.save_figure

    def keep(figure, path):
        save(figure, path)
        figures.append(figure)

    monkeypatch.setattr(plots, "save_figure", keep)
    return figures


def check_edges(path):
    """Nothing touches the edge of a picture, as it does where something is cut off."""
    picture = imread(path)[..., :3]
    for edge in (picture[:4], picture[-4:], picture[:, :4], picture[:, -4:]):
        assert edge.min() == 1.0, path
    return picture


def check_title(figure, title):
    """The title lies within the width of the figure, and none of it is lost."""
    (shown,) = (text for text in figure.findobj(Text) if text is figure._suptitle)
    box = shown.get_window_extent(figure.canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert "".join(shown.get_text().split()) == "".join(title.split())


@pytest.mark.parametrize("title", ["paper session-clean", LONG, "x" * 300, "a_$b^c$ \\frac{"])
def test_titles_fit_whatever_their_length(tmp_path, drawn, title):
    plot_confusion(["negative", "positive"], [[3, 1], [0, 7]], title, tmp_path / "confusion.png")
    values = np.linspace(-3, 3, 20)
    plot_scatter(values, values / 2, f"{title}\nMAE 0.62, Corr 0.83", tmp_path / "scatter.png")
    check_title(drawn[0], title)
    check_title(drawn[1], f"{title}\nMAE 0.62, Corr 0.83")
    for name in ("confusion", "scatter"):
        check_edges(tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    "classes",
    [["one"], EMOTIONS, ["neutral, or nothing that anybody could name", "happy", "sad"], [f"k{n}" for n in range(14)]],
    ids=["one", "eight", "long", "fourteen"],
)
def test_classes_fit_whatever_their_number_and_names(tmp_path, drawn, classes):
    counts = np.full((len(classes), len(classes)), 1234)
    plot_confusion(classes, counts, LONG, tmp_path / "confusion.png")
    check_edges(tmp_path / "confusion.png")
    (figure,) = drawn
    renderer, axes = figure.canvas.get_renderer(), figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == shorten_labels(classes)
        if labels[0].get_rotation() == 0:
            boxes = [label.get_window_extent(renderer) for label in labels]
            assert not any(one.overlaps(other) for one, other in zip(boxes, boxes[1:], strict=False))
    cell = axes.get_window_extent(renderer).width / len(classes)
    assert max(text.get_window_extent(renderer).width for text in axes.texts) < cell


@pytest.mark.parametrize("count", [2, 12])
def test_legends_fit_whatever_their_number_and_names(tmp_path, monkeypatch, count):
    figures = []
    save = plots.save_figure
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: (save(figure, path), figures.append(figure)))
    generator = np.random.default_rng(0)
    names = [f"_some long name of a representation {number} exclusive" for number in range(count)]
    labels = [f"class number {number % count}" for number in range(24)]
    vectors = {name: generator.standard_normal((24, 3)) for name in names}
    plot_projection(vectors, labels, f"before: {LONG}", tmp_path / "pca.png")
    check_edges(tmp_path / "pca.png")
    (figure,) = figures
    renderer = figure.canvas.get_renderer()
    colours = set()
    for axes in figure.axes:
        legend = axes.get_legend()
        assert len(legend.get_texts()) == count, "matplotlib leaves names out that begin with _"
        boxes = [axes.xaxis.label.get_window_extent(renderer), legend.get_window_extent(renderer)]
        assert not boxes[0].overlaps(boxes[1])
        colours = {tuple(handle.get_facecolor()[0]) for handle in legend.legend_handles}
        assert len(colours) == count
    left, right = (axes.get_legend().get_window_extent(renderer) for axes in figure.axes)
    assert not left.overlaps(right)


def test_a_line_is_broken_at_blanks_and_within_words_that_are_too_long():
    def fits(line):
        return len(line) <= 10

    assert wrap("a short one", fits) == ["a short", "one"]
    assert wrap("abcdefghijklmno pq", fits) == ["abcdefghij", "klmno pq"]
    assert wrap("", fits) == []
    assert wrap("abc", lambda line: False) == ["a", "b", "c"]
