"""mertk report: the page of scored experiments."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from mertk.bin.report import main
from mertk.report.experiments import collect
from mertk.report.figures import figure
from mertk.report.learning import read_curves
from mertk.report.mistakes import worst_mistakes
from mertk.report.page_pictures import inline_svg
from mertk.report.plots import plot_scatter
from mertk.report.published import read_beside
from mertk.run.clips import CLIP_HZ, LONGEST_CLIP_SECONDS, Clips
from mertk.run.recipes import find_published
from tests.browser import CHROMIUM, look_at
from tests.scored_runs import CLASSES, summarize, write_run
from tests.unit.test_intervals import note_speakers
from tests.unit.test_summarize_intensities import PUBLISHED
from tests.unit.test_summarize_intensities import write_run as write_intensities

#: a name of which a careless page would make elements
ODD = """<b>&"'</b>"""


def write_history(experiment, num_epochs=4):
    """Curves of every run, of training and validation."""
    for file in experiment.rglob("results.json"):
        lines = []
        for epoch in range(num_epochs):
            train = {"ce_loss": 1 - 0.1 * epoch, "loss": 2 - 0.2 * epoch}
            validation = {"ua": 0.5 + 0.1 * epoch, "wa": 0.5, "ce_loss": 1.1, "loss": 2.2}
            lines.append(json.dumps({"epoch": epoch, "step": epoch, "train": train, "validation": validation}))
        file.with_name("history.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(folder, right=0.7, **options):
    for fold in (1, 2):
        write_run(folder, fold, right=right, **options)
    note_speakers(folder)
    write_history(folder)
    return folder


def report(*experiments, out, options=()):
    """The page, and its elements."""
    assert main([*map(str, experiments), "--out", str(out), *map(str, options)]) == 0
    page = out.read_text(encoding="utf-8")
    return page, ElementTree.fromstring(page.partition("\n")[2])


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def section(tree, anchor):
    """The section below the heading of this name."""
    return next(one for one in tree.iter("section") if one.find(f"h2[@id='{anchor}']") is not None)


def tables_of(element):
    """Rows of cells of each table."""
    rows = ([[text_of(cell) for cell in row] for row in table.iter("tr")] for table in element.iter("table"))
    return list(rows)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    write(folder / "one", 0.9), write(folder / "other", 0.5)
    page, tree = report(folder / "one", folder / "other", out=folder / "report.html")
    return folder, page, tree


def test_figures_are_those_of_results_json(two):
    folder, _, tree = two
    summary, _ = summarize(folder / "one", folder / "other", out=folder / "out")
    header, *rows = tables_of(section(tree, "figures"))[0]
    assert [row[0] for row in rows] == [record["name"] for record in summary["experiments"]]
    for row, record in zip(rows, summary["experiments"], strict=True):
        cells = dict(zip(header, row, strict=True))
        low, high = record["intervals"]["figures"]["ua"]
        assert cells["UA pooled"] == figure("ua", record["pooled"]["ua"])
        assert cells["UA 95 %"] == f"{figure('ua', low)} to {figure('ua', high)}"
        assert cells["F1 macro"] == figure("f1_macro", record["pooled"]["f1_macro"])


def test_every_section_has_what_it_is_for(two):
    _, _, tree = two
    run, figures, comparison, one, origin = (
        text_of(section(tree, name)) for name in ("run", "figures", "comparison", "experiment1", "origin")
    )
    assert "epoch chosen on a validation part (clean)" in run and "folds by session" in run
    assert "speakers" in figures and "Recall of each class" in figures and "not comparable" in figures
    assert comparison.count("A is better") == 2
    assert "confusion matrix" in one and "calibration" in one and "learning curves" in one
    assert "training" in one and "chosen epoch" in one and "f1s0" in one
    assert "commit: abc" in origin and "mean of the classes' recalls" in origin
    (details, *_) = section(tree, "origin").iter("details")
    assert "open" not in details.attrib


def test_it_needs_nothing_else(two):
    _, page, tree = two
    for element in tree.iter():
        assert element.tag not in ("script", "link", "iframe", "object", "embed", "base")
        for name, value in element.attrib.items():
            if name in ("src", "href"):
                assert value.startswith(("#", "data:"))
            assert not re.search(r"url\((?!#)", value)
    (style,) = tree.iter("style")
    assert "url(" not in style.text and "@import" not in style.text
    assert "http" not in re.sub(r">[^<]*<", "><", page)


def test_names_within_pictures_are_not_those_of_others(two):
    _, page, tree = two
    names = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(tree.findall(".//svg")) == 6 and len(names) == len(set(names))
    used = set(re.findall(r"url\(#([^)]+)\)", page)) | {one.get("href")[1:] for one in tree.iter("use")}
    assert used and used <= set(names)
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in tree.iter("svg"))
    titles = [text_of(svg) for svg in tree.iter("svg")]
    assert all("iemocap/foal, paper, session-clean" in title for title in titles)  # no folders, which headings name


