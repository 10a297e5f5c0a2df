"""mertk export: an experiment handed on as a directory, its card, and who can use it."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import ModelCard

import mertk
from mertk.bin.export import main
from mertk.config import as_dict, load_config
from mertk.content import read_yaml
from mertk.data.folds import Fold, write_folds
from mertk.data_prep.corpora import describe_corpora
from mertk.errors import MertkError
from mertk.handover.impersonal import impersonal_config
from mertk.handover.licences import FILE as LICENCES
from mertk.run import onnx
from mertk.run.exported import FILE, read_exported
from mertk.run.training import train
from tests.listening_model import save_listener
from tests.odd_files import write_tone
from tests.small_run import small_config, write_data
from tests.toy import Classifier

ROOT = Path(__file__).resolve().parents[2]
FRAMES = np.random.default_rng(5).normal(1, 1, (6, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Two seeds of one split, scored, of a model and a corpus of one's own."""
    folder = tmp_path_factory.mktemp("ann")
    data = folder / "data"
    write_data(data, count=48)
    ids = [f"u{number:03d}" for number in range(48)]
    fold = Fold(ids[24:], ids[20:24], ids[:20])
    fold.info = {"cv": "session", "protocol": "clean", "fold": 1}
    write_folds(data / "folds" / "session-clean", [fold])
    for seed in (1, 2):
        run = folder / "exp/toy/paper/session-clean/fold_1" / f"seed_{seed}"
        train(small_config(data, run, f"training.seed={seed}", "run.recipe=toy/means"))
    mertk.evaluate(folder / "exp", trust="tests.toy")
    return folder / "exp/toy/paper/session-clean"


