"""A sound sample of every kind of file that comes from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.reliability import data_samples, run_samples
from tests.reliability.sample import Sample

#: by name: what writes a sample into an empty folder
SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "feature directory": data_samples.feature_directory,
    "feature directory without checksums": data_samples.old_feature_directory,
    "unfinished features": data_samples.unfinished_features,
    "data directory with folds": data_samples.data_directory,
    "three-column scp": data_samples.three_column_scp,
    "ledger": data_samples.ledger,
    "label map": data_samples.label_map,
    "label.csv of raw videos": data_samples.label_table,
    "table of one's own": data_samples.own_table,
    "data directory of Kaldi": data_samples.kaldi_directory,
    "lists of EmoBox": data_samples.emobox_lists,
    "OpenFace table": data_samples.openface_table,
    "annotations of IEMOCAP": data_samples.annotations,
    "wav header": data_samples.wav_header,
    "model.json": run_samples.model_information,
    "model directory": run_samples.model_directory,
    "export.json": run_samples.exported,
    "results of classes": run_samples.results,
    "results of intensities": run_samples.results_of_intensities,
    "results of labels": run_samples.results_of_labels,
    "published figures": run_samples.published_figures,
    "marks": run_samples.marks,
    "trained.json and environment.json": run_samples.trained_run,
    "checkpoint": run_samples.checkpoint,
    "configuration": run_samples.configuration,
    "settings of a command line": run_samples.settings_of_a_command_line,
    "options and notes of Slurm": run_samples.slurm_files,
    "engine": run_samples.engine,
    "folder of pretrained weights": run_samples.pretrained_folder,
    "variable of the launcher": run_samples.launch_variable,
    "MINIATURE.json": run_samples.miniature,
}
