"""A recipe whose stages are written down instead of being run, and what stands in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOAL = "iemocap/foal"
#: a Python that writes the stages down instead of running them, and asks once for what files of the checkout say
STAND_IN = """#!/bin/sh
case "$*" in
    "-m mertk stage "* | "-m mertk summarize "*) for word; do printf '%s\\036' "$word"; done; echo ;;
    "-m mertk doctor --missing "*) ;;
    *"$FOLDER"*) exec "$PYTHON" "$@" ;;
    "-m mertk recipe-facts --config "*)
        known=$KNOWN/$(printf %s "$*" | cksum | tr ' ' _)
        [ -f "$known" ] || "$PYTHON" "$@" > "$known.$$" || exit
        [ -f "$known" ] || mv "$known.$$" "$known"
        cat "$known" ;;
    *) exec "$PYTHON" "$@" ;;
esac
"""


class StagedRecipe:
    """Call a recipe in a folder of its own.

    Args:
        folder: where it is called.
        known: of all calls: what configurations of the checkout say, which stays the same.

    Attributes:
        errors: what the last call wrote to stderr.
        stages: the words of each stage of the last call, in order, of the same name too.
        summaries: what each call of summarize was given.
    """

    def __init__(self, folder: Path, known: Path) -> None:
        self.folder, self.known, self.errors = folder, known, ""
        self.stages: list[list[str]] = []
        self.summaries: list[list[str]] = []
        python = folder / "bin" / "python3"
        python.parent.mkdir()
        python.write_text(STAND_IN, encoding="utf-8")
        python.chmod(0o755)

    def __call__(self, name: str | Path, *arguments):
        """The stages by name, each a list of words; or exit code and message if it was not 0."""
        variables = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable}
        variables |= {"FOLDER": str(self.folder), "KNOWN": str(self.known)}
        script = name if isinstance(name, Path) else ROOT / "recipes" / name / "run.sh"
        command = ["bash", str(script), *map(str, arguments)]
        ended = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, env=variables, timeout=120, check=False
        )
        self.errors, self.stages, self.summaries = ended.stderr, [], []
        if ended.returncode:
            return ended.returncode, ended.stderr
        lines = [line.split("\x1e")[:-1] for line in ended.stdout.split("\n") if "\x1e" in line]
        self.stages = [words for words in lines if words[2] == "stage"]
        self.summaries = [words[3:] for words in lines if words[2] == "summarize"]
        return {words[words.index("--name") + 1]: words for words in self.stages}


def config_names(words):
    """Names of the configuration files of a stage."""
    start = words.index("--config") + 1
    return [Path(word).name for word in words[start : words.index("--data", start)]]


def option(words, name):
    """What follows an option, up to the next one."""
    start = words.index(name) + 1
    end = next((place for place in range(start, len(words)) if words[place].startswith("--")), len(words))
    return " ".join(words[start:end])


def data_directory(folder, **corpus):
    (folder / "folds").mkdir(parents=True)
    if corpus:
        (folder / "corpus.json").write_text(json.dumps({"source": "/none"} | corpus), encoding="utf-8")
    return folder


def miniature(folder):
    """A folder that looks like a miniature corpus."""
    (folder / "models/clip").mkdir(parents=True)
    (folder / "models/bert").mkdir()
    (folder / "MINIATURE.json").write_text("{}", encoding="utf-8")
    return folder
