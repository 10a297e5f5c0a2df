"""A sound sample of every file that comes from outside, and how it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mertk.errors import MertkError

CLASSES = ["angry", "happy", "neutral", "sad"]
NAMES = [f"Ses0{session}F_impro01_F{number:03d}" for session in (1, 2, 3) for number in range(4)]


@dataclass(frozen=True)
class Sample:
    """Files of one kind, each of which may be damaged, and what reads them all.

    Attributes:
        expected: whether what was read is the truth; anything goes where it cannot be known.
        errors: what `read` may raise; MertkError, unless its caller makes one of it.
    """

    files: list[Path]
    read: Callable[[], Any]
    expected: Callable[[Any], bool] = lambda found: True
    errors: tuple[type[Exception], ...] = (MertkError,)


def write(path: Path, content: Any) -> Path:
    """Write text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def feature_directory(folder: Path, has_checksums: bool = True) -> Sample:
    from mertk.data.feature_store import FeatureRecord, FeatureStore, FeatureWriter, merge_parts

    record = FeatureRecord("video", "clip", "weights", "abc", "projected", 30.0, 6, options={"max_seconds": 6.0})
    arrays = {name: np.random.default_rng(row).random((2 + row, 6), np.float32) for row, name in enumerate(NAMES)}
    with FeatureWriter(folder, record) as writer:
        for name, array in arrays.items():
            writer.write(name, array)
    merge_parts(folder, arrays)
    if not has_checksums:
        write(folder / "record.json", json.loads((folder / "record.json").read_text()) | {"format": 1})
        (folder / "utt2checksum").unlink()

    def read() -> dict[str, np.ndarray]:
        store = FeatureStore(folder)
        return {name: store.read(name) for name in store.ids}

    def is_true(found: dict[str, np.ndarray]) -> bool:
        same = found.keys() == arrays.keys() and all(np.array_equal(found[name], arrays[name]) for name in arrays)
        return same or not has_checksums or json.loads((folder / "record.json").read_text())["format"] == 1

    files = [path for path in folder.iterdir() if path.suffix != ".index"]
    return Sample(sorted(files), read, is_true)


def old_feature_directory(folder: Path) -> Sample:
    return feature_directory(folder, has_checksums=False)


def unfinished_features(folder: Path) -> Sample:
    from mertk.data.feature_store import FeatureStore, FeatureWriter, finished_entries, merge_parts, read_record

    array = feature_directory(folder).read()[NAMES[3]].copy()

    def read() -> np.ndarray:
        record = read_record(folder)
        finished_entries(folder)
        with FeatureWriter(folder, record) as writer:
            if "new" not in writer.finished:
                writer.write("new", np.ones((3, 6)))
        merge_parts(folder, ["new", NAMES[3]])
        store = FeatureStore(folder)
        return store.read(NAMES[3])

    def is_true(found: np.ndarray) -> bool:
        return np.array_equal(found, array) or json.loads((folder / "record.json").read_text())["format"] == 1

    return Sample([folder / "record.json", folder / "part-00000-of-00001.index"], read, is_true)


def data_directory(folder: Path) -> Sample:
    from mertk.data.folds import check_parts, make_folds, read_fold, write_folds
    from mertk.data.manifest import load_manifest, validate_directory

    columns = {
        "wav.scp": lambda name: f"/none/{name}.wav",
        "utt2label": lambda name: CLASSES[int(name[-1])],
        "utt2spk": lambda name: name[:6],
        "utt2session": lambda name: name[:5],
        "utt2dialogue": lambda name: name[:14],
        "utt2dur": lambda name: "1.5",
        "utt2vad": lambda name: "2.5 2.5 3",
        "video_segments": lambda name: "0.0 1.5 left",
        "text": lambda name: f"What is it, {name[-1]}?",
    }
    files = [
        write(folder / column, "".join(f"{name} {value(name)}\n" for name in NAMES))
        for column, value in columns.items()
    ]
    files.append(write(folder / "classes.txt", "".join(f"{name}\n" for name in CLASSES)))
    files.append(write(folder / "corpus.json", {"miniature": True, "metrics": None}))
    write_folds(folder / "folds" / "session-clean", make_folds(load_manifest(folder), "session", "clean"))
    fold = folder / "folds" / "session-clean" / "1"
    files += sorted(fold.iterdir())

    def read() -> None:
        validate_directory(folder, check_files=False)
        manifest = load_manifest(folder)
        for column in columns:
            manifest.column(column)
        check_parts(manifest, read_fold(fold))
        make_folds(manifest, "speaker", "published")

    return Sample(files, read)


