"""The Foal-Net recipe, really launched on the miniature corpus: shortened, but every stage and every program.

Its experiment is that of docs/start.md, with a second fold and one more epoch.
"""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import mertk
from mertk.bin import cross_validate, train
from mertk.command import main
from mertk.data_prep import extract_audio
from mertk.report.experiments import collect
from tests.documents import read_blocks
from tests.programs import call
from tests.recipes.stages import FOAL, ROOT, StagedRecipe

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]

SHORT = ("training.epochs=4", "data.num_workers=0")
#: the command lines of docs/start.md, up to those of one's own table, which are those of tests/recipes/test_own.py
START = [
    shlex.split(line)
    for block in read_blocks(ROOT / "docs/start.md")[:2]
    for line in block.commands()
    if line.startswith(("bash ", "mertk "))
]


@pytest.fixture(scope="module")
def recipe(checkout, tmp_path_factory):
    """Call run.sh on one data directory: `recipe(exp, argument...)`."""
    data = tmp_path_factory.mktemp("recipe") / "data"
    script = checkout / "recipes" / "iemocap" / "foal" / "run.sh"

    def run(exp, *arguments, code=0):
        return call(
            "bash", str(script), "--data", str(data), "--exp", str(exp), *arguments, checkout=checkout, code=code
        )

    run.data = data
    return run


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """Experiment of two folds, and what the recipe printed."""
    _, script, *options = START[0]
    assert script == "recipes/iemocap/foal/run.sh"
    exp = tmp_path_factory.mktemp("start") / options[options.index("--exp") + 1]
    return exp, recipe(exp, "--folds", "1 2", "--num_processes", "1", *SHORT)


@pytest.fixture(scope="module")
def clip(recipe, finished, tmp_path_factory):
    """A video file with picture and sound, as a user would have it."""
    dialogue = next(path for path in sorted((recipe.data / "corpus").glob("Session1/dialog/avi/DivX/Ses*.avi")))
    wav = next(iter(sorted((recipe.data / "corpus/Session1/sentences/wav" / dialogue.stem).glob("*.wav"))))
    path = tmp_path_factory.mktemp("clip") / "mine.avi"
    add_sound(dialogue, wav, path)
    return path


def test_the_recipe_goes_from_nothing_to_a_table(finished):
    exp, printed = finished
    results = json.loads((exp / "results.json").read_text())
    assert [fold["fold"] for fold in results["folds"]] == [1, 2]
    assert results["pooled"]["ua"] > 0.4  # chance is 0.25, and four epochs are few
    assert "UA pooled" in printed
    assert (exp / "confusion.png").stat().st_size > 5000


def test_the_screen_is_read_by_people(finished):
    """Captured output, which is what a job of a scheduler has for its log."""
    exp, printed = finished
    lines = printed.split("\n")
    assert [line for line in lines if len(line) > 100 and not re.fullmatch(r" *\S*/\S*", line)] == []  # but for paths
    for unwanted in ("\r", "{'", "'\"'", "Warning", "warning:", "Traceback", " INFO ", " --"):
        assert unwanted not in printed, f"{unwanted!r} is nothing to be read"
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 2 * 4 and all(re.match(r"epoch   \d  UA +\d+\.\d\d % [* ]", line) for line in epochs)
    whole = " ".join(printed.split())  # lines were broken before long paths
    assert len(re.findall(r"seed_1234: test, \d+ utterances: UA \d+\.\d\d %, WA \d+\.\d\d %, F1", whole)) == 2
    assert "stage 2 features: extract video, " in whole and re.search(r"stage 3 train: done in .*(s|min)\n", printed)
    log = next((exp / ".done").glob("3_train_*.log")).read_text()
    assert " cross-validate --config " in log and log.endswith("exit code 0\n")


def test_everything_made_from_the_miniature_says_so(finished, recipe):
    exp, printed = finished
    assert json.loads((recipe.data / "corpus.json").read_text())["miniature"] is True
    assert json.loads((recipe.data / "features/video/record.json").read_text())["miniature"] is True
    run = exp / "session-clean/fold_1/seed_1234"
    assert json.loads((run / "best/model.json").read_text())["miniature"] is True
    assert json.loads((run / "results.json").read_text())["run"]["miniature"] is True
    assert "MINIATURE" in (exp / "RESULTS.md").read_text()
    assert "MINIATURE" in printed


def test_every_test_utterance_is_scored_once(finished, recipe):
    exp, _ = finished
    for fold in (1, 2):
        lines = (exp / f"session-clean/fold_{fold}/seed_1234/predictions.tsv").read_text().splitlines()[1:]
        expected = (recipe.data / f"folds/session-clean/{fold}/test.ids").read_text().split()
        assert sorted(line.split("\t")[0] for line in lines) == expected


