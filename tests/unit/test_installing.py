"""What a message says to call can be called where it is read: in a checkout, beside a wheel, in uv's environments."""

import shlex
import sys
from importlib.util import find_spec

import mertk.installing
from mertk.installing import CONSTRAINTS, installing, installing_extra


def test_in_a_checkout_it_is_the_checkout_that_is_installed():
    words = shlex.split(installing_extra("lora"))
    assert words[:5] == [sys.executable, "-m", "pip", "install", "-c"]
    assert "torch==" in CONSTRAINTS.read_text(encoding="utf-8")
    assert words[5:] == [str(CONSTRAINTS), "-e", f"{CONSTRAINTS.parents[1]}[lora]"]
    assert shlex.split(installing_extra())[-1] == str(CONSTRAINTS.parents[1])


def test_beside_a_wheel_it_is_the_installed_package(monkeypatch, tmp_path):
    monkeypatch.setattr(mertk.installing, "PACKAGE", tmp_path / "site-packages/mertk")
    assert shlex.split(installing_extra("demo"))[-1] == "mertk[demo]"
    assert shlex.split(installing_extra())[-1] == "mertk"


def test_where_there_is_no_pip_uv_installs(monkeypatch):
    monkeypatch.setattr(mertk.installing, "find_spec", lambda name: None if name == "pip" else find_spec(name))
    assert shlex.split(installing("av"))[:5] == ["uv", "pip", "install", "--python", sys.executable]