def three_column_scp(folder: Path) -> Sample:
    from mertk.data.manifest import load_manifest

    file = write(folder / "train.scp", "".join(f"{name} /wav/{name}.wav {CLASSES[int(name[-1])]}\n" for name in NAMES))
    return Sample([file], lambda: load_manifest(file))


def ledger(folder: Path) -> Sample:
    from mertk.data.ledger import Ledger, read_ledger

    kept = Ledger()
    for name in NAMES:
        kept.add(name, "audio", "no_audio", "there is none")
    kept.write(folder / "excluded.tsv")
    return Sample([folder / "excluded.tsv"], lambda: str(read_ledger(folder / "excluded.tsv")))


def label_map(folder: Path) -> Sample:
    from mertk.data.label_map import load_label_map

    file = write(folder / "map.yaml", "classes: [happy, sad]\nmap:\n  hap: happy\n  exc: happy\n  sad: sad\n")
    return Sample([file], lambda: load_label_map(str(file), folder, ("hap", "exc", "sad")))


def label_table(folder: Path) -> Sample:
    from data_prep.raw_video_labels import read_clips
    from mertk.data.ledger import Ledger

    rows = "".join(f"v{row},{row},hello there,{row - 2},{row / 5},train\n" for row in range(5))
    file = write(folder / "label.csv", f"video_id,clip_id,text,label,label_A,mode\n{rows}")
    return Sample([file], lambda: read_clips(file, "mosi", Ledger()))


def openface_table(folder: Path) -> Sample:
    from data_prep.openface_table import FIRST_COLUMNS, NUM_FEATURES, read_table

    head = ", ".join([*FIRST_COLUMNS, *(f"f{number}" for number in range(NUM_FEATURES))])
    rows = [", ".join(map(str, [frame, 0, frame / 25, 0.98, 1, *[0.5] * NUM_FEATURES])) for frame in range(2)]
    file = write(folder / "clip.csv", "\n".join([head, *rows]) + "\n")
    return Sample([file], lambda: read_table(file))


def annotations(folder: Path) -> Sample:
    from data_prep.iemocap_corpus import read_corpus

    dialog, turns, words = folder / "Session1" / "dialog", "% [START_TIME - END_TIME]\n\n", ""
    for row, name in enumerate(NAMES[:3]):
        turns += f"[{row}.5 - {row}.9]\t{name}\tneu\t[2.5, 2.5, 3.0]\nC-E1:\tNeutral;\t()\n"
        words += f"{name} [000.1-001.2]: Well.\n"
    files = [
        write(dialog / "EmoEvaluation" / "Ses01F_impro01.txt", turns),
        write(dialog / "transcriptions" / "Ses01F_impro01_text.txt", words),
    ]
    return Sample(files, lambda: read_corpus(folder, [1]))


