# shellcheck shell=bash
# The stages of every recipe on text, audio and video with one official split: CMU-MOSI, CMU-MOSEI, CH-SIMS.
#
# Sourced by run.sh, with its arguments, after `corpus_name` (mosi, mosei, sims), `method` (hscl, tam_ulag) and `variants` were set.
# shellcheck source=recipes/common/init.sh
source "$(dirname "${BASH_SOURCE[0]}")/init.sh"

corpus='' stage=0 stop_stage=5 data='' exp='' folds=1 protocol=clean cv=official variant=paper features=''
ablation=full seeds=1111 bert='' clip=openai/clip-vit-large-patch14 num_processes=auto max_lost='' bad_length='' max_contradicting='' max_tokens='' labels=''
# shellcheck disable=SC2034  # read by parse_options
options="corpus stage stop_stage data exp folds protocol cv variant features ablation seeds bert clip num_processes max_lost bad_length max_contradicting max_tokens labels"
parse_options "$@"

# shellcheck disable=SC2154  # recipe, corpus_name and method are set by run.sh
shared=$common/conf/$method
mapfile -t ablations < <(find "$shared/ablation" -name '*.yaml' -exec basename {} .yaml \; | sort)
one_number_from stage 0 5
one_number_from stop_stage "$stage" 5
one_of protocol clean clean-refit
one_of cv official
# shellcheck disable=SC2086,SC2154  # words, set by run.sh
one_of variant $variants
[[ -z $features ]] || one_of features unaligned aligned
one_of ablation "${ablations[@]}"
numbers_from folds 1 1
numbers_from seeds 0
[[ -z $max_lost ]] || share_from max_lost
[[ -z $bad_length ]] || one_of bad_length refuse drop
[[ -z $max_contradicting ]] || share_from max_contradicting
[[ -z $max_tokens ]] || one_number_from max_tokens 3
[[ $num_processes == auto ]] || one_number_from num_processes 1 1024
[[ -z $corpus || -e $corpus ]] || usage_error "--corpus $corpus: no such feature file or folder of recordings"
[[ -z $labels || -f $labels ]] || usage_error "--labels $labels: no such file"
for path in corpus data exp labels; do absolute "$path"; done
for path in bert clip; do absolute_folder "$path"; done
files_in config

use_environment run
settle_miniature
# A file holds features, a folder recordings; without either the miniature's file is written.
is_raw=no
[[ ! -d $corpus ]] || is_raw=yes
# name_kind : what data and experiments are called beside their corpus and method.
name_kind() {
    kind=$([[ $features != aligned ]] || echo _aligned)
    [[ $is_raw == no ]] || kind=_raw
    [[ $miniature == no ]] || kind+=_miniature
}
name_kind
data=${data:-$root/data/$corpus_name$kind}
read_data "$corpus_name"
if [[ -v known[miniature] ]]; then
    # Features that came in a file say how they are aligned.
    found=yes
    [[ ! -v known[alignment] && (-v known[corpus] || -e $data/wav.scp) ]] || found=no
    [[ -z $corpus || $is_raw == "$found" ]] || usage_error "--data $data $([[ $found == yes ]] && echo 'is not' || echo is) of a feature file, --corpus $corpus is $([[ $is_raw == yes ]] && echo a folder of recordings || echo a file); give another --data"
    is_raw=$found
    [[ -z $features || ${known[alignment]-$features} == "$features" ]] || usage_error "--data $data holds ${known[alignment]} features, not $features ones; give another --data or --features ${known[alignment]}"
    features=${known[alignment]-$features}
    name_kind
fi
features=${features:-unaligned}
settle_corpus "$data/corpus/$features.pkl"

configs=("$recipe/conf/$method.yaml")
for file in "$recipe/conf/$features.yaml" "$shared/$variant.yaml" "$recipe/conf/$variant.yaml"; do
    [[ ! -f $file ]] || configs+=("$file")
done
[[ $is_raw == no ]] || configs+=("$common/conf/recordings.yaml")
[[ $miniature == no ]] || configs+=("$shared/miniature.yaml")
configs+=("${config[@]}" "$shared/ablation/$ablation.yaml")
exp=${exp:-$root/exp/$corpus_name/$method$kind/$(experiment_name)}
declare -A used=()
read_facts used --config "${configs[@]}" -- "${settings[@]}"

models=${made:-$(corpus_folder)}/models
[[ $miniature == no || -z $made && ! -d $models ]] || bert=${bert:-$models/bert}
bert=${bert:-$([[ $corpus_name == sims ]] && echo google-bert/bert-base-chinese || echo google-bert/bert-base-uncased)}
# An ablation without text has no encoder to give weights to.
[[ ! -v used[model.text_encoder.weights] ]] || settings=("model.text_encoder.weights=$(yaml_text "$bert")" "${settings[@]}")
[[ -z $max_lost ]] || settings=("data.max_lost=$max_lost" "${settings[@]}")
part=$cv-$protocol
runs=()
for seed in $seeds; do runs+=("$exp/$part/fold_1/seed_$seed"); done
# shellcheck source=recipes/common/cmd.sh
source "$common/cmd.sh"

