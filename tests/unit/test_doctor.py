import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from mertk.bin import doctor
from mertk.checkup import folders, needs, software, weights
from mertk.checkup.examination import makes_speech_features
from mertk.data_prep import corpora
from tests.raw_corpus import write_bert


def test_machine_of_the_tests_is_fit(tmp_path, capsys):
    assert doctor.main(["--writable", str(tmp_path / "new" / "folder")]) == 0
    told = capsys.readouterr().out
    assert "FAIL" not in told
    assert "torch " in told
    assert f"{tmp_path / 'new' / 'folder'}: " in told
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_those_of_setup_cfg(monkeypatch, capsys):
    absent = {"torch", "ruff"}
    monkeypatch.setattr(software, "is_installed", lambda name: name not in absent)
    assert doctor.main(["--missing", "run"]) == 1
    assert capsys.readouterr().out == "torch\n"
    assert doctor.main(["--missing", "dev"]) == 1
    assert capsys.readouterr().out == "torch\nruff\n"
    assert doctor.main([]) == 1
    assert re.search(r"FAIL  packages        missing: torch; .*pip install -c .* -e ", capsys.readouterr().out)


def test_other_versions_are_a_warning(monkeypatch):
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.0.0" if name == "librosa" else real(name))
    status, _, told = software.check_versions()
    assert status == "warn"
    assert "librosa 1.0.0 (tested: 0.11.0)" in told


def test_folder_without_permission(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    finding = folders.check_writable(tmp_path / "exp")
    assert finding == (
        "FAIL",
        "writable",
        f"{tmp_path}: Permission denied; choose another directory than {tmp_path / 'exp'}",
    )


def test_finished_folder_that_may_only_be_read_is_a_warning(tmp_path, monkeypatch):
    error = OSError(30, "Read-only file system")

    def refuse(dir):
        raise error

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    (tmp_path / ".done").mkdir()
    (tmp_path / ".done" / "0_corpus").touch()
    (tmp_path / ".done" / ".1_manifests.lock").touch()
    assert folders.check_writable(tmp_path).status == "FAIL"
    (tmp_path / ".done" / "1_manifests").touch()
    assert folders.check_writable(tmp_path) == (
        "warn",
        "writable",
        f"{tmp_path}: Read-only file system; stages are done there, one that has to run again will fail",
    )
    assert folders.check_writable(tmp_path / "exp").status == "FAIL"
    error = OSError(28, "No space left on device")
    assert folders.check_writable(tmp_path).status == "FAIL"


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "exp").write_text("", encoding="utf-8")
    finding = folders.check_writable(tmp_path / "exp" / "run")
    assert finding.status == "FAIL"
    assert "is a file" in finding.told


def test_little_room(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5e7))
    assert folders.check_writable(tmp_path) == ("FAIL", "writable", f"{tmp_path}: 0.05 GB free; make room")


def test_corpus(tmp_path):
    assert "no such file or directory" in corpora.check_corpus(tmp_path / "none").told
    for session in range(1, 6):
        for part in ("dialog/EmoEvaluation", "dialog/transcriptions", "dialog/avi/DivX", "sentences/wav"):
            (tmp_path / f"Session{session}" / part).mkdir(parents=True)
    assert corpora.check_corpus(tmp_path) == ("ok", "corpus", f"{tmp_path}: 5 sessions")
    (tmp_path / "Session4/dialog/avi/DivX").rmdir()
    assert "Session4/dialog/avi/DivX missing" in corpora.check_corpus(tmp_path).told


