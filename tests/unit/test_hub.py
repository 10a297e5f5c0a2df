"""Models on a hub: sent there and fetched from there, by a stand-in of its HTTP API (tests/hub_stand_in.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from huggingface_hub import constants

import mertk
from mertk.bin.export import main
from mertk.errors import MertkError
from mertk.run.exported import FILE
from tests.hub_stand_in import Repository, StandIn
from tests.listening_model import save_listener
from tests.odd_files import write_tone

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_listener(tmp_path_factory.mktemp("listener") / "best")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return save_listener(tmp_path_factory.mktemp("other") / "best", seed=1)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in, for this process: logged in, with an empty cache."""
    with StandIn() as server:
        server.serve_this_process(monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield server


def export(model, *words):
    assert main([str(model), "--to", *words]) == 0


def refuse(model, capsys, *words):
    assert main([str(model), "--to", *words]) == 1
    return capsys.readouterr().err


def weights_of(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return mertk.load(name, "cpu").models[0].model.state_dict()


def is_same(name, model):
    found, expected = weights_of(name), weights_of(model)
    return found.keys() == expected.keys() and all(found[key].equal(expected[key]) for key in found)


def test_a_model_goes_there_in_one_commit_and_comes_back(hub, model, tmp_path):
    export(model, "hub:owner/name", "--private")
    repository = hub.repositories["owner/name"]
    assert repository.private and len(repository.commits) == 2
    names = {"README.md", FILE, "config.yaml", "model.json", "model.safetensors", ".gitattributes"}
    assert hub.files("owner/name").keys() == names
    card = hub.files("owner/name")["README.md"].decode()
    assert 'mertk.load("owner/name")' in card and "mertk predict --model owner/name recording.wav" in card
    assert is_same("owner/name", model)
    predictor = mertk.load("owner/name@main", "cpu")
    assert predictor.notes == [f"owner/name@main is commit {repository.branches['main'][:12]} of the hub"]


def test_a_branch_a_commit_and_what_was_replaced(hub, model, other):
    export(model, "hub:owner/name")
    first = hub.repositories["owner/name"].branches["main"]
    export(other, "hub:name", "--revision", "v2")  # of the one who is logged in
    assert is_same("owner/name", model) and is_same("owner/name@v2", other)
    export(other, "hub:owner/name")
    assert is_same("owner/name", other) and is_same(f"owner/name@{first}", model)
    asked = len(hub.asked)
    weights_of(f"owner/name@{first}")
    assert hub.asked[asked:] == []  # a commit never changes


def test_files_of_an_earlier_export_go_with_the_commit(hub, model, other, tmp_path):
    export(model, "hub:owner/name")
    content = json.loads(hub.files("owner/name")[FILE])
    content["files"]["old.json"] = {"bytes": 2, "sha256": ""}
    changed = {**hub.files("owner/name"), "old.json": b"{}", FILE: json.dumps(content).encode(), "LICENSE": b"mine"}
    hub.repositories["owner/name"].add_commit("main", changed)
    export(other, "hub:owner/name")
    assert "old.json" not in hub.files("owner/name") and "LICENSE" in hub.files("owner/name")


def test_what_others_put_there_is_not_replaced(hub, model, tmp_path, capsys):
    hub.repositories["owner/full"] = full = Repository()
    full.add_commit("main", {"weights.bin": b"theirs"})
    assert "holds 1 files that mertk export did not make (weights.bin, ...)" in refuse(model, capsys, "hub:owner/full")
    export(model, "hub:owner/name")
    assert "everybody can see it" in refuse(model, capsys, "hub:owner/name", "--private")
    files = hub.files("owner/name")
    hub.repositories["owner/name"].add_commit("main", {**files, "README.md": files["README.md"] + b"By hand."})
    assert "README.md is not as mertk export wrote it; --overwrite" in refuse(model, capsys, "hub:owner/name")
    export(model, "hub:owner/name", "--overwrite")
    assert b"By hand." not in hub.files("owner/name")["README.md"]


def test_what_was_exported_before_is_sent_as_it_is(hub, model, tmp_path, capsys):
    export(model, str(tmp_path / "given"))
    for words in (["--licence", "mit"], ["--run", "best"]):
        assert "and is sent as it is" in refuse(tmp_path / "given", capsys, "hub:owner/name", *words)
    assert hub.repositories == {}
    (tmp_path / "given/README.md").write_text("---\nlibrary_name: mertk\n---\nWritten by hand.\n")
    export(tmp_path / "given", "hub:owner/name")
    assert b"Written by hand." in hub.files("owner/name")["README.md"] and is_same("owner/name", model)


def test_an_upload_that_breaks_off_says_how_to_go_on(hub, model, capsys):
    hub.refuses = "api/models/owner/name/commit"
    told = refuse(model, capsys, "hub:owner/name")
    assert "the disk of the hub is full" in told and "Run the same command again" in told
    assert hub.files("owner/name").keys() == {".gitattributes"}
    hub.refuses = None
    sent = len([one for one in hub.asked if one.startswith("PUT")])
    export(model, "hub:owner/name")
    assert is_same("owner/name", model) and sent == len([one for one in hub.asked if one.startswith("PUT")])


def test_who_may_not_is_told_what_to_do(hub, model, capsys, monkeypatch):
    export(model, "hub:owner/name", "--private")
    hub.repositories["owner/gated"] = Repository(gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    for name, told in (
        ("owner/name", r"no such model, or it is private .*log in \(`hf auth login`, or HF_TOKEN"),
        ("owner/none", "no such model"),
        ("owner/gated", "its owner decides who may have it"),
    ):
        with pytest.raises(MertkError, match=told):
            mertk.load(name)
    assert "log in" in refuse(model, capsys, "hub:owner/new") and "owner/new" not in hub.repositories
    assert "log in" in refuse(model, capsys, "hub:new")
    assert "expected hub:OWNER/NAME" in refuse(model, capsys, "hub:a/b/c")
    assert "'v 1': no name of a branch" in refuse(model, capsys, "hub:owner/new", "--revision", "v 1")


def test_a_name_that_no_model_can_have_is_told(hub):
    for name in ("owner/naïve", "owner/-name", f"owner/{'n' * 99}"):
        with pytest.raises(MertkError, match=r"no name of a model of the hub .*; look at the spelling\.$"):
            mertk.load(name)


def test_what_is_no_model_of_mertk_is_told(hub, model):
    hub.repositories["owner/weights"] = Repository()
    with pytest.raises(MertkError, match=r"no model that mertk export made: its newest revision has no export\.json"):
        mertk.load("owner/weights")
    with pytest.raises(MertkError, match="no revision 'v9' on the hub; give a branch, a tag or a commit"):
        mertk.load("owner/weights@v9")
    export(model, "hub:owner/name")
    files = hub.files("owner/name")
    hub.repositories["owner/name"].add_commit(
        "main", {**files, "model.json": files["model.json"].replace(b"calm", b"odd!")}
    )
    with pytest.raises(MertkError, match=r"model\.json: not as it was exported"):
        mertk.load("owner/name")
    del files["config.yaml"]
    hub.repositories["owner/name"].add_commit("main", files)
    with pytest.raises(MertkError, match=r"lacks config\.yaml, which its export\.json names"):
        mertk.load("owner/name")


def test_a_folder_of_that_name_comes_first_and_it_is_said(hub, model, other, tmp_path):
    export(model, "hub:owner/name")
    weights_of("owner/name")
    export(other, "owner/name")
    with pytest.warns(UserWarning, match="owner/name is the folder here; the model of the hub is hub:owner/name"):
        mertk.load("owner/name")
    assert is_same("hub:owner/name", model)


def test_what_is_lacking_in_a_folder_here_is_not_looked_for_on_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp").mkdir()
    monkeypatch.setattr("mertk.run.model_search.fetch_model", lambda name: pytest.fail(f"the hub was asked for {name}"))
    with pytest.raises(MertkError, match=r"exp/nothing: the folder .*exp has no nothing; .* is hub:exp/nothing\."):
        mertk.load("exp/nothing")


def test_without_a_network_the_cache_answers(hub, model, monkeypatch):
    export(model, "hub:owner/name")
    weights_of("owner/name")
    hub.__exit__()
    assert is_same("owner/name", model)
    with pytest.raises(MertkError, match="has no complete copy, and the hub cannot be reached"):
        mertk.load("owner/none")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert is_same("owner/name", model)
    with pytest.raises(MertkError, match="HF_HUB_OFFLINE is set; unset it"):
        mertk.load("owner/none")
    with pytest.raises(MertkError, match="HF_HUB_OFFLINE is set"):
        mertk.export(model, "hub:owner/name")


def test_programs_find_the_hub_by_its_variables(hub, model, tmp_path):
    export(model, "hub:owner/name")
    tone = write_tone(tmp_path / "tone.wav")
    variables = {
        "HF_ENDPOINT": hub.address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "HOME": str(tmp_path),
    }
    words = [sys.executable, "-m", "mertk", "predict", "--model", "owner/name", "--device", "cpu", "tone.wav"]
    ended = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, **variables, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "note: owner/name is commit" in ended.stderr
    expected = mertk.load(model, "cpu").predict(tone)
    assert ended.stdout.splitlines()[1].split("\t")[1:] == [expected.label, *(f"{one:.4f}" for one in expected.values)]