# What the run does not need is not asked for; but manifests that have their recordings keep them.
lost=() preparing=() tokens=() encoders=() made_features=() sources=("$corpus")
[[ -z $max_lost ]] || lost=(--max_lost "$max_lost")
[[ -z $max_tokens ]] || tokens=(--max_tokens "$max_tokens")
if [[ $is_raw == no ]]; then
    [[ -z $bad_length ]] || preparing=(--bad_length "$bad_length")
    [[ -z $max_contradicting ]] || preparing+=(--max_contradicting "$max_contradicting")
else
    sources=("${labels:-$corpus/label.csv}" "$corpus/Raw")
    [[ -z $labels ]] || preparing=(--labels "$labels")
    if [[ ! -v used[audio] && ! -v used[video] && ! (-e $data/wav.scp && -d $corpus/Raw) ]]; then
        preparing+=(--text_only)
        sources=("${sources[0]}")
    fi
    for modality in audio video text; do
        [[ ! ${used[$modality]-} =~ ^(features|tokens)$ ]] || made_features+=("$data/.done/2_$modality")
    done
    [[ ${used[text]-} != features ]] || tokens+=(--embeddings "$data/features/text")
    [[ ${used[video]-} != features ]] || encoders+=(--clip "$clip")
    [[ ! ${used[text]-} =~ ^(features|tokens)$ ]] || encoders+=(--tokenizer "$bert")
fi
# makes MODALITY : whether its features are to be made.
makes() {
    [[ " ${made_features[*]} " == *"/.done/2_$1 "* ]]
}

[[ -z $made ]] || run_stage 0 corpus "$data/.done/0_corpus" --input "$root"/data_prep/synthetic/*.py --output "$made/MINIATURE.json" "$made" -- data_prep.synthetic.mmsa --corpus "$corpus_name" --out "$made"
run_stage 0 environment "$exp/.done/0_environment.$(uname -n)" --input "$root/constraints.txt" "${configs[@]}" -- mertk.bin.doctor --corpus "$corpus" ${labels:+--labels "$labels"} --writable "$data" "$exp" --num_processes "$num_processes" "${encoders[@]}" --config "${configs[@]}" -- "${settings[@]}"
if [[ $is_raw == yes ]]; then
    run_stage 1 manifests "$data/.done/1_manifests" --input "${sources[@]}" --output "$data/text" "$data/folds" --folder "$data" -- data_prep.raw_video --corpus "$corpus" --name "$corpus_name" --out "$data" "${lost[@]}" "${preparing[@]}"
    if makes audio; then run_stage 2 audio "$data/.done/2_audio" --input "$data/.done/1_manifests" --output "$data/features/audio"{/features.scp,} -- "${launch[@]}" data_prep.extract_audio --data "$data" --average 3 --max_seconds 30 --out "$data/features/audio" "${lost[@]}"; fi
    if makes video; then run_stage 2 video "$data/.done/2_video" --input "$data/.done/1_manifests" --output "$data/features/video"{/features.scp,} -- "${launch[@]}" data_prep.extract_video --data "$data" --weights "$clip" --rate_hz 5 --max_seconds 30 --out "$data/features/video" "${lost[@]}"; fi
    if makes text; then run_stage 2 text "$data/.done/2_text" --input "$data/.done/1_manifests" --output "$data/features/tokens"{/features.scp,} -- data_prep.extract_text --data "$data" --weights "$bert" --out "$data/features/tokens" "${tokens[@]}"; fi
else
    run_stage 1 import "$data/.done/1_manifests" --input "$corpus" --output "$data/text" "$data/folds" "$data/features" --folder "$data" -- data_prep.mmsa --features "$corpus" --corpus "$corpus_name" --alignment "$features" --out "$data" "${lost[@]}" "${preparing[@]}"
fi
run_stage 3 train "$exp/.done/3_train_$part" --input "$data/.done/1_manifests" "${made_features[@]}" "${configs[@]}" --output "${runs[@]/%//trained.json}" "${runs[@]/%//best/model.json}" -- mertk.bin.cross_validate --config "${configs[@]}" --data "$data" --exp "$exp" --cv "$cv" --protocol "$protocol" --folds "$folds" --seeds "$seeds" --num_processes "$num_processes" "${independent[@]}" -- "${settings[@]}"
run_stage 4 evaluate "$exp/.done/4_evaluate_$part" --input "${runs[@]/%//trained.json}" --output "${runs[@]/%//results.json}" "${runs[@]/%//predictions.tsv}" -- "${launch[@]}" mertk.bin.evaluate "${trusting[@]}" "$exp"
if ((stage <= 5 && stop_stage >= 5)); then run_program "$python" -m mertk.bin.summarize "$exp" --out "$exp" --published "$recipe/published.yaml"; fi