def test_of_a_corpus_only_what_is_used_must_be_there(tmp_path):
    for session in (1, 2):
        for part in ("dialog/EmoEvaluation", "sentences/wav"):
            (tmp_path / f"Session{session}" / part).mkdir(parents=True)
    both, sound = {"audio": "waveform", "video": "features"}, {"audio": "waveform"}
    assert "Session1/dialog/avi/DivX and 1 more missing" in corpora.check_corpus(tmp_path, both, sessions=[1, 2]).told
    assert corpora.check_corpus(tmp_path, sound, sessions=[1, 2]) == ("ok", "corpus", f"{tmp_path}: 2 sessions")
    assert corpora.check_corpus(tmp_path, both | {"video": "given"}, sessions=[1, 2]).status == "ok"
    assert corpora.check_corpus(tmp_path, sound).status == "FAIL"
    table = tmp_path / "sims"
    table.mkdir()
    (table / "label.csv").touch()
    assert corpora.check_corpus(table, {"text": "tokens"}).status == "ok"
    assert "Raw missing" in corpora.check_corpus(table, {"text": "tokens", "audio": "features"}).told
    (table / "label.csv").rename(tmp_path / "other.csv")
    (table / "Raw").mkdir()
    assert "label.csv missing" in corpora.check_corpus(table).told
    assert corpora.check_corpus(table, labels=tmp_path / "other.csv").status == "ok"


def test_a_feature_file_and_recordings_are_corpora_too(tmp_path):
    file = tmp_path / "unaligned_50.pkl"
    file.write_bytes(b"0" * 2_000_000)
    assert corpora.check_corpus(file) == ("ok", "corpus", f"{file}: a feature file of 2 MB")
    clip = tmp_path / "Raw/video_1/1.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    assert "label.csv missing" in corpora.check_corpus(tmp_path).told
    (tmp_path / "label.csv").touch()
    assert corpora.check_corpus(tmp_path) == ("ok", "corpus", f"{tmp_path}: 1 recordings")


def test_weights_named_in_a_configuration_are_found():
    model = {"component": "x", "weights": None, "audio_encoder": {"weights": "microsoft/wavlm-large", "size": 3}}
    assert list(needs.named_weights(model)) == [("model.audio_encoder.weights", "microsoft/wavlm-large")]


def test_weights_in_a_folder(tmp_path):
    assert "no config.json" in weights.check_weights(str(tmp_path)).told
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert "none of model.safetensors" in weights.check_weights(str(tmp_path)).told
    (tmp_path / "model.safetensors").touch()
    assert weights.check_weights(str(tmp_path)).status == "ok"
    assert weights.check_weights(str(tmp_path / "none")).told.startswith(f"{tmp_path / 'none'}: no such folder")