@pytest.fixture(scope="module")
def exported(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed_on") / "means"
    assert mertk.export(experiment, folder, trust="tests.toy", corpus_licence="mine, CC0") == str(folder)
    return folder


def values_of(model, **options):
    return mertk.load(model, "cpu", trust="tests.toy", **options).predict({"video": FRAMES}).values


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(capsys, *words):
    assert main([*map(str, words), "--trust", "tests.toy"]) == 1
    return capsys.readouterr().err


def test_all_models_of_an_experiment_go_together_and_are_averaged(experiment, exported):
    runs = [experiment / f"fold_1/seed_{seed}/best" for seed in (1, 2)]
    assert values_of(exported) == values_of(runs) != values_of(runs[0])
    names = [f"fold_1-seed_{seed}/{name}" for seed in (1, 2) for name in ("config.yaml", "model.json")]
    names += [f"fold_1-seed_{seed}/model.safetensors" for seed in (1, 2)]
    assert files_of(exported) == sorted([*names, FILE, "README.md"])
    assert read_exported(exported).models == ["fold_1-seed_1", "fold_1-seed_2"]


def test_a_run_is_chosen_by_name_or_by_its_validation_part(experiment, tmp_path, capsys):
    for which, name in (("fold_1/seed_2", "named"), ("best", "best")):
        assert main([str(experiment), "--to", str(tmp_path / name), "--run", which, "--trust", "tests.toy"]) == 0
        assert "model.safetensors" in files_of(tmp_path / name)
    assert values_of(tmp_path / "named") == values_of(experiment / "fold_1/seed_2/best")
    monitored = [json.loads((run / "model.json").read_text())["monitored"] for run in sorted(experiment.rglob("best"))]
    best = 1 + monitored.index(max(monitored))
    assert values_of(tmp_path / "best") == values_of(experiment / f"fold_1/seed_{best}/best")
    card = (tmp_path / "best/README.md").read_text()
    assert "of 2 runs the one that did best on its validation part (ua)" in card
    assert "All 2 runs of the experiment:" in card
    assert "seed_3: no such finished run" in refused(
        capsys, experiment, "--to", tmp_path / "x", "--run", "fold_1/seed_3"
    )


def test_nothing_says_on_which_machine_it_was_made(experiment, exported):
    told = [str(experiment), str(experiment.parents[3]), "/tmp/", str(Path.home()), socket.gethostname()]
    told += [f"/{getpass.getuser()}", str(ROOT), "pytest"]
    for name in files_of(exported):
        content = (exported / name).read_bytes()
        assert [one for one in told if one.encode() in content] == [], name
        if not name.endswith(".safetensors"):  # no path of any machine
            assert re.findall(r"(?<![\w.:/<])/[a-z]\w+/[\w./]+", content.decode()) == [], name


def test_the_card_says_what_it_is_and_how_sure(exported, experiment):
    card = ModelCard.load(exported / "README.md")
    assert card.data.library_name == "mertk" and "emotion-recognition" in card.data.tags
    text = card.text
    scores = mertk.read_results(experiment)
    assert "epoch chosen on a validation part (clean); folds by session; seeds 1, 2; 20 test utterances" in text
    assert re.search(rf"\| UA +\| +{100 * scores.ua.mean():.2f} \| +[\d.]+ to [\d.]+ \||\| UA .* - \|", text)
    assert "averages their answers, which was not measured" in text
    assert "Corpus: toy." in text and "Licence of the corpus: mine, CC0." in text
    assert "| 0      | angry |" in text and "come from files or code whose extractors mertk" in text
    assert 'mertk.load("means", trust="tests.toy")' in text and "MINIATURE" not in text
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["ua"].metric_value == pytest.approx(scores.ua.mean(), abs=1e-6)
    assert results["ua"].dataset_name == "toy" and results["ua"].task_type == "video-classification"


def test_a_miniature_says_so_and_stands_in_no_leaderboard(experiment, tmp_path):
    copy = tmp_path / "exp/paper/session-clean/fold_1/seed_1"
    shutil.copytree(experiment / "fold_1/seed_1", copy)
    for path in (copy / "best/model.json", copy / "results.json"):
        content = json.loads(path.read_text())
        about = content.get("run", content)
        about |= {"miniature": True, "invented": ["recordings"]}
        path.write_text(json.dumps(content))
    mertk.export(copy, tmp_path / "small", trust="tests.toy")
    card = ModelCard.load(tmp_path / "small/README.md")
    assert card.text.lstrip().startswith("> **MINIATURE.") and "no recording of the corpus was used" in card.text
    assert card.data.eval_results is None and "miniature" in card.data.tags


def test_another_user_gets_the_same_answers_from_an_empty_folder(tmp_path, monkeypatch):
    models = [save_listener(tmp_path / "old" / name, seed) for seed, name in enumerate("ab")]
    tone = write_tone(tmp_path / "tone.wav")
    before = [mertk.load(model, "cpu").predict(tone).values for model in models]
    for model in models:
        mertk.export(model, tmp_path / "given" / model.name)
    shutil.rmtree(tmp_path / "old")
    (tmp_path / "given").rename(tmp_path / "received")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "received")
    # tests/unit/test_hub.py has a program that knows nothing of this process.
    assert [mertk.load(name, "cpu").predict(tone).values for name in "ab"] == before
    assert list((tmp_path / "home").iterdir()) == []


def test_a_class_of_ones_own_is_built_for_those_who_trust_it(exported):
    with pytest.raises(MertkError, match=r"tests\.toy\.Classifier' is no class of mertk.*add trust='tests\.toy'"):
        mertk.load(exported)


def test_a_model_that_python_code_trained_on_rows_of_its_own(tmp_path):
    rows = [{"utterance_id": f"u{row}", "video": FRAMES * (-1) ** row, "label": "ab"[row % 2]} for row in range(12)]
    config = {"run": {"output_dir": str(tmp_path / "exp/run")}, "training": {"epochs": 1, "trackers": []}}
    config |= {"loss_weights": {"ce": 1.0}, "data": {"num_workers": 0}}
    run = mertk.train(config, model=Classifier(dropout=0.0), train=rows[:8], validation=rows[8:])
    mertk.export(tmp_path / "exp/run", tmp_path / "given", trust="tests.toy")
    assert values_of(tmp_path / "given") == values_of(run.model_directory)
    card = (tmp_path / "given/README.md").read_text()
    assert 'predictor.predict({"video": video})' in card and "mertk predict" not in card
    assert "None: the model was not scored" in card and "Corpus: not recorded." in card


