"""The example of docs/components.md trains as it stands there."""

import re

from mertk.run.training import train
from mertk.training.checkpoint import all_checkpoints
from tests.small_run import small_config, write_data, write_recordings


def test_the_example_trains(checkout, tmp_path, monkeypatch):
    text = (checkout / "docs" / "components.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", text, re.DOTALL))
    (tmp_path / "mine.py").write_text(blocks["python"])
    (tmp_path / "mine.yaml").write_text(blocks["yaml"])
    monkeypatch.syspath_prepend(str(tmp_path))
    write_data(tmp_path / "data")
    write_recordings(tmp_path / "data")
    model = "model={component: tests.toy.Listener}"
    config = small_config(
        tmp_path / "data", tmp_path / "run", model, "data.inputs.audio.sample_rate_hz=1000", file=tmp_path / "mine.yaml"
    )
    assert train(config).stopped == "epochs"
    assert all_checkpoints(tmp_path / "run" / "checkpoints")
    assert type(config.data.inputs["audio"].augmentation[0]["amplitude"]) is float