def test_a_second_call_does_nothing_again(finished, recipe):
    exp, _ = finished
    before = (exp / "session-clean/fold_1/seed_1234/trained.json").stat().st_mtime_ns
    printed = recipe(exp, "--folds", "1 2", "--num_processes", "1", *SHORT)
    assert "\nepoch " not in printed
    for stage in ("1 manifests", "2 features", "3 train", "4 evaluate"):
        assert f"stage {stage}: done before" in printed
    assert (exp / "session-clean/fold_1/seed_1234/trained.json").stat().st_mtime_ns == before


def test_two_processes_train_and_score(finished, recipe, tmp_path):
    recipe(tmp_path / "exp", "--stage", "3", "--folds", "1", "--num_processes", "2", "--ablation", "avel", *SHORT)
    run = tmp_path / "exp/session-clean/fold_1/seed_1234"
    assert json.loads((run / "environment.json").read_text())["num_processes"] == 2
    results = json.loads((run / "results.json").read_text())
    assert (results["count"], results["run"]["ablation"]) == (49, "avel")


def test_clean_refit_trains_as_many_steps_as_clean_chose(finished, recipe):
    exp, _ = finished
    recipe(exp, "--stage", "3", "--folds", "1", "--protocol", "clean-refit", "--num_processes", "1", *SHORT)
    clean = json.loads((exp / "session-clean/fold_1/seed_1234/trained.json").read_text())
    refit = json.loads((exp / "session-clean-refit/fold_1/seed_1234/trained.json").read_text())
    assert refit["step"] == clean["best_step"]
    assert "clean-refit" in (exp / "RESULTS.md").read_text()


def test_the_floor_takes_the_same_data_and_the_layers_of_a_frozen_encoder(
    finished, recipe, known, tmp_path, monkeypatch
):
    """Its stages are written down; those that Foal-Net has not done are done in this process."""
    staged, exp = StagedRecipe(tmp_path, known), tmp_path / "exp"
    words = ("--data", recipe.data, "--num_processes", "1", "--folds", "1")
    before = staged(FOAL, *words, *SHORT)
    stages = staged("iemocap/baselines", *words, "--exp", exp, "--method", "late_fusion", *SHORT)
    assert all(stages[name] == before[name] for name in ("1 manifests", "2 features"))  # so that they are done
    (layers,) = [words for name, words in stages.items() if name.startswith("2 speech")]
    assert extract_audio.main(layers[layers.index("audio") + 1 :]) == 0
    child = "mertk.run.cross_validation.run_child"
    monkeypatch.setattr(child, lambda words: train.main(words[words.index("train") + 1 :]))
    words = stages["3 train"]
    assert cross_validate.main(words[words.index("cross-validate") + 1 :]) == 0
    mertk.evaluate(exp)
    [found] = collect([exp])
    assert found.record["pooled"]["ua"] > 0.4  # chance is 0.25
    assert (found.record["recipe"], found.record["variant"]) == ("iemocap/baselines", "late_fusion")


def test_small_encoders_are_trained_from_nothing(finished, recipe, tmp_path):
    exp, words = tmp_path / "exp", ("--folds", "1", "--num_processes", "1", "--variant", "small", "--stage", "2")
    printed = recipe(exp, *words, "--stop_stage", "4", *SHORT)
    run = exp / "session-clean/fold_1/seed_1234"
    assert json.loads((run / "results.json").read_text())["metrics"]["ua"] > 0.4  # chance is 0.25
    model = json.loads((run / "best/model.json").read_text())
    assert model["feature_records"]["video"]["layer"] == "grey_48"
    assert not any((run / "best/encoders").glob("*"))
    assert "stage 2 features: done in" in printed


def three_columns(data, part, path, labels):
    wavs = dict(line.split(" ", 1) for line in (data / "wav.scp").read_text().splitlines())
    ids = (data / f"folds/session-clean/1/{part}.ids").read_text().split()
    path.write_text("".join(f"{utterance} {wavs[utterance]} {labels[utterance]}\n" for utterance in ids))


