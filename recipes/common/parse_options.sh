# shellcheck shell=bash
# Command line of a recipe: `--name value` or `--name=value` for the names in $options, the same again and again for those in
# $lists, `--name` for those in $flags, `key=value` settings.

# usage_error MESSAGE : say what is wrong and end with exit code 2.
usage_error() {
    printf '%s: %s\nTry %s --help\n' "${0##*/}" "$1" "$0" >&2
    exit 2
}

# unknown_option WORD KNOWN... : the usage error that names the nearest option or, where none is near, all.
unknown_option() {
    local near
    near=$(python3 -c 'import sys; from mertk.spelling import nearest; print(nearest(sys.argv[1], sys.argv[2:]))' \
        "$1" "${@:2}" 2>/dev/null) || near=
    usage_error "unknown option $1${near:- (known: ${*:2})}"
}

# head_comment : what the script says of itself at its head.
head_comment() {
    awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"
}

# print_help : the help of a script that has no other.
print_help() {
    head_comment
}

# parse_options "$@" : set the variables named in these words (a flag: to yes; a list: an array), collect settings in the
# array `settings`.
parse_options() {
    local name value words known
    settings=()
    # shellcheck disable=SC2154  # set by init.sh, and by who calls this
    read -r -a words <<<"$options $lists $flags"
    known=${words[*]}
    while (($#)); do
        case $1 in
            -h | --help)
                print_help
                exit 0
                ;;
            --?*)
                name=${1#--}
                name=${name%%=*}
                [[ $name != help ]] || usage_error "--help takes no value"
                [[ " $known " == *" $name "* ]] || unknown_option "--$name" "${words[@]/#/--}" --help
                if [[ " $flags " == *" $name "* ]]; then
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
                if [[ " $lists " == *" $name "* ]]; then
                    local -n list=$name
                    list+=("$value")
                else
                    printf -v "$name" %s "$value"
                fi
                ;;
            -*) unknown_option "$1" "${words[@]/#/--}" --help ;;
            *=*)
                [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_.]*= ]] || usage_error "setting '$1': expected key=value, such as training.epochs=10"
                settings+=("$1")
                ;;
            *) usage_error "unexpected argument '$1'; options start with --, settings are written key=value" ;;
        esac
        shift
    done
}

# value_of NAME DEFAULT ARGUMENT... : what the option NAME is in a command line that is not parsed yet, where that decides
# which options there are; DEFAULT where it is not given.
value_of() {
    local name=$1 value=$2
    shift 2
    while (($#)); do
        case $1 in
            "--$name") value=${2-} ;;
            "--$name="*) value=${1#*=} ;;
        esac
        shift
    done
    printf %s "$value"
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

# some_of NAME WORD... : the variable NAME holds one or several of the words, or `all` for all of them.
some_of() {
    local name=$1 word words
    shift
    [[ ${!name} != all ]] || printf -v "$name" %s "$*"
    read -r -a words <<<"${!name//,/ }"
    ((${#words[@]})) || usage_error "--$name '${!name}': expected some of $*"
    for word in "${words[@]}"; do
        [[ " $* " == *" $word "* ]] || usage_error "--$name $word: expected one of $*"
    done
    printf -v "$name" %s "${words[*]}"
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

# share_from NAME : the variable NAME holds a number from 0 to 1.
share_from() {
    [[ ${!1} =~ ^(0|1|0?\.[0-9]+|[01]\.0*|0\.[0-9]+)$ ]] || usage_error "--$1 '${!1}': expected a number from 0 to 1, such as 0.05"
}

# files_in NAME : the array NAME holds files; make their paths independent of the current directory.
files_in() {
    local -n files=$1
    local number file
    for number in "${!files[@]}"; do
        file=${files[number]}
        [[ -f $file ]] || usage_error "--$1 $file: no such file"
        [[ $file == /* ]] || files[number]=$PWD/$file
    done
}

# absolute NAME : make the path in the variable NAME independent of the current directory.
absolute() {
    [[ -z ${!1} || ${!1} == /* ]] || printf -v "$1" %s "$PWD/${!1}"
}

# absolute_folder NAME : the same of a folder in the variable NAME; an id of the hub is left as it is.
absolute_folder() {
    [[ ! -d ${!1} ]] || absolute "$1"
}
