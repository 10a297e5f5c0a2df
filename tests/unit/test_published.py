"""Published figures: their files, and what is held against them."""

import copy

import pytest

from mertk.errors import MertkError
from mertk.report.deviations import deviations
from mertk.report.published import published_table
from mertk.report.published_file import join_published, read_published

PUBLISHED = """\
source: The paper.
note: Its epochs are chosen on the test session.
measured_on:
  {recipe: iemocap/foal, corpus: iemocap, cv: session, folds: 5, utterances: {test: 5531}, protocol: published}
inputs: {audio: {weights: microsoft/wavlm-large, width: 1024}}
rows:
  - {name: Theirs, variants: [paper], figures: {ua: 80.10, wa: 79.45}}
  - {name: Without losses, ablation: baseline, variants: [paper], figures: {ua: 77.85, wa: 77.31}}
"""


def test_accuracies_are_percent_and_errors_are_not(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text(PUBLISHED + "  - {name: Old, figures: {acc2_non0: 85.5, mae: 0.708, corr: 1}}\n", encoding="utf-8")
    theirs, _, old = read_published(path)["rows"]
    assert theirs["figures"] == pytest.approx({"ua": 0.801, "wa": 0.7945})
    assert old["figures"] == pytest.approx({"acc2_non0": 0.855, "mae": 0.708, "corr": 1.0})
    assert theirs["measured_on"]["utterances"] == {"test": 5531}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rows: []", "lacks source, note, expected source, note, measured_on"),
        ("[1, 2]", "got \\[1, 2\\], expected keys with values; see mertk/report/published_file.py"),
        ("{", "see mertk/report/published_file.py"),
        (PUBLISHED + "other: {}", "has other, expected source"),
        (PUBLISHED.replace("ua: 80.10", "uar: 80.10"), r"row 1 \(Theirs\): figures: 'uar' is not a metric; expected"),
        (PUBLISHED.replace("80.10", "high"), "figures.ua: got 'high', expected a number"),
        (PUBLISHED.replace("5531", "all"), "measured_on.utterances.test: got 'all', expected a number"),
        (PUBLISHED.replace("5531", "true"), "measured_on.utterances.test: got True, expected a number from 1"),
        (PUBLISHED.replace("80.10", "0.801"), "figures.ua: got 0.801, expected percent, such as 77.5"),
        (PUBLISHED.replace("80.10", "801.0"), "figures.ua: got 801.0, expected percent"),
        (PUBLISHED.replace("corpus: iemocap, ", ""), "measured_on: lacks corpus"),
        (PUBLISHED.replace("folds: 5", "folds: five"), "measured_on.folds: got 'five'"),
        (PUBLISHED.replace("width: 1024", "wide: 1024"), "inputs.audio: has wide"),
        (PUBLISHED.replace("{weights: microsoft/wavlm-large, width: 1024}", "wavlm"), "inputs.audio: got 'wavlm'"),
        (PUBLISHED.replace("[paper]", "paper"), "variants: got 'paper', expected a list"),
        (PUBLISHED + "  - 5\n", "row 3: got 5"),
        (PUBLISHED + "  - {name: a, measured_on: {c: d}, figures: {}}", r"row 3 \(a\): measured_on: has c, expected"),
        ("source: a\nnote: b\nrows: 5", "rows: got 5, expected a list"),
    ],
)
def test_published_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "published.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MertkError, match=message):
        read_published(path)


def test_files_of_several_methods_are_joined_as_one(checkout):
    one, other = (published_of(checkout, f"mosi/{method}") for method in ("hscl", "baselines"))
    joined = join_published([one, other])
    assert joined["rows"] == one["rows"] + other["rows"]
    assert joined["source"] == f"{one['source']} {one['note']} {other['source']} {other['note']}"
    assert join_published([one]) is one and join_published([]) is None


def published_of(checkout, recipe):
    return read_published(checkout / "recipes" / recipe / "published.yaml")


def test_published_rows_of_the_recipes_say_what_they_were_measured_on(checkout):
    from mertk.data_prep.mmsa_published import CORPORA, KNOWN_FILES

    found = sorted(checkout.glob("recipes/*/*/published.yaml"))
    assert len(found) >= 14
    for path in found:
        published = read_published(path)
        rows = [row for row in published["rows"] if row["variants"]]
        if not published["rows"]:
            assert "No figure" in published["note"], path
            continue
        if path.parents[1].name in ("ravdess", "cremad"):  # of other methods, and of people
            assert rows == []
            continue
        assert rows and rows[0]["ablation"] == "full", path
        for row in rows:
            measured = row["measured_on"]
            assert measured["recipe"] == f"{path.parents[1].name}/{path.parent.name}"
            if measured["corpus"] == "iemocap":
                assert (measured["folds"], measured["utterances"]) == (5, {"test": 5531})
                continue
            corpus = CORPORA[measured["corpus"]]
            assert measured["utterances"] == corpus.counts
            assert measured["feature_file"] in KNOWN_FILES.values()
            widths = corpus.dimensions
            assert {name: made["width"] for name, made in row["inputs"].items()} == widths


