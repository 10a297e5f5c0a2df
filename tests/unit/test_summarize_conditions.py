"""Reports of classes from invented run directories: under which conditions the figures were got."""

import pytest

from tests.scored_runs import summarize, write_run

PUBLISHED = """\
source: The paper.
note: Its epochs are chosen on the test session.
measured_on:
  {recipe: iemocap/foal, corpus: iemocap, cv: session, folds: 2, utterances: {test: 80}, protocol: clean}
inputs: {video: {extractor: clip}}
rows:
  - {name: Theirs, variants: [paper], figures: {ua: 80.10, wa: 79.45}}
  - {name: Without losses, ablation: baseline, variants: [paper], figures: {ua: 77.85, wa: 77.31}}
"""


def test_miniature_is_loud_and_never_beside_published_figures(tmp_path, capsys):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    write_run(tmp_path / "paper", 1, miniature=True)
    options = ("--published", str(tmp_path / "published.yaml"))
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out", options=options)
    told = capsys.readouterr().out
    assert results["miniature"] is True
    for text in (document, told):
        assert "MINIATURE CORPUS" in text
        assert "80.10" not in text


def test_published_figures_stand_beside_ours(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    known = {"corpus": {"corpus": "iemocap"}, "features": {"video": {"extractor": "clip"}}}
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, **known)
        write_run(tmp_path / "control", fold, permuted_labels=True, **known)
    options = ("--published", str(tmp_path / "published.yaml"))
    results, document = summarize(tmp_path / "paper", tmp_path / "control", out=tmp_path / "out", options=options)
    section = document.partition("## Beside the published figures")[2].partition("\n## ")[0]
    assert "The paper. Its epochs are chosen on the test session." in section
    assert f"UA {100 * results['mean']['ua'] - 80.10:+.2f}, WA" in section
    assert section.count("80.10") == 1, "the control with permuted labels has no place here"


def test_runs_of_before_are_summarized_and_held_against_nothing(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold)
    options = ("--published", str(tmp_path / "published.yaml"))
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out", options=options)
    assert "not comparable: data not recorded" in document
    for line in ("settings that are not the recipe's: not recorded", "data: not recorded"):
        assert f"\n- {line}\n" in document


def test_runs_of_before_keep_those_beside_them_from_being_held_against_anything(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, corpus={"corpus": "iemocap"}, features={"video": {"extractor": "clip"}})
    options = ("--published", str(tmp_path / "published.yaml"))
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out", options=options)
    assert "not comparable: data of 1 runs not recorded" in document


def test_runs_of_before_join_those_that_tell_their_settings(tmp_path):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, settings=["model.text_encoder.weights=/models/bert"])
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert [one["name"] for one in results["experiments"]] == ["paper session-clean"]
    assert results["count"] == 80
    assert "\n- settings that are not the recipe's: model.text_encoder.weights=bert\n" in document


def test_what_the_data_warned_of_and_what_was_left_out_is_told(tmp_path, capsys):
    corpus = {"corpus": "mosi", "count": 90, "parts": {"train": 40, "test": 50}, "left_out": {"bad_length": 3}}
    corpus |= {"warnings": ["12 transcripts are cut"], "alignment": "aligned", "published": None}
    features = {"audio": None, "video": {"extractor": "clip", "warnings": ["3 videos are black"]}}
    told = {"left_out": {"train": {"no_features": 2}}, "utterances": {"train": 38, "validation": 9}}
    told |= {"encoders": {"text": {"component": "PretrainedTextEncoder", "weights": "/models/bert", "width": 768}}}
    told |= {"files": ["mosi/hscl/conf/hscl.yaml"], "settings": ["model.text_encoder.weights=/models/bert"]}
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, corpus=corpus, **(told | {"features": features}))
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["warnings"][:2] == ["data: 12 transcripts are cut", "data: 3 videos are black"]
    assert "left out of the train part of fold 2: no_features 2" in results["warnings"]
    assert "data: 12 transcripts are cut**" in document and "data: 12 transcripts are cut" in capsys.readouterr().out
    for line in (
        "configuration: mosi/hscl/conf/hscl.yaml",
        "settings that are not the recipe's: model.text_encoder.weights=bert",
        "data: mosi, 90 utterances, parts train 40, test 50, aligned features of no published file, left out: "
        "bad_length 3",
        "utterances that were read in training: train 38, validation 9",
        "text encoder: component PretrainedTextEncoder, weights bert, width 768",
    ):
        assert f"\n- {line}\n" in document, line


def test_runs_on_differently_prepared_data_are_told(tmp_path):
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, corpus={"corpus": "iemocap", "count": 80 + fold})
    results, _ = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["warnings"] == ["data: it was prepared in 2 ways for different runs"]


