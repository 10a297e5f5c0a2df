# shellcheck shell=bash
# What every recipe has in common; sourced by run.sh. Gives: root, python, parse_options, use_environment, read_data,
# run_program, run_stage.
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/path.sh
source "$common/path.sh"
# shellcheck source=recipes/common/parse_options.sh
source "$common/parse_options.sh"
# shellcheck source=recipes/common/stopping.sh
source "$common/stopping.sh"
# shellcheck source=recipes/common/data.sh
source "$common/data.sh"

# Options of every recipe. cmd.sh explains and reads all but --config FILE, whose
# settings are merged over the recipe's own.
# shellcheck disable=SC2034
cmd=local jobs=1 slurm= detach=no engine= shared_options="cmd jobs slurm engine" shared_flags="detach"
# shellcheck disable=SC2034
config=() trust=() shared_lists="config trust"

# fail MESSAGE : say what is wrong and end with exit code 1.
fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# use_environment [run|dev] : set `python` to an interpreter that has all packages (of development too).
#
# That is the python of the active environment (or the system's) when it has them; it is never changed. Otherwise it is
# the one of .venv in the checkout, which is made, or completed, here.
use_environment() {
    local purpose=${1:-run} missing
    python=$(command -v python3 || command -v python || true)
    if [[ -n $python ]] && new_enough "$python"; then
        missing=$("$python" -m mertk.bin.doctor --missing "$purpose") && return 0
        if [[ -n ${VIRTUAL_ENV-}${CONDA_PREFIX-} ]]; then
            printf 'The active environment %s lacks %s; it is left as it is.\n' \
                "${VIRTUAL_ENV:-${CONDA_PREFIX-}}" "${missing//$'\n'/, }"
            printf 'Using %s instead. (To use your own: pip install -c %s -e %s)\n' \
                "$root/.venv" "$root/constraints.txt" "$root"
        fi
    fi
    make_environment "$purpose"
    python=$root/.venv/bin/python
}

# make_environment run|dev : make .venv in the checkout, or complete one that is not ready.
make_environment() {
    local purpose=$1 venv=$root/.venv package=$root base candidate state
    state=$(cksum <"$root/setup.cfg") state+=" $(cksum <"$root/constraints.txt")"
    mkdir -p "$venv"
    # Two recipes started at once must not both fill it.
    exec 9>"$venv/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if [[ -x $venv/bin/python ]] && environment_is_ready "$venv/.ready" "$purpose" "$state"; then
        exec 9>&-
        return 0
    fi
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        base=
        for candidate in python3 python3.13 python3.12 python3.11 python3.10 python; do
            if new_enough "$candidate"; then
                base=$candidate
                break
            fi
        done
        [[ -n $base ]] || fail "no Python 3.10 or newer found; install one, or activate an environment that has it."
        printf 'Making a virtual environment in %s (%s)\n' "$venv" "$("$base" --version 2>&1)"
        find "$venv" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} +
        "$base" -m venv "$venv" || fail "cannot make $venv; on Debian and Ubuntu install the package python3-venv."
    fi
    rm -f "$venv/.ready"
    [[ $purpose != dev ]] || package+="[dev]"
    printf 'Installing mertk and what it needs into %s; the first time this takes minutes.\n' "$venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check -c "$root/constraints.txt" -e "$package" ||
        fail "installing into $venv failed (see above); run this again to go on with it."
    # Written last: an environment without it is not finished.
    printf '%s %s\n' "$purpose" "$state" >"$venv/.ready"
    exec 9>&-
}

# environment_is_ready FILE run|dev STATE : whether FILE says so; an environment of development serves runs as well.
environment_is_ready() {
    local ready
    [[ -f $1 ]] && ready=$(<"$1") && [[ $ready == "$2 $3" || $ready == "dev $3" ]]
}

# new_enough COMMAND : whether it is a Python that mertk runs on.
new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

# run_stage NUMBER NAME MARK [--input PATH... ] [--output PATH...] -- MODULE ARGUMENT...
#
# Run MODULE if the stage was asked for and is not done yet. MARK is the file that says with what it was done.
run_stage() {
    local number=$1 name=$2 mark=$3 depends=()
    shift 3
    while [[ $1 != -- ]]; do
        depends+=("$1")
        shift
    done
    shift
    # shellcheck disable=SC2154  # stage and stop_stage are options of run.sh
    ((stage <= number && number <= stop_stage)) || return 0
    run_program "$python" -m mertk.bin.stage --name "$number $name" --mark "$mark" "${depends[@]}" -- "$python" -m "$@"
}

# slug WORD... : the words as one part of a file name.
slug() {
    local joined="$*" text
    text=${joined//[^A-Za-z0-9.=-]/_}
    if ((${#text} > 80)); then
        text=${text:0:60}_$(cksum <<<"$joined" | cut -d' ' -f1)
    fi
    printf %s "$text"
}

# yaml_text TEXT : the text as a value of a setting, whatever it holds: ` #` would begin a comment, `2024_05` be a number.
yaml_text() {
    local quote="'"
    printf "'%s'" "${1//$quote/$quote$quote}"
}
