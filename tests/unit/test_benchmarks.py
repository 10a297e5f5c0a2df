"""Benchmarks measure what they say: forms compared compute the same, targets are judged, figures can be traced."""

from __future__ import annotations

import json
from argparse import Namespace

import numpy as np
import pytest
import torch

from benchmarks import gpu, report, training_step, workload
from benchmarks.measuring import ROOT, benchmark_parser, figure, finish
from mertk.data.dataset import collate
from mertk.errors import MertkError

LENGTHS = Namespace(durations=None, mean_seconds=4.55, spread_seconds=3.23)


def short_batch():
    rows = workload.make_rows([0.4, 0.5, 0.6, 0.5], 48, np.random.default_rng(1))
    for row in rows:
        row["label"] = np.int64(row["index"] % 2)
    return collate(rows) | {"shared_seed": 7}


def test_forms_of_a_training_step_agree_and_a_wrong_one_is_refused():
    models = training_step.make_forms(Namespace(divide_widths=16, layers=1, seed=3), dropout=False)
    assert training_step.largest_difference(models, short_batch()) < training_step.TOLERANCE
    with torch.no_grad():
        models["straightforward"].audio_matching.bias[0] += 1.0
    with pytest.raises(MertkError, match="differ"):
        training_step.largest_difference(models, short_batch())


def test_fusing_twice_costs_true_pairs_again():
    models = training_step.make_forms(Namespace(divide_widths=16, layers=1, seed=3), dropout=False)
    rows = {}
    for name, model in models.items():
        seen = []
        layer = model.audio_to_video.layers[0]
        layer.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(len(output)))
        model(short_batch())
        rows[name] = sum(seen)
    assert rows == {"mertk": 8, "padded": 8, "straightforward": 12}


def test_lengths_are_those_of_the_corpus_and_cut(tmp_path):
    seconds = workload.draw_seconds(LENGTHS, 20_000, np.random.default_rng(0))
    assert seconds.max() == workload.MAX_SECONDS
    assert seconds.mean() == pytest.approx(3.80, abs=0.05)  # of the corpus after the cut
    durations = tmp_path / "utt2dur"
    durations.write_text("a 1.5\nb 9.0\n", encoding="utf-8")
    drawn = workload.draw_seconds(Namespace(durations=durations), 100, np.random.default_rng(0))
    assert set(drawn) == {1.5, 6.0}
    durations.write_text("a\n", encoding="utf-8")
    with pytest.raises(MertkError, match="utterance seconds"):
        workload.draw_seconds(Namespace(durations=durations), 1, np.random.default_rng(0))


def test_figure_is_the_median_held_against_its_target():
    found = figure("rate", [1.0, 3.0, 2.0], "x", at_least=2.5)
    assert (found["value"], found["lowest"], found["highest"], found["count"]) == (2.0, 1.0, 3.0, 3)
    assert (found["target"], found["met"]) == (">= 2.5", False)
    assert figure("time", 0.5, at_most=1.0)["met"] is True
    assert "met" not in figure("plain", 1.0)


@pytest.mark.parametrize(("check", "code"), [([], 0), (["--check"], 1)])
def test_missed_target_fails_only_when_asked(check, code, tmp_path, capsys):
    parser = benchmark_parser("anything", "A benchmark.")
    arguments = parser.parse_args([*check, "--out", str(tmp_path / "out.json")])
    assert finish("anything", arguments, [figure("slow", 2.0, "s", at_most=1.0)]) == code
    printed = capsys.readouterr()
    assert json.loads(printed.out) == json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert "slow" in printed.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_gpu_benchmark_says_so_where_there_is_none(capsys):
    assert gpu.main([]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "no CUDA device" in printed["skipped"]
    assert printed["figures"] == []


def test_gpu_benchmark_that_is_stopped_keeps_the_forms_that_were_done(tmp_path, monkeypatch):
    done = {"batches": {"4": {"utterances_per_second": [8.0], "teraflops": [0.1], "peak_gigabytes": 1.5}}}

    def run_form(arguments, form, start):
        if form == "lora":
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(gpu, "run_form", run_form)
    out = tmp_path / "gpu.json"
    stopped = gpu.main(["--device", "cpu", "--tiny", "--forms", "plain", "lora", "--out", str(out)])
    assert stopped == 130
    kept = json.loads(out.read_text(encoding="utf-8"))
    assert kept["forms"] == {"plain": done} and kept["figures"][1]["name"] == "plain, batch 4: rate"


def test_report_goes_between_the_markers(tmp_path):
    document, source = tmp_path / "benchmarks.md", tmp_path / "rate.json"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    figures = [figure("rate", [1.0, 2.0, 3.0], "x", at_least=1.5), figure("size", 3.0, "GB", at_most=1.0)]
    source.write_text(json.dumps({"benchmark": "rate", "figures": figures}), encoding="utf-8")
    words = [str(source), "--document", str(document)]
    assert report.main([*words, "--check"]) == 1
    assert report.main(words) == 0
    assert report.main([*words, "--check"]) == 0
    text = document.read_text(encoding="utf-8")
    assert "old" not in text
    assert "| rate | 2 x | 1 to 3 (3) | >= 1.5 | yes |" in text
    assert "| size | 3 GB |  | <= 1 | **no** |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    document.write_text("no markers\n", encoding="utf-8")
    assert report.main(words) == 1


def test_blocks_of_a_document_hold_the_figures_they_name(tmp_path):
    begin = "<!-- figures of {0}: begin (python -m benchmarks.report) -->\nold\n<!-- figures of {0}: end -->\n"
    environment = {"commit": "c0ffee", "versions": {}, "hardware": {"cpu": "some", "cores": 2, "gpus": []}}
    figures = [figure(f"{count} rows: {what}", count, "s") for count in (10, 20) for what in ("load", "read")]
    figures = [one | {"section": "lists"} for one in figures] + [figure("size", 2.0, "GB") | {"section": "plan"}]
    reports = {"growth": {"environment": environment, "load_average": 1.5, "figures": figures}}
    text = f"before\n{begin.format('growth, lists')}between\n{begin.format('growth, plan')}after\n"
    filled = report.fill_blocks(text, reports, tmp_path)
    assert "old" not in filled
    assert "| | load (s) | read (s) |\n|---|---|---|\n| 10 rows | 10 | 10 |\n| 20 rows | 20 | 20 |\n" in filled
    assert "| size | 2 GB |" in filled
    assert "c0ffee" in filled
    assert report.fill_blocks(filled, reports, tmp_path) == filled
    with pytest.raises(MertkError, match=r"no figures of 'growth, other'.*benchmarks\.growth"):
        report.fill_blocks(begin.format("growth, other"), reports, tmp_path)


def test_figures_in_the_documents_are_those_of_the_files():
    files = sorted((ROOT / "benchmarks/results").glob("*.json"))
    assert files
    assert report.main(["--check"]) == 0