def test_the_original_interface_takes_three_column_scp_files(finished, recipe, checkout, tmp_path):
    labels = dict(line.split(" ", 1) for line in (recipe.data / "utt2label").read_text().splitlines())
    for part in ("train", "validation"):
        three_columns(recipe.data, part, tmp_path / f"{part}.scp", labels)
    conf = checkout / "recipes/common/conf"
    call(
        *(
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--config_file",
            str(checkout / "accelerate_config.yaml"),
        ),
        *("-m", "mertk.bin.train", "--config", str(conf / "foal.yaml"), str(conf / "foal/miniature.yaml"), "--"),
        f"data.train={tmp_path}/train.scp",
        f"data.validation={tmp_path}/validation.scp",
        f"data.inputs.video.directory={recipe.data}/features/video",
        f"model.audio_encoder.weights={recipe.data}/corpus/models/wavlm",
        f"run.output_dir={tmp_path}/run",
        *("training.epochs=1", "data.num_workers=0"),
        checkout=checkout,
    )
    assert json.loads((tmp_path / "run/best/model.json").read_text())["classes"] == ["angry", "happy", "neutral", "sad"]


def add_sound(video, wav, target):
    """Write picture and sound into one file."""
    import av
    import soundfile

    samples, rate = soundfile.read(wav, dtype="int16")
    with av.open(str(video)) as source, av.open(str(target), "w") as out:
        picture = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.rate = rate
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            out.mux(packet)


def test_ten_minutes_end_with_an_answer(finished, clip, monkeypatch, capsys):
    """What docs/start.md has behind the training, in the folder that it is in."""
    folder = finished[0].parents[1]
    monkeypatch.chdir(folder)
    shutil.copy(clip, folder / START[-1][-1])
    assert [main(words[1:]) for words in START[1:]] == [0, 0], capsys.readouterr()
    header, row = capsys.readouterr().out.splitlines()[-2:]
    assert header.split("\t")[:2] == ["file", "prediction"] and row.startswith("my_clip.mp4\t")


def test_a_recording_of_ones_own_is_predicted(finished, clip, checkout, tmp_path):
    exp, _ = finished
    shutil.copy(clip, tmp_path / "mine.avi")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    models = [str(exp / f"session-clean/fold_{fold}/seed_1234/best") for fold in (1, 2)]
    predict = ("python3", "-m", "mertk.bin.predict", "--model", *models, "--half", "left", "--out")
    call(*predict, str(tmp_path / "good.tsv"), "--", str(tmp_path / "mine.avi"), checkout=checkout)
    header, row = [line.split("\t") for line in (tmp_path / "good.tsv").read_text().splitlines()]
    assert header == ["file", "prediction", "neutral", "happy", "angry", "sad"]
    shares = dict(zip(header[2:], map(float, row[2:]), strict=True))
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert row[1] == max(shares, key=shares.get)
    files = [str(tmp_path / "broken.mp4"), str(tmp_path / "mine.avi")]
    printed = call(*predict, str(tmp_path / "some.tsv"), "--", *files, checkout=checkout, code=1)
    assert "broken.mp4" in printed
    assert len((tmp_path / "some.tsv").read_text().splitlines()) == 2


def test_scoring_with_other_features_is_refused(finished, recipe, checkout):
    exp, _ = finished
    run = exp / "session-clean/fold_2/seed_1234"
    model = run / "best/model.json"
    before = model.read_text()
    fingerprint = json.loads(before)["feature_records"]["video"]["weights_fingerprint"]
    model.write_text(before.replace(fingerprint, "0" * len(fingerprint)))
    try:
        evaluate = ("python3", "-m", "mertk.bin.launch", "mertk.bin.evaluate", str(run), "--again")
        printed = call(*evaluate, checkout=checkout, code=1)
    finally:
        model.write_text(before)
    assert "the video features are not those the model was trained on: weights_fingerprint" in printed


def test_a_missing_corpus_is_one_message(checkout, tmp_path):
    (tmp_path / "empty").mkdir()
    script = checkout / "recipes/iemocap/foal/run.sh"
    printed = call(
        *("bash", str(script), "--corpus", str(tmp_path / "empty"), "--stage", "1", "--stop_stage", "1"),
        *("--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")),
        checkout=checkout,
        code=1,
    )
    assert "Session1" in printed
    assert "Traceback" not in printed
    assert not list(Path(tmp_path / "data").glob("wav.scp"))


def test_adapters_of_the_speech_encoder_are_trained(finished, recipe, tmp_path):
    exp, words = tmp_path / "exp", ("--folds", "1", "--num_processes", "1", "--audio", "lora", "--ablation", "audio")
    recipe(exp, *words, "--stage", "3", "--stop_stage", "3", "training.epochs=1", "data.num_workers=0")
    run = exp / "session-clean/fold_1/seed_1234"
    references = json.loads((run / "best/model.json").read_text())["references"]
    assert references["audio_encoder"]["weights"] == str(recipe.data / "corpus/models/wavlm")
    assert (run / "best/model.safetensors").stat().st_size < 100_000