def test_what_was_given_is_text(tmp_path):
    odd = tmp_path / "<i>odd"
    write(odd, recipe="<script>alert(1)</script>", commit="<u>", corpus={"corpus": "a & b", "warnings": ["<em>"]})
    for file in odd.rglob("results.json"):
        file.write_text(file.read_text().replace('"happy"', json.dumps(ODD)))
        table = file.with_name("predictions.tsv")
        table.write_text(table.read_text().replace("happy", ODD).replace("_3\t", "_<s>\t"))
        clusters = file.with_name("clusters.tsv")
        clusters.write_text(clusters.read_text().replace("_3\t", "_<s>\t").replace("f1s1", "<p>x"))
    _, tree = report(odd, out=tmp_path / "report.html")
    assert not {"script", "b", "i", "u", "em", "s"} & {element.tag for element in tree.iter()}
    told = text_of(tree)
    for name in (ODD, "<script>alert(1)</script>", "<i>odd", "<u>", "<em>", "<p>x", "a & b"):
        assert name in told
    assert ODD in [text_of(text) for text in tree.iter("text")]


def test_what_a_run_does_not_have_is_said(tmp_path):
    write_run(tmp_path / "bare", 1)
    for file in tmp_path.rglob("predictions.tsv"):
        file.unlink()
    _, tree = report(tmp_path / "bare", out=tmp_path / "report.html")
    told = text_of(section(tree, "experiment1"))
    assert "1 of 1 runs have no history.jsonl" in told and "A run has no predictions.tsv" in told
    assert "mertk plot RUN_DIR" in told and "Speakers" not in told
    assert len(tree.findall(".//svg")) == 1


def test_experiments_that_cannot_be_compared_are_no_error(tmp_path):
    first, second = write(tmp_path / "first"), write(tmp_path / "second", protocol="published")
    _, tree = report(first, second, out=tmp_path / "report.html")
    told = text_of(section(tree, "comparison"))
    assert "1 pair not held against each other" in told and "other protocol, clean and published" in told


def test_three_are_held_against_each_other_in_a_matrix(tmp_path):
    for name, right in (("a", 0.5), ("b", 0.5), ("c", 0.95)):
        write(tmp_path / name, right)
    _, tree = report(*(tmp_path / name for name in "abc"), out=tmp_path / "report.html")
    header, *rows = tables_of(section(tree, "comparison"))[0]
    assert header == ["UA, row less column", "1", "2", "3"]
    cells = [row[1:] for row in rows]
    assert cells[0][1] == cells[1][0] == "+0.00" and cells[2][0].endswith("*")
    assert cells[2][0][1:] == cells[0][2][1:] and (cells[2][0][0], cells[0][2][0]) == ("+", "-")


def test_a_place_where_no_page_can_be_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for out, message in (
        (tmp_path / "file", "expected a folder, or a name that ends in .html"),
        (tmp_path / "results.json", "expected a folder, or a name that ends in .html"),
        (tmp_path / "file/below", "is no directory"),
    ):
        assert main([str(tmp_path / "none"), "--out", str(out)]) == 1
        assert message in capsys.readouterr().err


def test_beside_the_page_is_what_summarize_writes(tmp_path, capsys):
    paper = write(tmp_path / "training.epochs=3")
    assert main([str(paper), "--out", str(tmp_path / "new.folder=1")]) == 0
    names = ("report.html", "RESULTS.md", "results.json", "confusion.png")
    assert capsys.readouterr().out == f"written: {tmp_path}/new.folder=1/{{{','.join(names)}}}\n"
    published = find_published("iemocap/foal")
    summarize(paper, out=tmp_path / "summary", options=["--published", str(published)])
    for name in names[1:]:
        assert (tmp_path / "new.folder=1" / name).read_bytes() == (tmp_path / "summary" / name).read_bytes()
    assert main([str(paper), "--out", str(tmp_path / "summary/page.html")]) == 0
    assert sorted(path.name for path in (tmp_path / "summary").iterdir()) == sorted(["page.html", *names[1:]])
    (tmp_path / "own").mkdir()
    (tmp_path / "own/RESULTS.md").write_text("mine")
    assert main([str(paper), "--out", str(tmp_path / "own")]) == 1
    assert (tmp_path / "own/RESULTS.md").read_text() == "mine"
    assert "no report that was written there before" in capsys.readouterr().err