def test_what_is_damaged_or_added_is_told(exported, tmp_path):
    def damaged(name, content):
        copy = tmp_path / name.replace("/", "_")
        shutil.copytree(exported, copy)
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(content)
        with pytest.raises(MertkError) as raised:
            values_of(copy)
        return str(raised.value)

    weights = (exported / "fold_1-seed_1/model.safetensors").read_bytes()
    assert "expected" in damaged("fold_1-seed_1/model.safetensors", weights[:-1])
    assert "its sha256 is another" in damaged("fold_1-seed_2/model.safetensors", weights[:-1] + b"x")
    assert "export.json does not name it" in damaged("encoders/pytorch_model.bin", b"")
    content = json.loads((exported / FILE).read_text())
    for key, value, told in (
        ("models", ["../other"], "one inside the directory"),
        ("models", [], "expected one or several"),
        ("models", ["fold_1-seed_3"], "files lacks fold_1-seed_3/model.json"),
        ("files", {name: facts for name, facts in content["files"].items() if "config" not in name}, "files lacks"),
        ("features", {"video": "features/video"}, "files has none below features/video"),
        ("features", {"smell": "fold_1-seed_1"}, "features has 'smell', expected audio or video or text"),
        ("files", {**content["files"], "a/../../b.json": {"bytes": 1, "sha256": ""}}, "names inside the directory"),
        ("files", {**content["files"], "code.py": {"bytes": 1, "sha256": ""}}, "names inside the directory"),
        ("format", 2, "a newer mertk wrote it"),
        ("kind", "onnx", "exported for ONNX Runtime"),
    ):
        (tmp_path / "odd").mkdir(exist_ok=True)
        (tmp_path / "odd" / FILE).write_text(json.dumps(content | {key: value}))
        with pytest.raises(MertkError, match=told):
            mertk.load(tmp_path / "odd")


def test_a_directory_is_replaced_only_where_it_is_an_export(experiment, tmp_path, capsys):
    target, words = tmp_path / "out", [experiment / "fold_1/seed_1", "--to", tmp_path / "out"]
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    assert "holds notes.txt, and mertk export did not make it" in refused(capsys, *words)
    assert files_of(target) == ["notes.txt"]
    (target / "notes.txt").unlink()
    assert main([str(experiment), "--to", str(target), "--trust", "tests.toy"]) == 0
    (target / "LICENSE").write_text("mine")
    assert main([*map(str, words), "--trust", "tests.toy"]) == 0
    assert files_of(target) == ["LICENSE", "README.md", "config.yaml", FILE, "model.json", "model.safetensors"]
    card = target / "README.md"
    card.write_text(f"{card.read_text()}\nWritten by hand.\n")
    assert "README.md was edited since it was written; --overwrite" in refused(capsys, *words)
    assert "Written by hand." in card.read_text() and values_of(target)
    assert main([*map(str, words), "--trust", "tests.toy", "--overwrite"]) == 0
    assert "Written by hand." not in card.read_text()
    assert "is exported already" in refused(capsys, target, "--to", tmp_path / "again")


