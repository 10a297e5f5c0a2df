"""A recipe gone through from its options to its table without its work: its programs are played in this process.

A `python3` (answering.py) hands over what it is called with. The words are parsed by the program's own parser, the
configuration is read and the model built, all that is named must be there, and what the program would leave
behind is left behind as empty files: a stage finds what an earlier one made, or it is a fault. `cross-validate` plans
by itself; of its runs the first of each protocol is played, for the others differ in fold and seed. What only tells
something, and `prepare csv`, by which one's own corpus is known, run as they are.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pickle
import shlex
import shutil
import traceback
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

from mertk.bin import cross_validate, evaluate, launch, stage, submit, summarize, train
from mertk.checkup.needs import named_weights
from mertk.cli import PREEMPTED
from mertk.command import find_module, main
from mertk.config import Config, load_config
from mertk.config.merging import read_part
from mertk.data.inputs import feature_directory
from mertk.data_prep.corpora import describe_corpora
from mertk.jobs.slurm_options import read_options
from mertk.parser import parser_of
from mertk.report.published_file import read_published
from mertk.run.cross_validation import CrossValidation
from mertk.run.training import find_task_of
from mertk.training.building import build_model
from mertk.training.configured_classes import check_classes
from tests.recipes.pretended_data import leave, leave_corpus, leave_data, leave_features, read_width

#: of these what they print is needed
TELLING = ("recipe-facts", "new")
#: settings by which runs of one experiment differ
OF_A_RUN = ("run.", "training.seed=", "data.train=", "data.validation=", "data.test=")


class Fault(Exception):
    """Something is not there that a program would read."""


class Rehearsal:
    """What plays the programs of a recipe.

    Args:
        kept: folder for data that were prepared for real, which later recipes take.

    Attributes:
        faults: what was wrong, in order.
        programs: what was played, in order: `prepare iemocap`, `extract video`, `train`, ...
    """

    def __init__(self, kept: Path) -> None:
        self.kept = kept
        self.faults: list[str] = []
        self.programs: list[str] = []
        self._built: set[str] = set()
        self._read: dict[tuple[str, ...], Config] = {}
        self._told: dict[tuple[str, ...], tuple[int, str]] = {}

    def forget(self) -> None:
        """Begin anew, with another recipe."""
        self.faults, self.programs = [], []

    def run(self, words: Sequence[str]) -> int:
        """Play a command of mertk; returns its exit code."""
        return self.answer(["-m", "mertk", *words])[0]

    def answer(self, words: Sequence[str]) -> tuple[int, str]:
        """Exit code of `python3 WORD...`, and what it prints."""
        told, errors = io.StringIO(), io.StringIO()
        code: object = 1
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(errors):
            try:
                code = self._play_module(words[1:])
            except SystemExit as ended:  # of a parser
                code = ended.code
            except Exception:
                errors.write(traceback.format_exc())
        if code not in (0, PREEMPTED):
            self.faults.append(f"{shlex.join(words)}\n{errors.getvalue()}")
            return int(code), told.getvalue() + errors.getvalue()
        return int(code), told.getvalue()

    def _play_module(self, words: Sequence[str]) -> int:
        """`-m` with what follows it: mertk and its command, or a module."""
        return self._play(words[1:] if words[0] == "mertk" else words)

    def _play(self, words: Sequence[str]) -> int:
        """A command of mertk, or a module by its dotted name."""
        name, rest = words[0], list(words[1:])
        if name in TELLING:
            return self._tell(words)
        if name == "doctor" and rest[0] == "--missing":  # the tests run with what they need
            return 0
        module, arguments = find_module(words)
        self.programs.append(" ".join(words[: len(words) - len(arguments)]))
        if name == "prepare":
            return self._prepare(rest[0], module, arguments)
        if module.startswith("mertk.data_prep.synthetic."):
            leave_corpus(module.rpartition(".")[2], parse(module, arguments).out)
            return 0
        played = getattr(self, f"_{name.replace('-', '_')}")
        return played(arguments) or 0

    def _tell(self, words: Sequence[str]) -> int:
        """Run a program that only tells something; of configurations, which stay, it is asked once."""
        known = self._told.get(tuple(words))
        if known is None:
            with contextlib.redirect_stdout(io.StringIO()) as told:
                code = main(list(words))
            known = code, told.getvalue()
            if "--config" in words:
                self._told[tuple(words)] = known
        print(known[1], end="")
        return known[0]

    # Programs that start others.

    def _stage(self, words: list[str]) -> int:
        given = parse(stage, words)
        mark, told = given.mark, shlex.join([*given.command, *map(str, given.input)])
        if mark.exists() and mark.read_text(encoding="utf-8") == told:
            return 0
        need(f"stage {given.name}", *given.input)
        if given.command[1] != "-m":
            raise Fault(f"stage {given.name} calls {given.command[:2]}")
        code = self._play_module(given.command[2:])
        if code == 0:
            need(f"behind stage {given.name}", *given.output, *given.folder)
            leave(mark, told)
        return code

    def _launch(self, words: list[str]) -> int:
        given = parse(launch, words)
        return self._play([given.program, *given.arguments])

    def _submit(self, words: list[str]) -> int:
        given = parse(submit, words)
        read_options(given.slurm)
        return self._play(given.words)

    # Programs that make something.

    def _doctor(self, words: list[str]) -> None:
        given = parse("mertk.bin.doctor", words)
        need("doctor", given.corpus, given.labels)
        if given.corpus_name and given.corpus_name not in describe_corpora():
            raise Fault(f"doctor knows no corpus {given.corpus_name}")
        need("doctor", *given.config, *filter(None, (given.clip, given.bert, *given.speech)))

    def _prepare(self, corpus: str, module: str, words: list[str]) -> int:
        if corpus != "csv":
            leave_data(corpus, parse(module, words))
            return 0
        out = parse(module, words).out
        kept = self.kept / f"prepared {' '.join(word for word in words if word != str(out))}".replace("/", "_")
        if not kept.exists():
            if code := main(["prepare", corpus, *words]):
                return code
            shutil.copytree(out, kept)
        shutil.copytree(kept, out, dirs_exist_ok=True)
        return 0

    def _extract(self, words: list[str]) -> None:
        kind = self.programs[-1].split()[1]
        given = parse(f"mertk.data_prep.extract_{kind}", words)
        column = {"audio": "wav.scp", "video": "video.scp", "text": "text"}[kind]
        weights = {"audio": "speech", "video": "clip", "text": "bert"}[kind]
        named = getattr(given, weights) or []
        named = [named] if isinstance(named, str) else named
        need(f"extract {kind}", given.data / column, *named)
        leave_features(kind, given, named)

    def _cross_validate(self, words: list[str]) -> int:
        def train_here(planned: CrossValidation) -> int:
            return self._train_runs(planned)

        def train_at_once(planned: CrossValidation, at_once: int) -> int:
            assert planned.share_gpus(at_once)
            return self._train_runs(planned)

        def train_by_slurm(planned: CrossValidation, options: Sequence[str], detach: bool) -> int:
            read_options(list(options))
            return self._train_runs(planned) or (PREEMPTED if detach else 0)

        ways = {way.__name__: way for way in (train_here, train_at_once, train_by_slurm)}
        with patch.multiple(CrossValidation, **ways):
            return cross_validate.main(words)

    def _train_runs(self, planned: CrossValidation) -> int:
        played = set()
        for run in planned.runs():
            if run.protocol not in played:
                played.add(run.protocol)
                if code := self._play_module(planned._training(run)[2:]):
                    return code
            leave(run.directory(planned.exp) / "best/model.json", "{}")
            leave(run.directory(planned.exp) / "trained.json", json.dumps({"best_step": 1, "total_steps": 2}))
        return 0

    def _train(self, words: list[str]) -> None:
        given = parse(train, words)
        # What differs between runs of an experiment is read by what planned them.
        same = tuple(word for word in given.settings if not word.startswith(OF_A_RUN))
        config = self._read.get((*given.config, *same))
        if config is None:
            config = self._read[(*given.config, *same)] = load_config(given.config, given.settings)
            check_classes(config)
        facts = facts_of(config)
        need("train", *dict(named_weights(config.model)).values())
        told = json.dumps([config.model, facts, sorted(config.data.inputs)], sort_keys=True, default=str)
        if told not in self._built:  # the same again
            build_model(config.model, "model", facts, config.data.inputs)
            self._built.add(told)

    def _evaluate(self, words: list[str]) -> None:
        given = parse(evaluate, words)
        for directory in given.directories:
            found = list(directory.glob("**/trained.json"))
            need("evaluate", *(found or [directory / "trained.json"]))
            for file in found:
                leave(file.with_name("results.json"), "{}")
                leave(file.with_name("predictions.tsv"), "")

    def _summarize(self, words: list[str]) -> None:
        given = parse(summarize, words)
        for directory in given.experiments:
            need("summarize", *(list(directory.glob("**/results.json")) or [directory / "results.json"]))
        for file in given.published:
            read_published(file)


@contextlib.contextmanager
def parsing_once() -> Iterator[None]:
    """Within, a file of settings that was read is not parsed anew while the same stands in it."""
    known: dict[tuple[Path, bytes], bytes] = {}

    def read(path: Path) -> object:
        if not path.is_file():
            return read_part(path)  # which says so
        key = path.absolute(), path.read_bytes()
        if key not in known:
            known[key] = pickle.dumps(read_part(path))
        return pickle.loads(known[key])

    with patch("mertk.config.loading.read_part", read):
        yield


def parse(module: object, words: list[str]) -> Namespace:
    """The arguments of a program, by the parser and the checks that it has itself."""
    module = importlib.import_module(module) if isinstance(module, str) else module
    own = getattr(module, "parse_arguments", None)
    return own(words) if own else parser_of(module.main).parse_args(words)


def need(who: str, *paths: Path | str | None) -> None:
    """Refuse what is not there."""
    if absent := [str(path) for path in paths if path is not None and not Path(path).exists()]:
        raise Fault(f"{who}: {', '.join(absent)} is not there")


def facts_of(config: Config) -> dict[str, object]:
    """What the constructor of a model may ask for, by the features that were left behind for it."""
    facts: dict[str, object] = {"num_train_utterances": 4}
    if find_task_of(config).name != "regression":
        facts |= {"num_classes": 4, "class_counts": [1] * 4}
    for name, given in config.data.inputs.items():
        if given.kind == "waveform":
            need("train", Path(config.data.directory) / "wav.scp")
            continue
        folder = feature_directory(name, given, config.data.directory)
        need("train", folder / "features.scp")
        facts |= {f"{name}_{fact}": value for fact, value in read_width(folder).items()} | {f"{name}_steps": 9}
    return facts