def test_each_recipe_stands_beside_its_own_published_figures(tmp_path):
    paths = {name: tmp_path / f"{name}.yaml" for name in ("a", "b")}
    for name, path in paths.items():
        path.write_text(PUBLISHED.replace("source: ", f"source: {name} "), encoding="utf-8")
    records = [{"recipe": "a"}, {"recipe": "b"}, {"recipe": "b"}]
    beside = read_beside(records, paths | {"c": tmp_path / "none.yaml"})
    assert [(len(own), figures["source"][0]) for own, figures in beside] == [(1, "a"), (2, "b")]


def test_intensities_are_shown_by_their_distance(tmp_path):
    for seed in (1111, 1112):
        write_intensities(tmp_path / "paper", seed)
    (tmp_path / "own.yaml").write_text(PUBLISHED, encoding="utf-8")
    (experiment,) = collect([tmp_path / "paper"])
    _, tree = report(tmp_path / "paper", out=tmp_path / "report.html", options=["--published", tmp_path / "own.yaml"])
    assert "published: " in text_of(section(tree, "figures"))
    told = section(tree, "experiment1")
    assert "true and predicted intensities" in text_of(told) and "calibration" not in text_of(told)
    worst = worst_mistakes(experiment, 12)
    rows = tables_of(told)[-1]
    assert rows[0] == ["utterance", "true", "told", "how", "seeds wrong"] and len(rows) == 13
    assert [row[3] for row in rows[1:]] == [f"{one.mistake.weight:.2f} off" for one in worst]


def test_the_surest_wrong_answers_come_first_and_each_utterance_once(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / "paper", 1, seed)
    runs = sorted(tmp_path.rglob("seed_*"))
    for run, sure in zip(runs, ("0.4", "0.9"), strict=True):
        header, *lines = (run / "predictions.tsv").read_text().splitlines()
        fields = [line.split("\t") for line in lines]
        for one in fields[:20]:
            one[3 + CLASSES.index(one[2])] = sure
        (run / "predictions.tsv").write_text("\n".join([header, *map("\t".join, fields)]) + "\n")
    (experiment,) = collect([tmp_path / "paper"])
    found = worst_mistakes(experiment, 100)
    assert len({one.mistake.utterance for one in found}) == len(found)
    weights = [one.mistake.weight for one in found]
    assert weights == sorted(weights, reverse=True) and weights[0] == 0.9 and weights[-1] == 0.25
    assert all(one.mistake.truth != one.mistake.prediction for one in found)
    assert found[0].run == runs[1].resolve() and {one.num_seeds for one in found} == {2}
    assert {one.num_wrong for one in found} == {1, 2}


def test_lines_of_the_history_that_cannot_be_read_are_counted(tmp_path):
    write(tmp_path / "paper")
    file = next(tmp_path.rglob("history.jsonl"))
    file.write_text(file.read_text() + '{"epoch": 4, "val\n[]\n{"epoch": "5"}\n')
    (experiment,) = collect([tmp_path / "paper"])
    curves, notes = read_curves(experiment.runs)
    assert [sorted(one.values["train"]["ce_loss"]) for one in curves] == [[0, 1, 2, 3]] * 2
    assert curves[0].values["validation"]["ua"][3] == pytest.approx(0.8) and curves[0].best == 3
    assert notes == ["3 lines of history.jsonl cannot be read and are left out."]


@pytest.fixture
def run_with_data(tmp_path):
    """A run whose data directory is there: two utterances in one file, of which a column has the seconds."""
    data, run = tmp_path / "data", tmp_path / "paper/session-clean/fold_1/seed_1"
    data.mkdir()
    write_run(tmp_path / "paper", 1)
    names = sorted(line.split("\t")[0] for line in (run / "predictions.tsv").read_text().splitlines()[1:])
    sound = data / "sound.wav"
    soundfile.write(sound, 0.1 * np.sin(np.arange(2 * 8000) / 5), 8000)
    columns = {"wav.scp": str(sound), "text": "a <b> & c", "utt2label": "happy"}
    for column, value in columns.items():
        (data / column).write_text("".join(f"{name} {value}\n" for name in names))
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (run / "config.yaml").write_text(f"data: {{directory: {data}, test: {data}}}\n")
    return run, data, names


