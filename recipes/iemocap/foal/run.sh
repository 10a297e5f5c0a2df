#!/usr/bin/env bash
# Foal-Net on IEMOCAP: from the corpus to a table of results, by cross-validation over its five sessions.
#
# Usage: run.sh [--corpus DIR] [--stage N] [--stop_stage N] [--data DIR] [--exp DIR] [--folds "1 2 3 4 5"]
#               [--protocol clean|clean-refit|published] [--cv session|speaker]
#               [--variant paper|released|interaction|small] [--ablation full|avel|mem|baseline|audio|video]
#               [--seeds "1234"] [--clip WEIGHTS]
#               [--num_processes N|auto] [--cmd local|slurm] [--jobs N|auto] [--slurm "WORD ..."] [--detach]
#               [--engine NAME|YAML] [--config FILE] [--sessions "1 2 3 4 5"] [--max_lost SHARE]
#               [--ignore_malformed_lines] [--trust MODULE] [--help] [setting=value ...]
#
# Without --corpus, a miniature corpus is written and used; its figures only show that everything works. A data
# directory that is there already (--data) says itself what it is made of. What a run does not need is not asked for:
# --ablation audio takes a corpus without videos, and no CLIP.
#
#   --corpus DIR         IEMOCAP_full_release, the folder with Session1 to Session5
#   --stage N            first stage to run (0)
#   --stop_stage N       last stage to run (5)
#   --data DIR           manifests and features go there (data/iemocap or data/iemocap_miniature of the checkout)
#   --exp DIR            runs and results go there (exp/iemocap/foal/VARIANT, with ablation and settings in the name)
#   --folds "1 2"        folds to train (all: 5 by session, 10 by speaker)
#   --protocol NAME      clean: epoch chosen on another session than the test one (default);
#                        clean-refit: as many steps as clean chose, on all sessions but the test one;
#                        published: epoch chosen on the test session, as the released code does
#   --cv KIND            folds by session (default) or by speaker
#   --variant NAME       paper (default): as the paper describes it; released: as the published code computes it;
#                        interaction: the paper's, with a head that matching can learn with (docs/foal.md);
#                        small: trained from nothing, on log-mel frames and small grey pictures; nothing is downloaded
#   --ablation NAME      full (default), avel or mem (one of the two losses), baseline (neither), audio, video (one alone)
#   --seeds "1 2 3"      every fold is trained with each of them (1234)
#   --clip WEIGHTS       CLIP model for the video features, hub id or folder (openai/clip-vit-large-patch14)
#   --num_processes N    processes of training, scoring and feature extraction; auto: one for each GPU, else one
#   --cmd local|slurm    extract, train and score on this machine (default), or as jobs of Slurm (docs/slurm.md)
#   --jobs N|auto        local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow
#   --slurm "WORD ..."   options of sbatch for each run ("partition=gpu time=8:00:00"), or a YAML file of them
#   --detach             slurm: submit and do not wait; the same command without it waits and goes on
#   --engine NAME|YAML   how training uses several processes (docs/engines.md)
#   --trust MODULE       module of your own, whose classes the model is made of; may be given several times
#   --sessions "1 2 3"   sessions of the corpus to use (all five); a fold is tested on each
#   --max_lost SHARE     share of the utterances that may be lost to missing or damaged files (0.01)
#   --ignore_malformed_lines
#                        warn of annotation lines that make no sense, and go on
#   --config FILE        settings of your own, a YAML file over the recipe's and under those of --ablation; may be given
#                        several times, later ones win
#   setting=value        any key of the configuration (conf/foal.yaml), such as training.epochs=10 or
#                        model.audio_encoder.weights=/models/wavlm-large; comes last and wins
#
# Stages: 0 environment and corpus, 1 manifests, 2 features, 3 train, 4 evaluate, 5 results. A stage that was done is
# skipped unless its options or what it reads have changed. Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped or
# submitted: the same command goes on, 130 interrupted.
#
# Examples: run.sh
#           run.sh --corpus /corpora/IEMOCAP_full_release --num_processes 4 --protocol clean-refit
#           run.sh --stage 3 --stop_stage 3 --folds 1 --ablation audio training.epochs=3
set -euo pipefail

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$recipe/../../common/init.sh"

corpus='' stage=0 stop_stage=5 data='' exp='' folds='' protocol=clean cv=session variant=paper ablation=full
seeds=1234 clip='' num_processes=auto sessions='' max_lost='' ignore_malformed_lines=no
# shellcheck disable=SC2034  # read by parse_options
options="corpus stage stop_stage data exp folds protocol cv variant ablation seeds clip num_processes sessions max_lost"
# shellcheck disable=SC2034
flags="ignore_malformed_lines"
parse_options "$@"

