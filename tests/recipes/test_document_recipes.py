"""Every line of the documents that calls a recipe, called as it is written, in a folder that has what documents name.

All of them go from their options to their table with the programs played (rehearsal.py). Which of them are run for
real, on a miniature and shortened, and by which test, stands here; with MERTK_TEST_DOCUMENTS=1 all are.
"""

from __future__ import annotations

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from mertk.command import main
from tests.documents import DOCUMENTS
from tests.recipes.answering import answering
from tests.recipes.documented import RecipeLine, begin, make_world, pretend_corpora, read_lines
from tests.recipes.documented_miniatures import shortened, write_corpora
from tests.recipes.pretended_data import leave
from tests.recipes.rehearsal import Rehearsal, parsing_once

LINES = read_lines()
#: those that need no Slurm, in the order in which what was made of a corpus can stay
BY_CORPUS = sorted((line for line in LINES if "--cmd slurm" not in line.text), key=lambda line: sorted(line.corpora))
#: tests of this folder, and what they run for real, by recipe and options (`RecipeLine.kind`)
RUN = {
    "test_foal_miniature.py": (
        "iemocap/foal",
        "iemocap/foal training.epochs=3",
        "iemocap/foal --protocol clean clean-refit published",
        "iemocap/foal --audio lora --speech microsoft/wavlm-large",
        "iemocap/baselines --method late_fusion",
    ),
    "test_wheel.py": ("copy of iemocap/foal",),
    "test_own.py": ("own", "own --method foal", "own --prepare folds=3 --max_lost 0.1"),
    "test_sentiment_miniature.py": ("mosi/tam_ulag", "sims/hscl"),
    "test_baselines_miniature.py": ("mosi/baselines --method lmf",),
    "test_meld_miniature.py": ("meld/tam_ulag",),
    "test_acted_miniature.py": ("ravdess/foal --cv emobox",),
    "test_ravdess.py": ("ravdess/audio",),
    "test_document_recipes.py": ("cremad/foal --labels voice --ablation audio",),
}
#: why others are not, in every test run: all have their configuration built here, and most trained for a step there
STEP = "a step of what it trains is in test_configurations.py"
PLAYED = {
    STEP: (
        "copy of own",
        "cremad/foal",
        "iemocap/baselines --method mult --modalities audio text",
        "iemocap/foal --audio frozen --speech microsoft/wavlm-base-plus",
        "iemocap/foal --modalities audio text",
        "iemocap/foal --modalities text --classes six",
        "iemocap/foal --video lora --clip openai/clip-vit-base-patch32",
        "meld/baselines --method mult",
        "meld/hscl",
        "meld/hscl --labels sentiment",
        "mosei/hscl --variant released",
        "mosi/baselines --method mult",
        "mosi/hscl",
        "own --audio lora --speech microsoft/wavlm-base-plus",
        "own --method audio",
        "own --method audio --audio frozen --speech microsoft/wavlm-base-plus",
        "own --method late_fusion --variant frozen",
        "own --method mult --audio frozen --layers 6,9,last",
        "own --method mult --audio frozen --speech openai/whisper-small",
        "own --variant frozen",
        "own --variant frozen --speech facebook/w2v-bert-2.0 --clip facebook/dinov2-base "
        "--bert microsoft/deberta-v3-base",
        "own --variant frozen --speech microsoft/wavlm-large --clip openai/clip-vit-large-patch14 "
        "--bert google-bert/bert-base-uncased",
        "ravdess/foal --cv hicmae",
        "sims/baselines --method late_fusion --ablation audio_text",
        "sims/baselines --method tfn",
        "sims/tam_ulag --variant self_mm",
        "sims/tam_ulag recordings",
        "sims/tam_ulag recordings --bert /models/bert-base-chinese",
        "sims2/baselines --method tfn",
        "sims2/hscl",
        "sims2/tam_ulag",
    ),
    "settings of their own over a recipe that is run": (
        "iemocap/foal --clip /models/clip-vit-large-patch14 model.audio_encoder.weights=/models/wavlm-large",
        "iemocap/foal --config exp/iemocap/tuning/best.yaml",
        "iemocap/foal sampler.batch_size=8 optimizer.accumulation_steps=4 "
        "model.audio_encoder.gradient_checkpointing=true",
        "mosi/hscl data.inputs.audio.directory=data/mosi_raw/features/loudness",
        "own --config exp/own/tuning/best.yaml",
        "own --method late_fusion model.pooling=attention",
        "own --method mult --audio lora model.audio_encoder.lora_rank=16",
        "ravdess/audio data.permute_training_labels=true",
    ),
    "several experiments, each a line of its own": (
        "iemocap/compare.sh --audio frozen",
        "iemocap/foal --modalities audio video text --ablation all",
        "mosi/compare.sh",
    ),
    "Slurm, which tests/slurm has": (
        "iemocap/foal --cmd slurm --ablation all --protocol clean clean-refit published",
        "iemocap/foal --cmd slurm --slurm partition=gpu gpus-per-node=1 cpus-per-task=8 time=8:00:00",
        "mosi/compare.sh --methods mult mmim --cmd slurm --detach",
    ),
}
NOT_RUN = "recipes were NOT all run as documents show them: MERTK_TEST_DOCUMENTS=1 does it, in some quarter of an hour"


def test_what_is_run_and_what_is_not_is_told_of_each_line():
    told = [kind for kinds in (*RUN.values(), *PLAYED.values()) for kind in kinds]
    assert sorted(told) == sorted({line.kind for line in LINES})
    for name, kinds in RUN.items():
        text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        recipes = [kind.removeprefix("copy of ").split()[0] for kind in kinds]
        assert all(word in text for recipe in recipes for word in recipe.split("/")), name