def test_weights_that_are_not_all_there(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (tmp_path / "model-1.safetensors").touch()
    assert "model-2.safetensors not found" in weights.check_weights(str(tmp_path)).told
    for damaged in ("{", "{}", '{"weight_map": [1]}', '{"weight_map": {"a": 3}}'):
        (tmp_path / "model.safetensors.index.json").write_text(damaged, encoding="utf-8")
        finding = weights.check_weights(str(tmp_path))
        assert finding.status == "FAIL" and "copy the model again" in finding.told


def test_weights_of_another_kind(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "model.safetensors").touch()
    assert "model_type 'bert' is no encoder of pictures" in weights.check_clip(str(tmp_path)).told
    (tmp_path / "config.json").write_text('{"model_type": "clip"}', encoding="utf-8")
    assert weights.check_clip(str(tmp_path)).status == "ok"


def test_tokenizer_is_looked_for(tmp_path):
    assert weights.check_tokenizer(write_bert(tmp_path / "bert")).status == "ok"
    assert weights.check_tokenizer(str(tmp_path)).status == "FAIL"


def test_weights_of_the_hub_without_a_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    finding = weights.check_weights("nobody/no-such-model")
    assert finding.status == "FAIL"
    assert "not in the cache, and HF_HUB_OFFLINE is set; fetch it where there is a network" in finding.told


@pytest.mark.parametrize(("name", "revision"), [("owner/model", None), ("owner/model@v1.0", "v1.0")])
def test_weights_in_the_cache_of_the_hub(name, revision, monkeypatch):
    asked = []

    def look_up(model, file, revision=None):
        asked.append((model, file, revision))
        return "/cache/config.json"

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", look_up)
    assert weights.check_weights(name) == ("ok", "weights", f"{name} (in the cache of the hub)")
    assert asked == [("owner/model", file, revision) for file in ("config.json", "model.safetensors")]


def test_weights_of_a_revision_that_must_be_fetched(tmp_path, monkeypatch):
    asked = []

    def refuse(request, timeout):
        asked.append(request.full_url)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    finding = weights.check_weights("nobody/no-such-model@refs/pr/1")
    assert finding.status == "FAIL"
    assert "nobody/no-such-model@refs/pr/1: cannot be fetched from the hub (no network)" in finding.told
    assert [url.partition("/nobody/")[2] for url in asked] == ["no-such-model/resolve/refs%2Fpr%2F1/config.json"]


@pytest.mark.parametrize("name", ["model@v1.0", "owner/model--1", "-owner/model", "a/b/c"])
def test_weights_by_a_name_that_the_hub_does_not_take(name):
    finding = weights.check_weights(name)
    assert finding.status == "FAIL"
    assert f"{name}: no such folder, nor an id of the hub (" in finding.told


def test_unknown_key_of_the_configuration(tmp_path):
    (tmp_path / "run.yaml").write_text("training: {epochs: 3}\n", encoding="utf-8")
    finding, _ = needs.check_config([str(tmp_path / "run.yaml")], ["training.epoch=4"])
    assert finding.status == "FAIL"
    assert "Did you mean: 'epochs'?" in finding.told


def test_weights_of_the_hub_that_cannot_be_kept(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "fetch_problem", lambda model, revision: None)
    assert weights.check_weights("nobody/no-such-model").status == "ok"
    monkeypatch.setattr(weights, "write_error", lambda folder: OSError(30, "Read-only file system"))
    finding = weights.check_weights("nobody/no-such-model")
    assert finding.status == "FAIL"
    assert finding.told.endswith("(Read-only file system); set HF_HOME to a folder that can be written")


def test_no_room_for_temporary_files(monkeypatch):
    monkeypatch.setattr(folders, "free_gb", lambda folder: 0.01)
    told = {finding.what: finding for finding in folders.check_temporary()}
    assert told["temporary"].status == "FAIL" and "set TMPDIR" in told["temporary"].told
    assert told["shared memory"].status == "warn" and "data.num_workers=0" in told["shared memory"].told

    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    (finding,) = folders.check_temporary()
    assert finding.status == "FAIL" and "No usable temporary directory found" in finding.told


def test_features_of_speech_that_cannot_be_compiled(monkeypatch):
    def refuse(*_):
        raise RuntimeError("cannot cache function '__o_fold': no locator available for file 'librosa/notation.py'")

    monkeypatch.setattr("mertk.features.librosa_features.LibrosaFeatures.encode", refuse)
    finding = software.check_speech_features()
    assert finding.status == "FAIL"
    assert "no locator available" in finding.told and "set NUMBA_CACHE_DIR" in finding.told
    monkeypatch.undo()
    assert software.check_speech_features().status == "ok"


def test_features_of_speech_are_tried_where_they_are_made(tmp_path):
    (tmp_path / "Raw").mkdir()
    assert makes_speech_features(None, None)
    assert makes_speech_features(tmp_path, {"audio": "features"})
    assert not makes_speech_features(tmp_path, {"text": "tokens"})
    assert not makes_speech_features(tmp_path / "unaligned_50.pkl", {"audio": "features"})


def test_more_processes_than_cores_is_a_warning_without_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [one.status for one in software.check_devices(100000) if one.what == "processes"] == ["warn"]


def test_wrong_number_of_processes_is_wrong_usage():
    with pytest.raises(SystemExit) as ended:
        doctor.main(["--num_processes", "0"])
    assert ended.value.code == 2


def test_missing_packages_are_listed_by_an_interpreter_that_has_none():
    """Recipes ask so before there is an environment."""
    command = [sys.executable, "-S", "-m", "mertk", "doctor", "--missing", "run"]
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert told.returncode == 1 and told.stderr == ""
    assert "torch" in told.stdout.split()