def test_transcripts_are_there_and_sound_on_request(run_with_data, tmp_path):
    page, tree = report(tmp_path / "paper", out=tmp_path / "report.html")
    assert "a <b> & c" in text_of(tree) and tree.find(".//audio") is None
    assert str(tmp_path) not in page
    _, tree = report(tmp_path / "paper", out=tmp_path / "report.html", options=["--embed_audio", 2])
    sounds = [audio.get("src") for audio in tree.iter("audio")]
    assert len(sounds) == 2 and all(one.startswith("data:audio/") and len(one) < 60_000 for one in sounds)


def test_a_clip_is_its_interval_and_bounded(run_with_data, tmp_path, monkeypatch):
    run, data, names = run_with_data
    heard = []
    monkeypatch.setattr("mertk.run.clips.encode_sound", lambda samples: heard.append(len(samples)) or ("audio/x", b""))
    assert Clips().sound(run, names[0]) is not None
    (data / "audio_segments").write_text("".join(f"{name} 0.5 1.25\n" for name in names))
    assert Clips().sound(run, names[0]) is not None
    assert heard == [2 * CLIP_HZ, round(0.75 * CLIP_HZ)] and LONGEST_CLIP_SECONDS < 60
    assert Clips().sound(run, "nobody") is None and Clips().transcript(run, "nobody") is None


def test_data_that_have_gone_are_said_to_have(run_with_data, tmp_path):
    _, data, _ = run_with_data
    data.rename(tmp_path / "elsewhere")
    _, tree = report(tmp_path / "paper", out=tmp_path / "report.html", options=["--embed_audio", 2])
    assert "The data directory is not where it was" in text_of(tree) and tree.find(".//audio") is None


def test_recordings_that_have_gone_are_said_to_have(run_with_data, tmp_path):
    _, data, _ = run_with_data
    (data / "sound.wav").unlink()
    _, tree = report(tmp_path / "paper", out=tmp_path / "report.html", options=["--embed_audio", 2])
    assert "Without the sound of 2" in text_of(tree) and "a <b> & c" in text_of(tree)


def test_pictures_that_plot_left_are_shown(tmp_path):
    write_run(tmp_path / "paper", 1)
    run = tmp_path / "paper/session-clean/fold_1/seed_1"
    (run / "pca.json").write_text(
        json.dumps({"stages": {"after avel": {"silhouette_by_name": 0.25}, "../x": {}, "gone": 1}})
    )
    (run / "pca_after_avel.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    (run / "umap.json").write_text(json.dumps({"stages": {"before": {}}}))
    (run / "umap_before.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    _, tree = report(tmp_path / "paper", out=tmp_path / "report.html")
    image, other = tree.iter("img")
    assert other.get("alt") == "before" and "UMAP, before; fold 1, seed 1." in text_of(tree)
    assert image.get("src").startswith("data:image/png;base64,iVBOR") and image.get("alt") == "after avel"
    assert "Principal components, after avel; fold 1, seed 1; silhouette by representation 0.250." in text_of(tree)


def test_an_svg_loses_what_would_be_the_whole_pages():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="10pt" height="5pt">'
        '<metadata/><defs><style>* {}</style><path id="a"/></defs><use xlink:href="#a" clip-path="url(#b)"/>'
        '<text>id="x" url(#y)</text></svg>'
    )
    found = inline_svg(svg, "p1", 'a "label"')
    assert "style" not in found and "metadata" not in found and "xmlns" not in found and "height" not in found
    assert 'id="p1-a"' in found and 'href="#p1-a"' in found and 'clip-path="url(#p1-b)"' in found
    assert '<text>id="x" url(#y)</text>' in found


def test_many_points_are_one_picture_within_the_picture(tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 5531))
    plot_scatter(*values, "many", tmp_path / "many.svg")
    plot_scatter(*values[:, :100], "few", tmp_path / "few.svg")
    many, few = (inline_svg((tmp_path / f"{name}.svg").read_text(), "p", name) for name in ("many", "few"))
    assert 'href="data:image/png;base64,' in many and len(many) < 200_000
    assert "<image" not in few and few.count("<use") >= 100 and ">few</text>" in few


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium, and pages are looked at")
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_it_on_a_screen_and_on_a_phone(two, tmp_path, is_dark):
    screen, phone = look_at(two[1], [1280, 390], is_dark, tmp_path)
    for seen, width in ((screen, 1280), (phone, 390)):
        assert (seen["width"], seen["content"]) == (width, width)
        assert seen["outside"] == []
        lightness = sum(map(int, re.findall(r"\d+", seen["background"])[:3])) / 3
        ink = sum(map(int, re.findall(r"\d+", seen["ink"])[:3])) / 3
        assert (lightness < 60 and ink > 200) if is_dark else (lightness > 200 and ink < 60)
    assert phone["scrolled"] > screen["scrolled"] >= 0