def test_no_line_escapes():
    begins = re.compile(r"\bbash\s+(?:recipes/|my_exp/|\$recipe)|^ +run\.sh\b", re.MULTILINE)
    for path in DOCUMENTS:
        found = [place for line in LINES for place in line.places if place.partition(":")[0] == path.name]
        assert len(found) == len(begins.findall(path.read_text(encoding="utf-8"))), path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with what documents name, which is the present one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = make_world(tmp_path_factory.mktemp("documented"))
        patch.chdir(folder)
        yield folder


# Played.


@pytest.fixture(scope="module")
def played(world, tmp_path_factory):
    """Call a line with its programs played; gives what played them, the exit code, and what was printed."""
    pretend_corpora(world / "pretended")
    rehearsal = Rehearsal(tmp_path_factory.mktemp("kept"))

    def call(line: RecipeLine):
        begin(line, world / "pretended", rehearsal.run)
        rehearsal.forget()
        words = ["bash", "-c", line.command(world / "pretended")]
        ended = subprocess.run(words, env=os.environ | variables, stdout=-1, stderr=-2, text=True, timeout=300)
        return rehearsal, ended.returncode, ended.stdout

    with answering(rehearsal.answer, world) as variables, parsing_once():
        yield call


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text)
def test_a_recipe_is_understood_from_its_options_to_its_table(line, played):
    if "lora" in line.text and find_spec("peft") is None:
        pytest.skip("peft not installed")
    rehearsal, code, printed = played(line)
    assert rehearsal.faults == [], printed
    assert code == (0 if line.waits else 75), printed
    assert {"doctor", "cross-validate", "launch", "train"} < set(rehearsal.programs)
    ends = [name in rehearsal.programs for name in ("evaluate", "summarize")]
    assert ends == [line.waits, line.waits]


@pytest.mark.parametrize(
    ("text", "code", "fault"),
    [
        ("own/run.sh --csv clips.csv --variant frozen --speech some/encoder", 1, "doctor: some/encoder is not there"),
        ("own/run.sh --csv clips.csv --prepare groups=3", 2, "unknown option --groups"),
        ("own/run.sh --csv clips.csv data.inputs.video.directory=none", 1, "train: none/features.scp is not there"),
        (
            "own/run.sh --csv clips.csv --method late_fusion model.pooling=all",
            1,
            "pooling: got 'all', expected",
        ),
        ("iemocap/foal/run.sh training.epochs=many", 1, "training.epochs: Value 'many'"),
        ("mosi/baselines/run.sh --corpus /corpora/SIMS --method tfn", 1, "stage 1 manifests: "),
        ("mosi/hscl/run.sh --cmd slurm --slurm nodes=4", 1, "nodes"),
    ],
)
def test_a_line_that_would_fail_is_a_fault(text, code, fault, played):
    rehearsal, ended, printed = played(RecipeLine(f"bash recipes/{text}", ()))
    assert ended == code, printed
    assert len(rehearsal.faults) == 1 and fault in rehearsal.faults[0]


def test_what_a_stage_reads_or_leaves_must_be_there(tmp_path):
    rehearsal, none = Rehearsal(tmp_path), str(tmp_path / "none")
    leave(tmp_path / "exp/seed_1/trained.json")
    words = ["stage", "--name", "4 evaluate", "--mark", str(tmp_path / "mark")]
    command = ["--", "python3", "-m", "mertk", "launch", "evaluate", str(tmp_path / "exp")]
    assert rehearsal.run([*words, "--output", str(tmp_path / "exp/seed_1/results.json"), *command]) == 0
    assert rehearsal.programs == ["stage", "launch", "evaluate"] and (tmp_path / "mark").exists()
    assert rehearsal.run([*words, "--input", none, *command]) == 1
    assert rehearsal.run([*words, "--output", none, *command, "--again"]) == 1
    told = [fault.strip().splitlines()[-1].partition(": ")[2] for fault in rehearsal.faults]
    assert told == [f"stage 4 evaluate: {none} is not there", f"behind stage 4 evaluate: {none} is not there"]


# Run.


@pytest.fixture(scope="module")
def run(world, warm):
    """Call a line, shortened, on miniatures; gives the results there are."""
    corpora, read = world / "miniatures", []

    def call(line: RecipeLine):
        write_corpora(line, corpora)
        # What was made of the same corpora, by the same encoder of pictures, is good for the next line.
        made_of = [(line.corpora, "--clip" in line.text)]
        begin(line, corpora, main, ["data"] if read == made_of else [])
        read[:] = made_of
        words = ["bash", "-c", shortened(line, corpora)]
        ended = subprocess.run(words, stdout=-1, stderr=-2, text=True, timeout=900)
        assert ended.returncode == 0, ended.stdout
        return list(world.glob("**/exp/**/results.json"))

    return call


@pytest.mark.recipe
@pytest.mark.slow
@pytest.mark.parametrize("kind", RUN[Path(__file__).name])
def test_a_recipe_runs_as_documents_show_it(kind, run):
    assert run(next(line for line in LINES if line.kind == kind))


@pytest.mark.documents
@pytest.mark.skipif(os.environ.get("MERTK_TEST_DOCUMENTS") != "1", reason=NOT_RUN)
@pytest.mark.parametrize("line", BY_CORPUS, ids=lambda line: line.text)
def test_every_recipe_runs_as_documents_show_it(line, run):
    assert run(line)
