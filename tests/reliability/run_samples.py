"""Samples of what is kept of runs and models, of configurations, and of what other programs say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tests.reliability.sample import CLASSES, Sample, write


def model_information(folder: Path) -> Sample:
    from mertk.training.model_directory import read_usable_info

    record = {"modality": "video", "extractor": "clip", "weights": "w", "weights_fingerprint": "a", "layer": "l"}
    record |= {"rate_hz": 30.0, "dimension": 2, "options": {}, "format": 1, "count": 3}
    info = {"format": 1, "task": "classification", "classes": CLASSES, "metrics": None, "label_map": "four"}
    info |= {"facts": {"video_dim": 2, "num_classes": 4}, "feature_records": {"video": record, "audio": None}}
    info |= {"normalization": {"video": {"mean": [0.0, 1.0], "std": [1.0, 2.0]}}, "miniature": False, "epoch": 3}
    file = write(folder / "model.json", info)

    def read() -> None:
        from mertk.data.inputs import standardize

        found = read_usable_info(folder)
        statistics = (found.get("normalization") or {}).get("video")
        if statistics and found["feature_records"].get("video"):
            standardize(np.ones((2, found["feature_records"]["video"]["dimension"])), statistics)

    return Sample([file], read)


def model_directory(folder: Path) -> Sample:
    from mertk.components import build
    from mertk.config import load_config
    from mertk.training.model_directory import load_model, save_model

    settings = ["modalities=[video]", "projection_dim=8", "num_heads=2", "num_layers=1"]
    config = load_config([], ["model.component=mertk.models.foal.FoalNet", *(f"model.{one}" for one in settings)])
    facts = {"video_dim": 2, "num_classes": 4}
    model = build(config.model, "model", facts)
    about = {"task": "classification", "classes": CLASSES, "facts": facts, "feature_records": {}, "miniature": False}
    save_model(folder / "best", model, model.state_dict(), config, about)
    files = [path for path in (folder / "best").iterdir() if path.is_file()]
    return Sample(sorted(files), lambda: load_model(folder / "best"))


def exported(folder: Path) -> Sample:
    from mertk.run.exported import CARD, FILE, Exported, describe_files, read_exported

    for name in ("model.json", "config.yaml", "model.safetensors", "features/text/record.json"):
        write(folder / name, {})
    write(folder / CARD, "card")
    content = Exported("mertk", ["."], {"text": "features/text"}, "0" * 64, describe_files(folder))
    file = write(folder / FILE, content.as_dict())

    def read() -> None:
        read_exported(folder).check_whole(folder)

    return Sample([file], read)


def results(folder: Path) -> Sample:
    from mertk.report.document import results_document
    from mertk.report.experiments import collect

    directory = folder / "session-clean" / "fold_1" / "seed_1"
    about = {"recipe": "r", "variant": "paper", "ablation": "full", "cv": "session", "protocol": "clean", "fold": 1}
    about |= {"seed": 1, "miniature": False, "permuted_labels": False, "num_folds": 1, "commit": "abc", "best_epoch": 3}
    about |= {"versions": {"python": "3.11"}, "hardware": {"cpu": "c", "cores": 2, "gpus": []}}
    about |= {"features": {"audio": None}}
    scores = dict.fromkeys(("ua", "wa", "f1_weighted", "f1_macro"), 1.0)
    content = {"format": 1, "part": "test", "classes": ["a", "b"], "count": 4, "run": about, "metrics": scores}
    content |= {"recall": {"a": 1.0, "b": 1.0}, "confusion": [[2, 0], [0, 2]], "not_scored": []}
    rows = "".join(f"u{row}\t{name}\t{name}\t0.5\t0.5\n" for row, name in enumerate("aabb"))
    write(directory / "config.yaml", "run: {}\n")
    files = [
        write(directory / "results.json", content),
        write(directory / "predictions.tsv", f"utterance\ttruth\tprediction\ta\tb\n{rows}"),
    ]

    def read() -> None:
        records = [experiment.record for experiment in collect([folder])]
        results_document(records, ["confusion.png"] * len(records), None)

    return Sample(files, read)


def results_of_intensities(folder: Path) -> Sample:
    from mertk.metrics import find_intensity_set, regression_metrics
    from mertk.report.experiments import collect

    directory = folder / "official-clean" / "fold_1" / "seed_1"
    about = {"recipe": "r", "variant": "paper", "ablation": "full", "cv": "official", "protocol": "clean", "fold": 1}
    about |= {"seed": 1, "miniature": False, "permuted_labels": False, "num_folds": 1}
    truth, given = np.float32([-2, -1, 0.5, 1, 3]), np.float32([-1.5, -1, 1, 0.5, 2])
    measured = regression_metrics(truth, given, "mosi")
    metrics = {name: measured.get(name) for name in find_intensity_set("mosi").names}
    content = {"task": "regression", "count": 5, "run": about, "metric_set": "mosi", "metrics": metrics}
    rows = "".join(f"u{row}\t{pair[0]}\t{pair[1]}\n" for row, pair in enumerate(zip(truth, given, strict=True)))
    write(directory / "config.yaml", "run: {}\n")
    files = [
        write(directory / "results.json", content),
        write(directory / "predictions.tsv", f"utterance\ttruth\tprediction\n{rows}"),
    ]
    return Sample(files, lambda: collect([folder]))


def results_of_labels(folder: Path) -> Sample:
    import numpy as np

    from mertk.report.document import results_document
    from mertk.report.experiments import collect
    from mertk.tasks import find_task

    task, classes = find_task("multilabel"), ["angry", "sad"]
    directory = folder / "official-clean" / "fold_1" / "seed_1"
    about = {"recipe": "r", "variant": "paper", "ablation": "full", "cv": "official", "protocol": "clean", "fold": 1}
    about |= {"seed": 1, "miniature": False, "permuted_labels": False, "num_folds": 1}
    truth, logits = np.float32([[1, 1], [0, 0], [0, 1], [1, 0]]), np.float32([[2, 1], [-1, 2], [-3, 1], [1, -1]])
    content = {"task": "multilabel", "count": 4, "run": about, "metrics": task.measure(truth, logits)}
    rows = task.prediction_rows(list("abcd"), truth, logits, classes)
    write(directory / "config.yaml", "run: {}\n")
    files = [
        write(directory / "results.json", content | task.results(truth, logits, classes, None)),
        write(directory / "predictions.tsv", "".join("\t".join(row) + "\n" for row in rows)),
    ]

    def read() -> None:
        records = [experiment.record for experiment in collect([folder])]
        results_document(records, ["labels.png"] * len(records), None)

    return Sample(files, read)


def published_figures(folder: Path) -> Sample:
    from mertk.report.published_file import read_published

    text = (
        "source: A paper.\nnote: Table 2.\n"
        "measured_on: {recipe: mosi/hscl, corpus: mosi, cv: official, protocol: clean, utterances: {test: 686}}\n"
        "inputs: {audio: {extractor: mmsa, width: 5}}\n"
        "rows:\n  - {name: Ours, variants: [paper], figures: {ua: 80.1, wa: 79.45}}\n"
        "  - {name: Theirs, measured_on: {folds: 5}, figures: {ua: 75.0}}\n"
    )
    file = write(folder / "published.yaml", text)
    return Sample([file], lambda: read_published(file))


def marks(folder: Path) -> Sample:
    from mertk.run.marks import dependencies, differences, read_mark, write_mark
    from mertk.run.stage import reason
    from mertk.run.stage_outputs import Findings

    now = dependencies(["python", "-m", "x"], [folder])
    write_mark(folder / "mark", now)

    def read() -> None:
        before = read_mark(folder / "mark", list[str])
        if before is not None:
            differences(before, now)
            reason(before, now, Findings())

    return Sample([folder / "mark"], read)


def trained_run(folder: Path) -> Sample:
    from mertk.config import load_config
    from mertk.run.description import KINDS, read_record
    from mertk.run.plan import refit_settings

    trained = {"best_epoch": 2, "best_step": 30, "num_parameters": 10, "seconds": 1.5, "total_steps": 200}
    around = {"num_processes": 1, "commit": "abc", "versions": {"torch": "2"}, "hardware": {"cpu": "c"}}
    files = [
        write(folder / "trained.json", trained | {"reductions": [10, 40]}),
        write(folder / "environment.json", around),
    ]

    def read() -> None:
        load_config([], ["schedule.name=plateau", *refit_settings(folder)])
        read_record(folder / "trained.json", tuple(key for key in KINDS if key in trained))
        read_record(folder / "environment.json", tuple(around))

    return Sample(files, read)


def checkpoint(folder: Path) -> Sample:
    from dataclasses import asdict

    import torch

    from mertk.content import read_json
    from mertk.training.checkpoint import find_damage, read_weights, reading_checkpoint, save_checkpoint
    from mertk.training.progress import Progress
    from mertk.training.state import SavedProgress

    state = asdict(Progress(epoch=1, step=7)) | {"num_processes": 1, "engine": "ddp"}
    save_checkpoint(folder, 7, {"state.json": state, "model.safetensors": {"w": torch.ones(3)}}, keep=1)
    directory = folder / "step_00000007"

    def read() -> None:
        with reading_checkpoint(directory):
            read_json(directory / "state.json", SavedProgress, "restore it")
            read_weights(directory / "model.safetensors")
        find_damage(directory)

    return Sample(sorted(directory.iterdir()), read)


def configuration(folder: Path) -> Sample:
    from mertk.components import check
    from mertk.config import load_config

    text = """\
