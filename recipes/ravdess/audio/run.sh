#!/usr/bin/env bash
# Emotion from real acted speech (RAVDESS), trained from nothing: log-mel frames, a small encoder, six folds by actor.
#
# Usage: run.sh --corpus DIR [--stage N] [--stop_stage N] [--data DIR] [--exp DIR] [--folds "1 2 3 4 5 6"]
#               [--protocol clean|clean-refit|published] [--seeds "1234"] [--num_processes N|auto] [--cv speaker]
#               [--num_folds 6] [--config FILE] [--max_lost SHARE] [--trust MODULE] [--help] [setting=value ...]
#
#   --corpus DIR         recordings named as in RAVDESS (03-01-05-01-02-01-12.wav or .flac), in any folders below DIR
#   --stage N            first stage to run (0)
#   --stop_stage N       last stage to run (5)
#   --data DIR           scp files go there (data/ravdess of the checkout)
#   --exp DIR            runs and results go there (exp/ravdess/audio/log_mel, with settings in the name)
#   --folds "1 2"        folds to train (all six)
#   --protocol NAME      clean: epoch chosen on other actors than the test ones (default); clean-refit: as many steps as
#                        clean chose, on all actors but the test ones; published: epoch chosen on the test actors
#   --seeds "1 2 3"      every fold is trained with each of them (1234)
#   --num_processes N    processes of training and scoring; auto: one for each GPU, else one
#   --cmd local|slurm    extract, train and score on this machine (default), or as jobs of Slurm (docs/slurm.md)
#   --jobs N|auto        local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow
#   --slurm "WORD ..."   options of sbatch for each run ("partition=gpu time=8:00:00"), or a YAML file of them
#   --detach             slurm: submit and do not wait; the same command without it waits and goes on
#   --engine NAME|YAML   how training uses several processes (docs/engines.md)
#   --trust MODULE       module of your own, whose classes the model is made of; may be given several times
#   --num_folds N        groups of actors, and so folds (6); fewer for a part of the corpus
#   --max_lost SHARE     share of a part's utterances that may be lost to missing or damaged files (0.01)
#   --cv speaker         folds by actor, the only kind; here for the sake of scripts that name it
#   --config FILE        settings of your own, a YAML file over the recipe's; may be given several times, later ones win
#   setting=value        any key of the configuration (conf/log_mel.yaml), such as training.epochs=10; comes last and wins
#
# Stages: 0 environment, 1 manifests, 3 train, 4 evaluate, 5 results; there are no features to extract (stage 2). A stage
# that was done is skipped unless its options or what it reads have changed. Exit codes: 0 done, 1 failed, 2 wrong usage,
# 75 stopped or submitted: the same command goes on, 130 interrupted.
#
# Example: run.sh --corpus /corpora/RAVDESS
set -euo pipefail

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$recipe/../../common/init.sh"

corpus= stage=0 stop_stage=5 data= exp= folds= protocol=clean cv=speaker seeds=1234 num_processes=auto num_folds=6 max_lost=
# shellcheck disable=SC2034  # read by experiment_name
variant=log_mel ablation=full
# shellcheck disable=SC2034  # read by parse_options
options="corpus stage stop_stage data exp folds protocol cv seeds num_processes num_folds max_lost"
parse_options "$@"

one_number_from stage 0 5
one_number_from stop_stage "$stage" 5
one_of protocol clean clean-refit published
one_of cv speaker
one_number_from num_folds 3 12
folds=${folds:-$(seq -s ' ' "$num_folds")}
numbers_from folds 1 "$num_folds"
numbers_from seeds 0
[[ -z $max_lost ]] || share_from max_lost
[[ $num_processes == auto ]] || one_number_from num_processes 1 1024
[[ -n $corpus || -n $data ]] || usage_error "--corpus DIR is needed: there is no miniature of RAVDESS"
[[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
for path in corpus data exp; do absolute "$path"; done
files_in config

use_environment
miniature=no
data=${data:-$root/data/ravdess}
read_data ravdess
[[ -n $corpus || -v known[miniature] ]] || usage_error "--corpus DIR is needed: $data is no data directory yet"
settle_corpus
configs=("$recipe/conf/log_mel.yaml" "${config[@]}")
exp=${exp:-$root/exp/ravdess/audio/$(experiment_name)}
[[ -z $max_lost ]] || settings=("data.max_lost=$max_lost" "${settings[@]}")
runs=()
for fold in $folds; do
    for seed in $seeds; do runs+=("$exp/speaker-$protocol/fold_$fold/seed_$seed"); done
done
# shellcheck source=recipes/common/cmd.sh
source "$common/cmd.sh"
more_folds=()
[[ $num_folds == 6 ]] || more_folds=(--num_folds "$num_folds")

run_stage 0 environment "$exp/.done/0_environment.$(uname -n)" --input "$root/constraints.txt" "${configs[@]}" -- mertk.bin.doctor --writable "$data" "$exp" --num_processes "$num_processes" --config "${configs[@]}" -- "${settings[@]}"
run_stage 1 manifests "$data/.done/1_manifests" --input "$corpus" --output "$data/folds" --folder "$data" -- data_prep.ravdess --corpus "$corpus" --out "$data" "${more_folds[@]}"
run_stage 3 train "$exp/.done/3_train_$protocol" --input "$data/.done/1_manifests" "${configs[@]}" --output "${runs[@]/%//trained.json}" "${runs[@]/%//best/model.json}" -- mertk.bin.cross_validate --config "${configs[@]}" --data "$data" --exp "$exp" --cv "$cv" --protocol "$protocol" --folds "$folds" --seeds "$seeds" --num_processes "$num_processes" "${independent[@]}" -- "${settings[@]}"
run_stage 4 evaluate "$exp/.done/4_evaluate_$protocol" --input "${runs[@]/%//trained.json}" --output "${runs[@]/%//results.json}" "${runs[@]/%//predictions.tsv}" -- "${launch[@]}" mertk.bin.evaluate "${trusting[@]}" "$exp"
if ((stage <= 5 && stop_stage >= 5)); then run_program "$python" -m mertk.bin.summarize "$exp" --out "$exp"; fi
