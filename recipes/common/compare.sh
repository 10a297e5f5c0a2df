# shellcheck shell=bash
# shellcheck disable=SC2154  # variables are shared with compare.sh
# Methods of a corpus beside each other: each by its own recipe, then one table. Sourced by compare.sh of a corpus, which says
# before
#   recipes   its folder
#   others    recipes in it beside those of baselines
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$common/init.sh"
corpus_name=$(basename "$recipes")
baselines=$(sed -n 's/^methods="\(.*\)"$/\1/p' "$recipes/baselines/run.sh")
available="$baselines $others" methods='' exp='' passed=() detach=no rank=0
while (($#)); do
    case $1 in
        -h | --help) print_help && exit ;;
        --methods | --exp)
            (($# > 1)) || usage_error "$1: value missing"
            printf -v "${1#--}" %s "$2"
            shift
            ;;
        --methods=* | --exp=*) name=${1%%=*} && printf -v "${name#--}" %s "${1#*=}" ;;
        --method | --method=*) usage_error "$1: give --methods, or call the recipe of the method" ;;
        --stop_stage | --stop_stage=*) usage_error "$1: give it to the recipe of a method" ;;
        *)
            [[ $1 != --detach ]] || detach=yes
            [[ $1 != --machine_rank ]] || rank=${2-}
            [[ $1 != --machine_rank=* ]] || rank=${1#*=}
            passed+=("$1")
            ;;
    esac
    shift
done
read -r -a asked <<<"${methods:-$available}"
for method in "${asked[@]}"; do
    [[ " $available " == *" $method "* ]] || usage_error "--methods: got $method, expected some of $available"
done
use_environment run
home=$([[ $checkout == yes ]] && echo "$root" || echo "$PWD")
exp=${exp:-$home/exp/$corpus_name/comparison}
absolute exp

folders=() failed=() published=("$recipes/baselines/published.yaml") waiting=no
for method in "${asked[@]}"; do
    recipe=$recipes/$method own=()
    if [[ " $baselines " == *" $method "* ]]; then
        recipe=$recipes/baselines own=(--method "$method")
    else
        published+=("$recipe/published.yaml")
    fi
    printf '\n%s\n' "$method"
    code=0
    run_program bash "$recipe/run.sh" "${own[@]}" --exp "$exp/$method" --stop_stage 4 "${passed[@]}" || code=$?
    case $code in
        0) folders+=("$exp/$method") ;;
        75) if [[ $detach == yes && -z $heard ]]; then waiting=yes; else exit 75; fi ;;
        130) exit "$code" ;;
        # What the first refuses all do; later it is the method that cannot, --modalities say.
        2) if [[ $method == "${asked[0]}" ]]; then exit 2; else failed+=("$method"); fi ;;
        *) failed+=("$method") ;;
    esac
done
[[ $waiting == no ]] || exit 75
# Of several machines, the first writes.
if [[ $rank == 0 ]] && ((${#folders[@]})); then
    run_program "$python" -m mertk summarize "${folders[@]}" --out "$exp" --published "${published[@]}"
fi
((${#failed[@]} == 0)) || fail "failed: ${failed[*]}; the same command goes on with them."
