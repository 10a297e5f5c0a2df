#!/usr/bin/env bash
# Usage: compare.sh [--methods "NAME ..."] [--exp DIR] [OPTION OF THE RECIPES ...]
#
# Methods on CMU-MOSI beside each other: each trained and scored by its own recipe, with the same options and seeds, then
# one table of ours, of the published figures, and of the differences.
#
#   --methods "mult tfn" of those of mosi/baselines, and hscl and tam_ulag; all of them, when it is not given
#   --exp DIR            runs of each go to DIR/METHOD, the table to DIR (exp/mosi/comparison)
#
# All else goes to each recipe: --corpus, --data, --seeds, --jobs, --cmd slurm, settings, ... The same command again goes on
# where it was; what is done is not done again. A method that fails does not keep others from running; the table has those
# that are done. With --cmd slurm --detach the runs of all methods are submitted, and the same command later writes the table.
#
# Exit codes: as those of a recipe; 1 when a method has failed.
#
# Examples: compare.sh --corpus /corpora/MOSI/unaligned_50.pkl --seeds "1111 1112 1113 1114 1115" --jobs auto
#           compare.sh --methods "late_fusion lf_dnn" training.epochs=1
set -euo pipefail

recipes=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$recipes/../common/init.sh"
baselines=$(sed -n 's/^methods="\(.*\)"$/\1/p' "$recipes/baselines/run.sh")
available="$baselines hscl tam_ulag" methods='' exp='' passed=() detach=no rank=0
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
exp=${exp:-$home/exp/mosi/comparison}
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
        2 | 130) exit "$code" ;;
        *) failed+=("$method") ;;
    esac
done
[[ $waiting == no ]] || exit 75
# Of several machines, the first writes.
if [[ $rank == 0 ]] && ((${#folders[@]})); then
    run_program "$python" -m mertk summarize "${folders[@]}" --out "$exp" --published "${published[@]}"
fi
((${#failed[@]} == 0)) || fail "failed: ${failed[*]}; the same command goes on with them."
