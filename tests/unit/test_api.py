"""What `import mertk` gives, and the example of docs/python.md."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path

import pandas
import pytest

import mertk

ROOT = Path(__file__).resolve().parents[2]


def documented_example():
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


def run_example(name, monkeypatch):
    """Run the example of docs/python.md as the module `name`."""
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(documented_example(), "python.md", "exec"), module.__dict__)
    return module


def test_importing_mertk_imports_nothing_heavy_and_is_quick():
    code = (
        "import sys, time; start = time.process_time(); import mertk; spent = time.process_time() - start; "
        "heavy = {'numpy', 'torch', 'omegaconf', 'pandas', 'accelerate'} & set(sys.modules); "
        "assert not heavy, heavy; assert spent < 0.05, spent; "
        "assert {'load', 'train', 'Model'} <= set(dir(mertk)); from mertk import read_results"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_public_name_is_there_and_documented():
    for name in mertk.__all__:
        value = getattr(mertk, name)
        assert name == "__version__" or value.__doc__, name
    assert mertk.load is getattr(sys.modules["mertk.api.prediction"], "load")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        mertk.lode  # noqa: B018


def test_names_for_type_checkers_are_those_there_are():
    source = (ROOT / "mertk/__init__.py").read_text(encoding="utf-8")
    imported = dict(re.findall(r"^    from (mertk\S*) import (.+)$", source, re.MULTILINE))
    names = {name: module for module, several in imported.items() for name in several.split(", ")}
    assert names == mertk._HOMES
    assert sorted([*names, "__version__"]) == mertk.__all__


def test_the_documented_example_runs_twice_in_one_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = documented_example()
    own = code[code.index("class MyModel") : code.index("def utterance")] + code[code.index("run = ") :]
    assert len([line for line in own.splitlines() if line.strip()]) < 20
    module = run_example("documented_example", monkeypatch)
    best, shown = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"[0-4] [01]\.\d+ [01]\.\d+", best) and re.fullmatch(r"sad \([01]\.\d\d\)", shown)
    run = module.run
    assert list(run.history().columns[:3]) == ["epoch", "step", "best"] and len(run.history()) == 5
    table = mertk.read_results("exp")
    assert table.state.tolist() == ["scored"] and table.ua.tolist() == [run.test_metrics["ua"]]
    with pytest.raises(mertk.MertkError, match="holds an earlier run"):
        run_example("documented_example", monkeypatch)
    again = mertk.train(
        module.config | {"run": {"output_dir": "exp/again"}},
        model=module.MyModel(video_dim=8),
        train=module.rows[:60],
    )
    assert again.metrics == {} and again.best_epoch == 4  # without a validation part the last one


def test_a_manifest_is_a_table(tmp_path):
    from mertk.data.manifest import write_manifest

    columns = {
        "utt2label": {"a": "sad", "b": "angry"},
        "utt2spk": {"a": "x", "b": "y"},
        "utt2dur": {"a": "1", "b": "2.5"},
    }
    write_manifest(tmp_path / "data", columns, ["angry", "sad"], {"corpus": "toy"})
    table = mertk.read_manifest(tmp_path / "data")
    assert table.index.tolist() == ["a", "b"] and list(table.columns) == ["speaker", "label", "seconds"]
    assert table.loc["b"].tolist() == ["y", "angry", 2.5] and table.attrs["classes"] == ["angry", "sad"]
    (tmp_path / "list.scp").write_text("b /wav/b.wav -0.5\na /wav/a.wav 1\n")
    table = mertk.read_manifest(tmp_path / "list.scp")
    assert table.label.tolist() == [1.0, -0.5] and table.audio["a"] == "/wav/a.wav"
    assert isinstance(table, pandas.DataFrame)
    with pytest.raises(mertk.MertkError, match="does not exist"):
        mertk.read_manifest(tmp_path / "absent")