def test_what_cannot_be_handed_on_leaves_nothing_behind(experiment, tmp_path, capsys):
    out = tmp_path / "out"
    assert "lies in" in refused(capsys, experiment, "--to", experiment / "out")
    assert "no such directory" in refused(capsys, tmp_path / "absent", "--to", out)
    assert "no finished run" in refused(capsys, tmp_path, "--to", out)
    assert "--private and --revision are of the hub" in refused(capsys, experiment, "--to", out, "--private")
    copy = tmp_path / "exp"
    for name in ("session-clean", "speaker-clean"):
        shutil.copytree(experiment, copy / name)
    assert "runs of several kinds (session-clean" in refused(capsys, copy, "--to", out)
    assert main([str(experiment), "--to", str(out)]) == 1
    assert "add --trust tests.toy" in capsys.readouterr().err
    best = copy / "session-clean/fold_1/seed_1/best"
    config = best / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("tests.toy.Classifier", "__main__.Classifier"))
    assert main([str(best), "--to", str(out), "--trust", "__main__"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exp"]


def test_paths_of_this_machine_are_no_part_of_a_configuration():
    given = {"run": {"output_dir": "/exp/ann", "files": ["/home/ann/mine.yaml"], "settings": ["a.weights=/home/ann/w"]}}
    sound = {"kind": "waveform", "directory": "/data/ann/features"}
    given |= {"data": {"directory": "/data/ann", "inputs": {"audio": sound}}}
    noise = {"component": "mertk.data.augmentation.Noise", "folder": "/data/ann/noise of 1"}
    sound["augmentation"] = [noise]
    given["model"] = {
        "component": "mine.Model",
        "audio_encoder": {"component": "mine.Encoder", "weights": "/home/ann/w"},
    }
    config = impersonal_config(load_config([given]), {"audio_encoder": "owner/w"})
    assert "ann" not in str(as_dict(config))
    assert config.run.files == ["mine.yaml"] and config.run.settings == ["a.weights=w"]
    assert config.data.inputs["audio"].augmentation[0]["folder"] == "noise of 1"
    assert config.model["audio_encoder"]["weights"] == "owner/w"
    given["model"]["lexicon"] = {"words": ["/home/ann/words.txt"]}
    with pytest.raises(MertkError, match=r"model\.lexicon\.words is /home/ann/words\.txt, a path of this machine"):
        impersonal_config(load_config([given]), {"audio_encoder": "owner/w"})


def test_a_graph_for_onnx_runtime_has_what_is_to_be_known_of_it_in_its_card(experiment, tmp_path, monkeypatch, capsys):
    given = {"name": "video", "dtype": "float32", "shape": ["batch", "video_frames", 4], "meaning": "features"}
    lengths = {"name": "video_lengths", "dtype": "int64", "shape": ["batch"], "meaning": "frames"}
    answer = {"name": "probabilities", "dtype": "float32", "shape": ["batch", 2], "meaning": "of the classes"}
    facts = {
        "opset": 20,
        "exporter": "torch",
        "inputs": [given, lengths],
        "outputs": [answer],
        "largest_difference": 1e-7,
    }
    facts |= {"outside": ["video: features by toy"], "inside": ["softmax"]}

    def export_onnx(saved, directory, apart):
        assert not apart
        assert saved.info["feature_records"]["video"]["weights"] == "weights"
        (directory / "model.onnx").write_bytes(b"graph")
        return SimpleNamespace(**facts)

    monkeypatch.setattr(onnx, "export_onnx", export_onnx)
    words = [experiment / "fold_1/seed_1", "--to", tmp_path / "graph", "--format", "onnx"]
    assert main([*map(str, words), "--trust", "tests.toy"]) == 0
    assert files_of(tmp_path / "graph") == ["README.md", "config.yaml", FILE, "model.json", "model.onnx"]
    card = (tmp_path / "graph/README.md").read_text()
    assert "Opset 20" in card and "Left outside: video: features by toy." in card and "differ by 1e-07" in card
    assert '"video": np.zeros((1, 50, 4), np.float32),\n' in card and '(f"{folder}/model.onnx")' in card
    with pytest.raises(MertkError, match="exported for ONNX Runtime"):
        mertk.load(tmp_path / "graph")


def test_every_corpus_that_can_be_prepared_has_its_licence():
    licences = read_yaml(LICENCES, dict, "mend it")["corpora"]
    text = (ROOT / "docs/corpora.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", text, re.MULTILINE))
    for corpus in licences.values():
        said = rows[corpus["title"]]
        assert corpus["licence"] == said or said.startswith("as "), corpus
    prepared = {name.partition("_")[0] for name in describe_corpora()}
    own = {"mmsa", "raw", "csv", "kaldi", "emobox", "audformat"}  # layouts of any corpus
    assert prepared - own <= licences.keys()