def foal_record(**changes):
    """What the report knows of Foal-Net on all of IEMOCAP, chosen on the test sessions."""
    video = {"extractor": "ClipFrameEncoder", "weights": "openai/clip-vit-large-patch14", "dimension": 768}
    audio = {"component": "PretrainedAudioEncoder", "weights": "microsoft/wavlm-large", "width": 1024}
    record = {"name": "paper session-published", "recipe": "iemocap/foal", "variant": "paper", "ablation": "full"}
    record |= {"cv": "session", "protocol": "published", "miniature": False, "permuted_labels": False}
    record |= {"task": "classification", "count": 5531, "num_folds": 5, "seeds": [1], "fixed_split": False}
    record |= {"num_without_corpus": 0, "folds": [{"fold": fold, "seed": 1} for fold in range(1, 6)]}
    record |= {"files": [["iemocap/foal/conf/foal.yaml"]], "settings": [], "utterances": [{"train": 4446}]}
    record |= {"corpus": [{"corpus": "iemocap"}], "encoders": [{"audio": audio}], "features": [{"video": video}]}
    record |= {"mean": {"ua": 0.79, "wa": 0.78}, "std": {"ua": None, "wa": None}}
    return copy.deepcopy(record | changes)


def hscl_record(file="MOSI/unaligned_50", **changes):
    """The same of HSCL on a feature file of CMU-MOSI."""
    text = {"component": "PretrainedTextEncoder", "weights": "/models/bert-base-uncased", "width": 768}
    features = {"audio": {"extractor": "mmsa", "dimension": 5}, "video": {"extractor": "mmsa", "dimension": 20}}
    features["text"] = {"extractor": "mmsa", "dimension": 2}
    changes = {"recipe": "mosi/hscl", "cv": "official", "protocol": "clean", "count": 686, "num_folds": 1} | changes
    changes = {"fixed_split": True, "utterances": [{"train": 1284, "validation": 229}], "task": "regression"} | changes
    corpus = {"corpus": "mosi", "published": file, "alignment": (file or "unaligned_50").rpartition("/")[2][:-3]}
    changes = {"corpus": [corpus], "encoders": [{"text": text}], "features": [features]} | changes
    means = dict.fromkeys(("acc2_non0", "mae", "corr"), 0.8)
    return foal_record(**{"mean": means, "std": dict.fromkeys(means), "name": "paper official-clean"} | changes)


def cells_below(table, name):
    """The last cells of our rows below the published one of this name."""
    found, inside = [], False
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if cells[0].startswith("published:"):
            inside = cells[0].startswith(f"published: {name}")
        elif inside:
            found.append(cells[-1])
    return found


def test_a_difference_is_printed_where_all_agrees(checkout):
    table = published_table([foal_record()], published_of(checkout, "iemocap/foal"))
    assert cells_below(table, "full") == ["UA -1.10, WA -1.45"]
    assert table.count("| published: ") == 6 and table.count("| ours: not run ") == 5
    own = published_table([foal_record(ablation="own")], published_of(checkout, "iemocap/foal"))
    assert own.count("| published: ") == own.count("| ours: not run ") == 6, "published ones stand there before ours do"


def test_figures_of_other_methods_stand_only_beside_runs_on_the_same_folds(checkout):
    def table(recipe, **changes):
        return published_table([foal_record(recipe=recipe, **changes)], published_of(checkout, recipe))

    for recipe, cv, name in (("ravdess/foal", "hicmae", "HiCMAE"), ("ravdess/audio", "emobox", "WavLM-large")):
        assert f"| published: {name}" in table(recipe, cv=cv)
        assert table(recipe, cv="speaker") == ""
    for ablation in ("full", "video"):
        assert table("cremad/foal", cv="speaker", ablation=ablation).count("| published: people") == 3