def test_runs_that_differ_in_settings_alone_have_names_of_their_own(tmp_path):
    changes = ["optimizer.learning_rate=0.01"]
    for fold in (1, 2):
        write_run(tmp_path / "mine", fold, settings=[])
        write_run(tmp_path / "mixed", fold, seed=fold, settings=changes[: fold - 1])
        write_run(tmp_path / "other", fold, settings=changes)
    results, document = summarize(*(tmp_path / name for name in ("mine", "mixed", "other")), out=tmp_path / "out")
    assert [one["name"] for one in results["experiments"]] == [
        "mine session-clean",
        "mixed [settings of the recipe] session-clean",
        "mixed [optimizer.learning_rate=0.01] session-clean",
        "other session-clean",
    ]
    assert "| other session-clean (optimizer.learning_rate=0.01) " in document
    assert "(optimizer.learning_rate=0.01)" not in document.partition("## mixed")[2].partition("\n## other")[0]
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert pictures == [
        "confusion-mixed--optimizer.learning_rate=0.01--session-clean.png",
        "confusion-mixed--settings-of-the-recipe--session-clean.png",
        "confusion-other-session-clean.png",
        "confusion.png",
    ]


def test_ablations_with_other_settings_or_data_have_a_table_of_their_own(tmp_path):
    corpora = [{"corpus": "mosi", "alignment": name} for name in ("unaligned", "aligned")]
    for name, corpus, settings in (("a", 0, []), ("b", 1, []), ("c", 0, ["model.width=8"])):
        for ablation in ("full", "text"):
            weights = ["model.text_encoder.weights=bert"] if ablation == "text" else []
            about = {"ablation": ablation, "corpus": corpora[corpus], "settings": settings + weights}
            write_run(tmp_path / f"{name}_{ablation}", 1, **about)
    _, document = summarize(tmp_path, out=tmp_path / "out")
    section = document.partition("## Ablation")[2].partition("\n## ")[0]
    assert section.count("| full ") == section.count("| text ") == 3
    assert section.count("Variant paper, session-clean:") == 2
    assert section.count("Variant paper, session-clean, model.width=8:") == 1


@pytest.mark.parametrize(
    ("invented", "mark", "banner"),
    [
        (None, "MINIATURE)", "MINIATURE CORPUS: invented recordings or features, small encoders with random weights."),
        (["recordings"], "MINIATURE: invented recordings)", "MINIATURE CORPUS: invented recordings. These"),
        (
            ["features", "weights of text_encoder"],
            "MINIATURE: invented features and weights)",
            "MINIATURE CORPUS: invented features and weights.",
        ),
        (
            ["weights of the video features"],
            "MINIATURE: invented weights)",
            "MINIATURE WEIGHTS: the data is real, but the weights of the video features are random",
        ),
    ],
)
def test_a_miniature_names_what_is_invented(tmp_path, invented, mark, banner):
    write_run(tmp_path / "paper", 1, miniature=True, invented=invented)
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert f"paper session-clean ({mark}" in document
    assert f"**{banner}" in document


def test_different_code_versions_are_said_aloud(tmp_path):
    write_run(tmp_path / "paper", 1, commit="abc")
    write_run(tmp_path / "paper", 2, commit="def-dirty")
    results, _ = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "runs were made by different code versions: abc, def-dirty" in results["warnings"]
    assert "made by code with changes that were not committed" in results["warnings"]


def test_code_of_all_sessions_and_of_the_scoring_is_told(tmp_path):
    write_run(tmp_path / "paper", 1, commit="b", commits=["a", "b"], scoring={"commit": "c-dirty"})
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "- commit: a, b, scored by c-dirty" in document
    assert "runs were made by different code versions: a, b" in results["warnings"]
    assert "made by code with changes that were not committed" in results["warnings"]


def first_words(document, heading):
    """First cells of the rows below a heading."""
    section = document.partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line.split()[1] for line in section.splitlines() if line.startswith("| ")][1:]


def test_ablations_share_a_table(tmp_path, capsys):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    for name in ("full", "audio", "baseline"):
        write_run(tmp_path / name, 1, ablation=name)
    folders = [tmp_path / name for name in ("audio", "full", "baseline")]
    results, document = summarize(*folders, out=tmp_path / "out")
    assert first_words(document, "Ablation") == ["full", "audio", "baseline"]
    options = ("--published", str(tmp_path / "published.yaml"))
    _, document = summarize(*folders, out=tmp_path / "out", options=options)
    assert first_words(document, "Ablation") == ["full", "baseline", "audio"], "those of the paper come first"
    assert "Variant paper, session-clean" in capsys.readouterr().out
    assert [one["name"] for one in results["experiments"]] == [
        f"{n} session-clean" for n in ("audio", "full", "baseline")
    ]
