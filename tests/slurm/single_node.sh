#!/usr/bin/env bash
# The miniature Foal-Net recipe through a real Slurm: five folds as one array, and a job that is pre-empted and goes on.
#
# Usage: tests/slurm/single_node.sh [FOLDER]
#
# Installs Slurm from Debian's packages if it is not there, starts one on this machine (tests/slurm/cluster.sh), and ends
# it again. Needs root, and some minutes. Not part of tests/run.sh, unless MERTK_TEST_SLURM=1. What it wrote stays
# in FOLDER, when one is given. Exit code 0: all is well.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=recipes/common/init.sh
source "$tests/../recipes/common/init.sh"
# shellcheck source=tests/slurm/cluster.sh
source "$tests/slurm/cluster.sh"
if [[ ${1-} == -h || ${1-} == --help ]]; then
    print_help
    exit 0
fi
use_environment dev
PATH=$(dirname "$python"):$PATH
export OMP_NUM_THREADS=1
folder=${1-}
if [[ -n $folder ]]; then mkdir -p "$folder" && folder=$(realpath "$folder"); else
    folder=$(mktemp -d)
    made=$folder
fi
end() {
    stop_cluster
    [[ -z ${made-} ]] || rm -rf "$made"
}
trap end EXIT
start_cluster "$folder/cluster"

check() {
    local what=$1
    shift
    if ! "$@"; then
        printf 'FAILED: %s\n' "$what" >&2
        exit 1
    fi
    printf 'ok: %s\n' "$what"
}
recipe() {
    bash "$root/recipes/iemocap/foal/run.sh" --data "$folder/data" --cmd slurm --num_processes 1 "$@"
}

printf '== five folds as one array\n'
recipe --exp "$folder/exp" --slurm "time=30" training.epochs=2 | tee "$folder/five_folds.log"
submitted=$(grep '^submitted 5 job' "$folder/five_folds.log")
check "one array of five: $submitted" grep -Eq '([0-9]+)_0 \1_1 \1_2 \1_3 \1_4;' <<<"$submitted"
check "five runs in the table" grep -q '| *5 x 1 |' "$folder/exp/RESULTS.md"

printf '== a job that is pre-empted goes on where it was\n'
log=$folder/preempted/jobs/session-clean_fold_1_seed_1234.log
stages=(--stage 3 --stop_stage 3 --folds 1)
status=0
recipe --exp "$folder/preempted" "${stages[@]}" --detach training.epochs=6 || status=$?
check "--detach ends with exit code 75" test "$status" == 75
job=$(squeue --noheader --format %i)
until grep -q '^epoch *1 ' "$log" 2>/dev/null; do sleep 1; done
scancel --signal=USR1 "$job"
until [[ $(squeue --noheader --format %T) == PENDING ]]; do sleep 1; done
scontrol update jobid="$job" starttime=now # Slurm lets a job that was put back wait two minutes
recipe --exp "$folder/preempted" "${stages[@]}" training.epochs=6 | tee "$folder/preempted.log"
check "the second call waited for the first one's job" grep -q "in the queue: $job\$" "$folder/preempted.log"
check "it was asked to stop, and resumed" grep -q 'resumed from' "$log"
recipe --exp "$folder/uninterrupted" "${stages[@]}" training.epochs=6 >/dev/null
run=session-clean/fold_1/seed_1234/history.jsonl
check "its history is that of a run that was left alone" \
    cmp "$folder/preempted/$run" "$folder/uninterrupted/$run"

printf '== a job that fails is named\n'
status=0
recipe --exp "$folder/failing" --stage 3 --stop_stage 3 --folds "1 2" training.monitor=luck \
    >"$folder/failing.log" 2>&1 || status=$?
cat "$folder/failing.log"
check "exit code 1" test "$status" == 1
check "each names its log" test "$(grep -c 'its log is ' "$folder/failing.log")" == 2
check "and the end of it" grep -q "  | error: training.monitor: got 'luck'" "$folder/failing.log"
