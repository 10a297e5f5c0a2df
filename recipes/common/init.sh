# shellcheck shell=bash
# What recipes and the tests' run.sh have in common. Gives: root, python, parse_options, use_environment, read_data,
# run_program, run_stage.
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/path.sh
source "$common/path.sh"
# shellcheck source=recipes/common/parse_options.sh
source "$common/parse_options.sh"
# shellcheck source=recipes/common/stopping.sh
source "$common/stopping.sh"
# shellcheck source=recipes/common/environment.sh
source "$common/environment.sh"
# shellcheck source=recipes/common/data.sh
source "$common/data.sh"

# What options are called: those with a value, flags, and those that may be given several times.
# shellcheck disable=SC2034
options= flags= lists=

# fail MESSAGE : say what is wrong and end with exit code 1.
fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# run_stage NUMBER NAME MARK [--input PATH... ] [--output PATH...] -- COMMAND ARGUMENT...
#
# Run a command of mertk, or a module by its dotted name, if the stage was asked for and is not done yet. MARK is the file
# that says with what it was done.
run_stage() {
    local number=$1 name=$2 mark=$3 depends=() program=("$python" -m)
    shift 3
    while [[ $1 != -- ]]; do
        depends+=("$1")
        shift
    done
    shift
    # shellcheck disable=SC2154  # stage and stop_stage are options of run.sh
    ((stage <= number && number <= stop_stage)) || return 0
    [[ $1 == *.* ]] || program+=(mertk)
    run_program "$python" -m mertk stage --name "$number $name" --mark "$mark" "${depends[@]}" -- "${program[@]}" "$@"
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