def test_a_published_row_says_what_it_was_measured_on(checkout):
    records = [foal_record(), foal_record(ablation="baseline")]
    rows = published_table(records, published_of(checkout, "iemocap/foal")).splitlines()
    told = [line.split(" | ")[-1].strip("| ") for line in rows if line.startswith("| published:")]
    full, baseline = told[0], told[3]
    assert full == (
        "iemocap, folds by session (5); epoch chosen on the test part (published); "
        "audio by PretrainedAudioEncoder microsoft/wavlm-large (1024 wide); "
        "video by ClipFrameEncoder openai/clip-vit-large-patch14 (768 wide); 5531 test utterances"
    )
    assert baseline == "as above"
    table = published_table([hscl_record()], published_of(checkout, "mosi/hscl"))
    assert (
        "| mosi, the official split; epoch chosen on a validation part (clean); features of MOSI/unaligned_50" in table
    )
    assert "1284 train, 229 validation, 686 test utterances |" in table


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"corpus": [{"corpus": "ravdess"}], "count": 768},
            "other corpus: ravdess; 768 test utterances, published 5531",
        ),
        ({"corpus": []}, "data not recorded"),
        ({"corpus": [{}]}, "data not recorded"),
        ({"num_without_corpus": 2}, "data of 2 runs not recorded"),
        ({"corpus": [{"corpus": "iemocap"}, {"corpus": "meld"}]}, "data of several kinds"),
        ({"protocol": "clean"}, "epoch chosen on a validation part (clean), published: epoch chosen on the test part"),
        ({"cv": "speaker"}, "folds by speaker instead of folds by session"),
        ({"num_folds": 1, "count": 1085}, "1 of 5 folds; 1085 test utterances, published 5531"),
        ({"seeds": [1, 2]}, "not all folds of every seed"),
        ({"variant": "other"}, "variant other instead of paper or released"),
        ({"recipe": "mosi/hscl"}, "other method: mosi/hscl instead of iemocap/foal"),
        ({"encoders": []}, "no audio"),
        ({"features": []}, "no video"),
        ({"features": [{"video": None}]}, "video by nothing that is recorded instead of ClipFrameEncoder"),
        ({"files": [["foal.yaml", "iemocap/foal/conf/miniature.yaml"]]}, "settings of miniature.yaml"),
        ({"settings": ["data.inputs.audio.max_seconds=1.0"]}, "inputs with other settings"),
        (
            {"encoders": [{"audio": {"component": "LogMelEncoder", "weights": None, "width": 128}}]},
            "audio by LogMelEncoder (128 wide) instead of PretrainedAudioEncoder microsoft/wavlm-large (1024 wide)",
        ),
        (
            {"encoders": [{"audio": {"component": "PretrainedAudioEncoder", "weights": "wavlm-large", "width": 64}}]},
            "audio by PretrainedAudioEncoder wavlm-large (64 wide) instead of",
        ),
    ],
)
def test_what_differs_stands_in_place_of_the_difference(checkout, changes, words):
    table = published_table([foal_record(**changes)], published_of(checkout, "iemocap/foal"))
    (cell,) = cells_below(table, "full")
    assert cell.startswith("not comparable: ")
    assert words in cell


def test_copies_of_published_weights_are_known_by_name(checkout):
    row = published_of(checkout, "iemocap/foal")["rows"][0]
    for weights, agrees in (
        ("/models/wavlm-large", True),
        ("WavLM-Large@main", True),
        ("/cache/models--microsoft--wavlm-large/snapshots/c1423ed94bb01d80a3f5ce5bc39f6026a0f4828c", True),
        ("/models/wavlm-large/wavlm-base", False),
        ("microsoft/wavlm-base-plus", False),
    ):
        audio = {"component": "PretrainedAudioEncoder", "weights": weights, "width": 1024}
        assert (deviations(foal_record(encoders=[{"audio": audio}]), row) == []) is agrees, weights


def test_features_are_held_against_the_row_of_their_kind_only(checkout):
    published = published_of(checkout, "mosi/hscl")
    table = published_table([hscl_record("MOSI/aligned_50"), hscl_record()], published)
    assert cells_below(table, "HSCL, aligned features") == ["Acc2 non0 -5.50, MAE +0.0880, Corr +0.0150"]
    assert cells_below(table, "HSCL, unaligned features") == ["Acc2 non0 -5.20, MAE +0.0840, Corr -0.0060"]
    assert cells_below(table, "Self-MM") == []


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (hscl_record(None), "unaligned features of no published file instead of features of MOSI/unaligned_50"),
        (hscl_record(count=752), "752 test utterances, published 686"),
        (hscl_record(utterances=[{"train": 1284}]), "an unknown number of validation utterances, published 229"),
        (hscl_record(encoders=[]), "text by mmsa (2 wide) instead of PretrainedTextEncoder"),
        (hscl_record(protocol="clean-refit"), "trained on the validation part too (clean-refit), published: epoch"),
    ],
)
def test_feature_files_of_another_kind_are_told(checkout, record, words):
    (cell,) = cells_below(published_table([record], published_of(checkout, "mosi/hscl")), "HSCL, unaligned features")
    assert cell.startswith("not comparable: ") and words in cell


