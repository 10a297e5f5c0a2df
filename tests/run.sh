#!/usr/bin/env bash
# All checks of the project: style (ruff), shell scripts (shellcheck where it is installed), every test.
#
# Usage: tests/run.sh [--help] [argument of pytest ...]
#
# Uses the active environment when it has the packages of development, else .venv in the checkout, which is made when
# it is not there. What did not run is listed with its reason above pytest's closing line. Exit code 0: all is well.
#
# Examples: bash tests/run.sh
#           bash tests/run.sh tests/unit -k marks
#           bash tests/run.sh -m "not slow"      # what a developer waits for; leaves whole trainings out
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$tests/../recipes/common/init.sh"
# Nothing here goes on from where it was stopped.
trap - TERM USR1 INT
if [[ ${1-} == -h || ${1-} == --help ]]; then
    print_help
    exit 0
fi
use_environment dev
cd "$root"
# Programs and recipes that tests start use the same interpreter.
PATH=$(dirname "$python"):$PATH
# Two workers share the machine's cores; more threads in each only get in each other's way.
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 MPLBACKEND=Agg

failed=()
check() {
    local name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed+=("$name")
}

check "ruff check" "$python" -m ruff check .
check "ruff format" "$python" -m ruff format --check .
if command -v shellcheck >/dev/null; then
    check shellcheck shellcheck -x -P . recipes/common/*.sh recipes/common/corpora/*.sh recipes/own/run.sh recipes/*/*/run.sh tests/run.sh tests/slurm/*.sh docs/*.sh .ci/run
else
    printf '== shellcheck: NOT RUN, it is not installed\n'
fi

printf '== pytest\n'
# The longest files first, each in one worker, so that what it made is made once.
everything=(tests/recipes tests/distributed tests/parity tests/unit tests/slurm tests/gpu mertk)
# Options alone (-m "not slow") choose among all of them.
for word; do [[ -e ${word%%::*} ]] && everything=(); done
set -- ${everything[@]+"${everything[@]}"} "$@"
status=0
"$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 "$@" || status=$?
if ((${#failed[@]})); then
    printf 'FAILED besides the tests: %s\n' "${failed[*]}" >&2
    exit 1
fi
exit "$status"
