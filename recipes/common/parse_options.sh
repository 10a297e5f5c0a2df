# shellcheck shell=bash
# Command line of a recipe: `--name value` or `--name=value` for the names in $options and $shared_options, `--name` for
# those in $shared_flags, `key=value` settings.

# usage_error MESSAGE : say what is wrong and end with exit code 2.
usage_error() {
    printf '%s: %s\nTry %s --help\n' "${0##*/}" "$1" "$0" >&2
    exit 2
}

# print_help : the head comment of the script.
print_help() {
    awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"
}

# parse_options "$@" : set the variables named in these words (a flag: to yes), collect settings in the array `settings`.
parse_options() {
    local name value known
    settings=()
    # shellcheck disable=SC2154  # set by run.sh
    known="$options${shared_options:+ $shared_options}${shared_flags:+ $shared_flags}"
    while (($#)); do
        case $1 in
            -h | --help)
                print_help
                exit 0
                ;;
            --?*)
                name=${1#--}
                name=${name%%=*}
                [[ " $known " == *" $name "* ]] || usage_error "unknown option --$name (known: --${known// / --})"
                if [[ " ${shared_flags-} " == *" $name "* ]]; then
                    [[ $1 != *=* ]] || usage_error "--$name takes no value"
                    value=yes
                elif [[ $1 == *=* ]]; then
                    value=${1#*=}
                elif (($# > 1)) && [[ $2 != --* ]]; then
                    value=$2
                    shift
                else
                    value=
                fi
                [[ -n $value ]] || usage_error "--$name: value missing"
                printf -v "$name" %s "$value"
                ;;
            -*) usage_error "unknown option $1 (known: --${known// / --})" ;;
            *=*)
                [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_.]*= ]] || usage_error "setting '$1': expected key=value, such as training.epochs=10"
                settings+=("$1")
                ;;
            *) usage_error "unexpected argument '$1'; options start with --, settings are written key=value" ;;
        esac
        shift
    done
}

# one_of NAME WORD... : the variable NAME holds one of the words.
one_of() {
    local name=$1 word
    shift
    for word in "$@"; do
        [[ ${!name} != "$word" ]] || return 0
    done
    usage_error "--$name ${!name}: expected one of $*"
}

# numbers_from NAME LEAST [MOST] : the variable NAME holds whole numbers, separated by spaces or commas, in this range.
numbers_from() {
    local name=$1 least=$2 most=${3-} word words
    read -r -a words <<<"${!name//,/ }"
    ((${#words[@]})) || usage_error "--$name '${!name}': expected whole numbers from $least"
    for word in "${words[@]}"; do
        if [[ ! $word =~ ^(0|[1-9][0-9]{0,8})$ ]] || ((word < least)) || { [[ -n $most ]] && ((word > most)); }; then
            usage_error "--$name '$word': expected a whole number from $least${most:+ to $most}"
        fi
    done
    printf -v "$name" %s "${words[*]}"
}

# one_number_from NAME LEAST [MOST] : the same for a single number.
one_number_from() {
    numbers_from "$@"
    [[ ${!1} != *' '* ]] || usage_error "--$1 '${!1}': expected one number"
}

# absolute NAME : make the path in the variable NAME independent of the current directory.
absolute() {
    [[ -z ${!1} || ${!1} == /* ]] || printf -v "$1" %s "$PWD/${!1}"
}