run: {recipe: iemocap/foal, fold: 2}
data:
  train: a.ids
  inputs:
    audio: {kind: waveform, max_seconds: 6}
optimizer:
  learning_rate: 1e-4
  groups:
  - {pattern: encoder, learning_rate: 1.0e-5}
model:
  component: mertk.models.foal.FoalNet
  matching: true
"""
    file = write(folder / "config.yaml", text)

    def read() -> None:
        check(load_config([file]).model, "model")

    return Sample([file], read)


def settings_of_a_command_line(folder: Path) -> Sample:
    from mertk.components import check
    from mertk.config import load_config

    words = ["run.fold=2", "optimizer.groups=[{pattern: a, learning_rate: 1e-5}]", "data.inputs.video=null"]
    words += ["model={component: mertk.models.foal.FoalNet}", "model.matching=true", "training.monitor=ua"]
    file = write(folder / "settings", "\n".join(words))

    def read() -> None:
        check(load_config([], file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")).model, "model")

    return Sample([file], read)


def slurm_files(folder: Path) -> Sample:
    from mertk.jobs.slurm import read_notes
    from mertk.jobs.slurm_options import read_options

    files = [
        write(folder / "slurm.yaml", "time: 12:00:00\npartition: gpu\nparallel: 4\nsetup:\n  - module load cuda\n"),
        write(folder / "notes.json", {"a": {"job_id": "1_0", "folder": "x", "command": ["-m", "y"]}}),
    ]

    def read() -> None:
        read_notes(files[1])
        read_options([str(files[0])])

    return Sample(files, read)


def engine(folder: Path) -> Sample:
    from mertk.run.engine_file import read_engine

    file = write(folder / "engine.yaml", "distributed_type: MULTI_CPU\nnum_processes: 2\nmixed_precision: 'no'\n")
    return Sample([file], lambda: read_engine(file))


def pretrained_folder(folder: Path) -> Sample:
    from safetensors.numpy import save_file

    from mertk.encoders.weights import fingerprint, is_miniature, read_config, read_json

    save_file({"w": np.ones(3, np.float32)}, str(folder / "model-1.safetensors"))
    files = [
        write(folder / "config.json", {"model_type": "wavlm", "hidden_size": 8, "mertk_miniature": True}),
        write(folder / "model.safetensors.index.json", {"weight_map": {"w": "model-1.safetensors"}}),
        write(folder / "preprocessor_config.json", {"do_normalize": True, "sampling_rate": 16000}),
    ]

    def read() -> None:
        is_miniature(read_config(folder))
        read_json(files[2])
        fingerprint(folder)

    return Sample(files, read)


def launch_variable(folder: Path) -> Sample:
    from mertk.training.launch_request import VARIABLE, read_request

    file = write(folder / "variable", {"launcher": os.getppid(), "engine": "ddp", "num_processes": 2})

    def read() -> None:
        try:
            os.environ[VARIABLE] = file.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "")
            read_request()
        finally:
            os.environ.pop(VARIABLE, None)

    return Sample([file], read)


def miniature(folder: Path) -> Sample:

    from mertk.data_prep.synthetic.marker import read_marker

    file = write(folder / "MINIATURE.json", {"seed": 1, "utterances": 200, "version": 3, "corpus": "mosi"})
    return Sample([file], lambda: read_marker(folder))
