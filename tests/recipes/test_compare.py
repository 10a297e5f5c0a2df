"""compare.sh of a corpus, with recipes and programs that only note how they are called."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

RECIPE = """\
#!/usr/bin/env bash
methods="floor mult"
echo "$0 $*" >>"$LOG"
for word; do [[ ! -f $CODES/$word ]] || exit "$(<"$CODES/$word")"; done
"""
PYTHON = """\
#!/usr/bin/env bash
[[ $2 == mertk ]] || exec "$PYTHON" "$@"
[[ $3 != summarize ]] || echo "$*" >>"$LOG"
"""


@pytest.fixture
def compare(request, checkout, tmp_path):
    """Call it; gives the exit code, what it printed, and the calls with their folders left out.

    Its folder is called mosi; its own corpus may be another, with recipes of other names.
    """
    corpus, *others = getattr(request, "param", ("mosi", "hscl", "tam_ulag"))
    for name in ("baselines", *others, "bin", "codes"):
        (tmp_path / "mosi" / name).mkdir(parents=True)
    scripts = {f"{name}/run.sh": RECIPE for name in ("baselines", *others)} | {"bin/python3": PYTHON}
    scripts["compare.sh"] = (checkout / f"recipes/{corpus}/compare.sh").read_text(encoding="utf-8")
    for name, text in scripts.items():
        (tmp_path / "mosi" / name).write_text(text, encoding="utf-8")
        (tmp_path / "mosi" / name).chmod(0o755)
    (tmp_path / "common").symlink_to(checkout / "recipes/common")
    log, codes = tmp_path / "log", tmp_path / "mosi/codes"
    environment = os.environ | {"LOG": str(log), "CODES": str(codes), "PYTHON": sys.executable}
    environment["PATH"] = f"{tmp_path / 'mosi/bin'}:{environment['PATH']}"

    def call(*arguments, **ends):
        for word, code in ends.items():
            (codes / word).write_text(f"{code}\n")
        words = ["bash", str(tmp_path / "mosi/compare.sh"), "--exp", str(tmp_path / "exp"), *arguments]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=tmp_path)
        calls = log.read_text().replace(f"{tmp_path}/", "").splitlines() if log.exists() else []
        return done.returncode, done.stdout + done.stderr, calls

    return call


def test_every_method_runs_with_the_same_options_and_one_table_is_made(compare):
    code, printed, calls = compare("--seeds", "1 2", "training.epochs=1")
    assert code == 0, printed
    same = "--stop_stage 4 --seeds 1 2 training.epochs=1"
    assert calls == [
        f"mosi/baselines/run.sh --method floor --exp exp/floor {same}",
        f"mosi/baselines/run.sh --method mult --exp exp/mult {same}",
        f"mosi/hscl/run.sh --exp exp/hscl {same}",
        f"mosi/tam_ulag/run.sh --exp exp/tam_ulag {same}",
        "-m mertk summarize exp/floor exp/mult exp/hscl exp/tam_ulag --out exp --published "
        "mosi/baselines/published.yaml mosi/hscl/published.yaml mosi/tam_ulag/published.yaml",
    ]


def test_a_method_that_fails_keeps_no_other_from_running(compare):
    code, printed, calls = compare("--methods", "floor mult", floor=1)
    assert code == 1 and "failed: floor" in printed
    assert calls[-1] == "-m mertk summarize exp/mult --out exp --published mosi/baselines/published.yaml"


def test_what_the_first_refuses_is_wrong_usage_and_later_it_is_the_method(compare):
    assert compare("--methods", "floor mult", "--seed", floor=2)[0] == 2
    code, printed, calls = compare("--methods", "mult floor", "--seed")
    assert code == 1 and "failed: floor" in printed and "summarize exp/mult --out" in calls[-1]


@pytest.mark.parametrize("compare", [("iemocap", "foal")], indirect=True)
def test_of_iemocap_foal_net_stands_beside_them(compare):
    code, printed, calls = compare("--methods", "foal floor", "--audio", "frozen")
    assert code == 0, printed
    assert calls == [
        "mosi/foal/run.sh --exp exp/foal --stop_stage 4 --audio frozen",
        "mosi/baselines/run.sh --method floor --exp exp/floor --stop_stage 4 --audio frozen",
        "-m mertk summarize exp/foal exp/floor --out exp --published "
        "mosi/baselines/published.yaml mosi/foal/published.yaml",
    ]


@pytest.mark.parametrize(("words", "num_calls"), [(["--cmd", "slurm", "--detach"], 2), ([], 1)])
def test_runs_that_were_submitted_are_waited_for_and_a_stop_is_one(compare, words, num_calls):
    code, _, calls = compare("--methods=floor mult", *words, floor=75)
    assert (code, len(calls)) == (75, num_calls)


def test_of_several_machines_the_first_writes_the_table(compare):
    _, _, calls = compare("--methods", "mult", "--num_machines", "2", "--machine_rank", "1")
    assert calls == [
        "mosi/baselines/run.sh --method mult --exp exp/mult --stop_stage 4 --num_machines 2 --machine_rank 1"
    ]


def test_what_is_no_method_is_refused(compare):
    code, printed, calls = compare("--methods", "floor mlut")
    assert (code, calls) == (2, []) and "got mlut, expected some of floor mult hscl tam_ulag" in printed
    assert compare("--method", "mult")[0] == 2