def test_a_variant_that_is_another_method_has_its_own_row(checkout):
    published = published_of(checkout, "mosi/tam_ulag")
    records = [hscl_record(recipe="mosi/tam_ulag", variant=name) for name in ("paper", "self_mm")]
    table = published_table(records, published)
    assert cells_below(table, "TAM-ULAG") == ["Acc2 non0 -7.20"]
    assert cells_below(table, "Self-MM") == ["Acc2 non0 -5.46, MAE +0.0920, Corr +0.0040"]


def test_each_method_of_a_recipe_of_several_has_its_own_row(checkout):
    text = {"extractor": "mmsa", "dimension": 768}
    features = {"audio": {"extractor": "mmsa", "dimension": 5}, "video": {"extractor": "mmsa", "dimension": 20}}
    same = {"recipe": "mosi/baselines", "encoders": [{}], "features": [features | {"text": text}]}
    records = [hscl_record(variant=name, **same) for name in ("mult", "tfn_released", "late_fusion")]
    records.append(hscl_record("MOSI/aligned_50", variant="ef_lstm", **same))
    records.append(hscl_record(variant="misa", recipe="mosi/baselines"))  # which trains its text encoder
    table = published_table(records, published_of(checkout, "mosi/baselines"))
    assert cells_below(table, "MulT") == ["Acc2 non0 -0.98, MAE -0.0799, Corr +0.0978"]
    assert cells_below(table, "TFN")[0] == "Acc2 non0 +0.92, MAE -0.1473, Corr +0.1267"
    assert cells_below(table, "MISA") == ["Acc2 non0 -3.54, MAE +0.0235, Corr +0.0219"]
    assert cells_below(table, "EF-LSTM, aligned") == ["Acc2 non0 +1.52, MAE -0.1488, Corr +0.1310"]


def test_another_method_stands_beside_runs_of_its_modalities_alone(checkout):
    published = published_of(checkout, "iemocap/foal")
    text = {"component": "PretrainedTextEncoder", "weights": "google-bert/bert-base-uncased", "width": 768}
    audio = {"component": "PretrainedAudioEncoder", "weights": "microsoft/wavlm-large", "width": 1024}
    both = foal_record(encoders=[{"audio": audio, "text": text}], features=[{"text": {"dimension": 2}}])
    all_three = foal_record(encoders=[{"audio": audio, "text": text}])
    assert "MGCMA" not in published_table([foal_record(), all_three], published)
    table = published_table([foal_record(), both], published)
    assert "UA -1.10, WA -1.45" in cells_below(table, "full") and len(cells_below(table, "full")) == 1
    (row,) = (line for line in table.splitlines() if "MGCMA" in line)
    assert "80.24" in row and "how the epoch was chosen is not known; audio; text; 5531 test utterances" in row
    (cell,) = cells_below(table, "MGCMA")
    assert cell.startswith("not comparable: another method; epoch chosen on the test part (published), published: how")


def test_what_stands_beside_runs_says_what_it_was_measured_on(tmp_path):
    path, row = tmp_path / "published.yaml", "  - {name: Other, inputs: {text: {}}, figures: {ua: 70.0}}\n"
    path.write_text(PUBLISHED + row, encoding="utf-8")
    assert [row["beside"] for row in read_published(path)["rows"]] == [[], [], ["text"]]
    path.write_text(PUBLISHED.replace("corpus: iemocap, ", "") + row, encoding="utf-8")
    with pytest.raises(MertkError, match="measured_on: lacks corpus"):
        read_published(path)


def test_miniatures_and_controls_have_no_place_in_the_table(checkout):
    published = published_of(checkout, "iemocap/foal")
    apart = [foal_record(miniature=True), foal_record(permuted_labels=True)]
    assert published_table(apart, published) == ""
    assert published_table([*apart, foal_record()], published) == published_table([foal_record()], published)
    assert published_table([foal_record()], None) == ""


def test_where_no_figure_is_known_that_is_said(checkout):
    published = published_of(checkout, "meld/tam_ulag")
    assert published_table([foal_record()], published) == f"{published['source']} {published['note']}"