def wav_header(folder: Path) -> Sample:
    import wave

    from data_prep.wav_header import TruncatedWav, UnreadableWav, read_wav_header

    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(100))
    return Sample([path], lambda: read_wav_header(path).seconds, errors=(TruncatedWav, UnreadableWav))


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
    from mertk.metrics import find_metric_set, regression_metrics
    from mertk.report.experiments import collect

    directory = folder / "official-clean" / "fold_1" / "seed_1"
    about = {"recipe": "r", "variant": "paper", "ablation": "full", "cv": "official", "protocol": "clean", "fold": 1}
    about |= {"seed": 1, "miniature": False, "permuted_labels": False, "num_folds": 1}
    truth, given = np.float32([-2, -1, 0.5, 1, 3]), np.float32([-1.5, -1, 1, 0.5, 2])
    measured = regression_metrics(truth, given, "mosi")
    metrics = {name: measured.get(name) for name in find_metric_set("regression", "mosi").names}
    content = {"task": "regression", "count": 5, "run": about, "metric_set": "mosi", "metrics": metrics}
    rows = "".join(f"u{row}\t{pair[0]}\t{pair[1]}\n" for row, pair in enumerate(zip(truth, given, strict=True)))
    write(directory / "config.yaml", "run: {}\n")
    files = [
        write(directory / "results.json", content),
        write(directory / "predictions.tsv", f"utterance\ttruth\tprediction\n{rows}"),
    ]
    return Sample(files, lambda: collect([folder]))


def published_figures(folder: Path) -> Sample:
    from mertk.report.published import read_published

    figures = "source: A paper.\nnote: Table 2.\ncv: session\nfigures:\n  full: {ua: 80.1, wa: 79.45}\n"
    file = write(folder / "published.yaml", f"{figures}others:\n  Theirs: {{ua: 75.0}}\n")
    return Sample([file], lambda: read_published(file))


def marks(folder: Path) -> Sample:
    from mertk.bin.stage import reason
    from mertk.marks import dependencies, differences, read_mark, write_mark

    now = dependencies(["python", "-m", "x"], [folder])
    write_mark(folder / "mark", now)

    def read() -> None:
        before = read_mark(folder / "mark", list[str])
        if before is not None:
            differences(before, now)
            reason(before, now, [])

    return Sample([folder / "mark"], read)


def trained_run(folder: Path) -> Sample:
    from mertk.bin.evaluate import KINDS, read_object
    from mertk.bin.run_plan import refit_settings
    from mertk.config import load_config

    trained = {"best_epoch": 2, "best_step": 30, "num_parameters": 10, "seconds": 1.5, "total_steps": 200}
    around = {"num_processes": 1, "commit": "abc", "versions": {"torch": "2"}, "hardware": {"cpu": "c"}}
    files = [
        write(folder / "trained.json", trained | {"reductions": [10, 40]}),
        write(folder / "environment.json", around),
    ]

    def read() -> None:
        load_config([], ["schedule.name=plateau", *refit_settings(folder)])
        read_object(folder / "trained.json", tuple(key for key in KINDS if key in trained))
        read_object(folder / "environment.json", tuple(around))

    return Sample(files, read)


def checkpoint(folder: Path) -> Sample:
    from dataclasses import asdict

    import torch

    from mertk.content import read_json
    from mertk.training.checkpoint import find_damage, read_weights, reading_checkpoint, save_checkpoint
    from mertk.training.run_progress import Progress
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
    from mertk.bin.launch import read_engine

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
    from data_prep.synthetic import iemocap, mmsa

    file = write(folder / "MINIATURE.json", {"seed": 1, "utterances": 200, "version": 3, "corpus": "mosi"})
    return Sample([file], lambda: (iemocap.read_marker(folder), mmsa.read_marker(folder)))


#: by name: what writes a sample into an empty folder
SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "feature directory": feature_directory,
    "feature directory without checksums": old_feature_directory,
    "unfinished features": unfinished_features,
    "data directory with folds": data_directory,
    "three-column scp": three_column_scp,
    "ledger": ledger,
    "label map": label_map,
    "label.csv of raw videos": label_table,
    "OpenFace table": openface_table,
    "annotations of IEMOCAP": annotations,
    "wav header": wav_header,
    "model.json": model_information,
    "model directory": model_directory,
    "results of classes": results,
    "results of intensities": results_of_intensities,
    "published figures": published_figures,
    "marks": marks,
    "trained.json and environment.json": trained_run,
    "checkpoint": checkpoint,
    "configuration": configuration,
    "settings of a command line": settings_of_a_command_line,
    "options and notes of Slurm": slurm_files,
    "engine": engine,
    "folder of pretrained weights": pretrained_folder,
    "variable of the launcher": launch_variable,
    "MINIATURE.json": miniature,
}