one_number_from stage 0 5
one_number_from stop_stage "$stage" 5
one_of protocol clean clean-refit published
one_of cv session speaker
one_of variant paper released interaction small
one_of ablation full avel mem baseline audio video
[[ -z $sessions ]] || numbers_from sessions 1 5
num_folds=5
[[ -z $sessions ]] || num_folds=$(wc -w <<<"$sessions")
[[ $cv == session ]] || num_folds=$((2 * num_folds))
folds=${folds:-$(seq -s ' ' "$num_folds")}
numbers_from folds 1 "$num_folds"
numbers_from seeds 0
[[ -z $max_lost ]] || share_from max_lost
[[ $num_processes == auto ]] || one_number_from num_processes 1 1024
[[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
for path in corpus data exp; do absolute "$path"; done
absolute_folder clip
files_in config

use_environment run
settle_miniature
data=${data:-$root/data/iemocap$([[ $miniature == no ]] || echo _miniature)}
read_data iemocap
settle_corpus "$data/corpus"

configs=("$recipe/conf/$([[ $variant == small ]] && echo small || echo foal).yaml")
[[ ! $variant =~ ^(released|interaction)$ ]] || configs+=("$recipe/conf/$variant.yaml")
[[ $miniature == no ]] || configs+=("$recipe/conf/miniature.yaml")
configs+=("${config[@]}" "$recipe/conf/ablation/$ablation.yaml")
exp=${exp:-$root/exp/iemocap/foal$([[ $miniature == no ]] || echo _miniature)/$(experiment_name)}
declare -A used=()
read_facts used --config "${configs[@]}" -- "${settings[@]}"
if [[ $miniature == yes ]]; then
    clip=${clip:-$corpus/models/clip}
    [[ ! -v used[model.audio_encoder.weights] ]] || settings=("model.audio_encoder.weights=$(yaml_text "$corpus/models/wavlm")" "${settings[@]}")
fi
clip=${clip:-openai/clip-vit-large-patch14}
[[ -z $max_lost ]] || settings=("data.max_lost=$max_lost" "${settings[@]}")
runs=()
for fold in $folds; do
    for seed in $seeds; do runs+=("$exp/$cv-$protocol/fold_$fold/seed_$seed"); done
done
part=$cv-$protocol
# shellcheck source=recipes/common/cmd.sh
source "$common/cmd.sh"

# What the run does not need is not asked for; but manifests that have their videos keep them.
has_videos() {
    local session
    for session in "$corpus"/Session[1-5]; do [[ -d $session/dialog/avi/DivX ]] || return 1; done
}
lost=() preparing=() encoders=() placing=() made_features=()
sources=("$corpus"/Session{1,2,3,4,5}/{dialog/{EmoEvaluation,transcriptions},sentences/wav})
[[ -z $max_lost ]] || lost=(--max_lost "$max_lost")
[[ -z $sessions ]] || preparing+=(--sessions "$sessions")
[[ $ignore_malformed_lines == no ]] || preparing+=(--ignore_malformed_lines)
if [[ ${used[video]-} == features && $variant == small ]]; then
    folder=$data/features/pictures making=(--side 48 --rate_hz 10)
    made_features=("$data/.done/2_pictures")
    placing=("data.inputs.video.directory=$(yaml_text "$folder")")
elif [[ ${used[video]-} == features ]]; then
    folder=$data/features/video making=(--weights "$clip") encoders=(--clip "$clip")
    made_features=("$data/.done/2_features")
fi
if [[ ${used[video]-} == features ]] || { [[ -e $data/video.scp ]] && has_videos; }; then
    sources+=("$corpus"/Session{1,2,3,4,5}/dialog/avi/DivX)
else
    preparing+=(--no_video)
fi

[[ -z $made ]] || run_stage 0 corpus "$data/.done/0_corpus" --input "$root"/data_prep/synthetic/*.py --output "$corpus/MINIATURE.json" "$corpus" -- data_prep.synthetic.iemocap --out "$corpus"
run_stage 0 environment "$exp/.done/0_environment.$(uname -n)" --input "$root/constraints.txt" "${configs[@]}" -- mertk.bin.doctor --corpus "$corpus" --corpus_name iemocap --writable "$data" "$exp" --num_processes "$num_processes" "${encoders[@]}" ${sessions:+--sessions "$sessions"} --config "${configs[@]}" -- "${settings[@]}"
run_stage 1 manifests "$data/.done/1_manifests" --input "${sources[@]}" --output "$data/wav.scp" "$data/folds" --folder "$data" -- data_prep.iemocap --corpus "$corpus" --out "$data" "${lost[@]}" "${preparing[@]}"
[[ ${#made_features[@]} == 0 ]] || run_stage 2 features "${made_features[@]}" --input "$data/.done/1_manifests" --output "$folder"{/features.scp,} -- "${launch[@]}" data_prep.extract_video --data "$data" "${making[@]}" --out "$folder" "${lost[@]}"
run_stage 3 train "$exp/.done/3_train_$part" --input "$data/.done/1_manifests" "${made_features[@]}" "${configs[@]}" --output "${runs[@]/%//trained.json}" "${runs[@]/%//best/model.json}" -- mertk.bin.cross_validate --config "${configs[@]}" --data "$data" --exp "$exp" --cv "$cv" --protocol "$protocol" --folds "$folds" --seeds "$seeds" --num_processes "$num_processes" "${independent[@]}" -- "${placing[@]}" "${settings[@]}"
run_stage 4 evaluate "$exp/.done/4_evaluate_$part" --input "${runs[@]/%//trained.json}" --output "${runs[@]/%//results.json}" "${runs[@]/%//predictions.tsv}" -- "${launch[@]}" mertk.bin.evaluate "${trusting[@]}" "$exp"
if ((stage <= 5 && stop_stage >= 5)); then run_program "$python" -m mertk.bin.summarize "$exp" --out "$exp" --published "$recipe/published.yaml"; fi
