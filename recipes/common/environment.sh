# shellcheck shell=bash
# shellcheck disable=SC2154  # root and checkout are set by path.sh
# The Python that a recipe, or the tests, run with.

# use_environment [run|dev] : set `python` to an interpreter that has all packages (of development too).
#
# That is the python of the active environment (or the system's) when it has them; it is never changed. Otherwise it is
# the one of .venv in the checkout, which is made, or completed, here; where mertk was installed there is no other.
use_environment() {
    local purpose=${1:-run} missing
    python=$(command -v python3 || command -v python || true)
    if [[ -n $python ]] && new_enough "$python"; then
        missing=$("$python" -m mertk doctor --missing "$purpose") && return 0
        [[ $checkout == yes ]] ||
            fail "$python lacks ${missing//$'\n'/, }; install that, or activate an environment that has it."
        if [[ -n ${VIRTUAL_ENV-}${CONDA_PREFIX-} ]]; then
            printf 'The active environment %s lacks %s; it is left as it is.\n' \
                "${VIRTUAL_ENV:-${CONDA_PREFIX-}}" "${missing//$'\n'/, }"
            printf 'Using %s instead. To use your own:\n  pip install -c %s -e %s\n' \
                "$root/.venv" "$root/constraints.txt" "$root"
        fi
    fi
    [[ $checkout == yes ]] || fail "no Python 3.10 or newer found; activate the environment that mertk is installed in."
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
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-compile -c "$root/constraints.txt" -e "$package" ||
        fail "installing into $venv failed (see above); run this again to go on with it."
    # On all cores, what pip would compile file by file; some packages bring templates that are no Python yet.
    "$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || true
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
