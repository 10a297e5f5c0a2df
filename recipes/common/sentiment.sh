# shellcheck shell=bash
# The stages of every recipe on text, audio and video with one official split: CMU-MOSI, CMU-MOSEI, CH-SIMS.
#
# Sourced by run.sh, with its arguments, after `corpus_name` (mosi, mosei, sims), `method` (hscl, tam_ulag) and `variants` were set.
# shellcheck source=recipes/common/init.sh
source "$(dirname "${BASH_SOURCE[0]}")/init.sh"

corpus='' stage=0 stop_stage=5 data='' exp='' folds=1 protocol=clean cv=official variant=paper features=unaligned
ablation=full seeds=1111 bert='' clip=openai/clip-vit-large-patch14 num_processes=auto
# shellcheck disable=SC2034  # read by parse_options
options="corpus stage stop_stage data exp folds protocol cv variant features ablation seeds bert clip num_processes"
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
one_of features unaligned aligned
one_of ablation "${ablations[@]}"
numbers_from folds 1 1
numbers_from seeds 0
[[ $num_processes == auto ]] || one_number_from num_processes 1 1024
[[ -z $corpus || -e $corpus ]] || usage_error "--corpus $corpus: no such feature file or folder of recordings"
for path in corpus data exp; do absolute "$path"; done

# A file holds features, a folder recordings; without either the miniature's file is written.
kind=$([[ $features == unaligned ]] || echo _aligned)
[[ ! -d $corpus ]] || kind=_raw
[[ -n $corpus ]] || kind+=_miniature
configs=("$recipe/conf/$method.yaml")
for file in "$recipe/conf/$features.yaml" "$shared/$variant.yaml" "$recipe/conf/$variant.yaml"; do
    [[ ! -f $file ]] || configs+=("$file")
done
[[ ! -d $corpus ]] || configs+=("$common/conf/recordings.yaml")
[[ -n $corpus ]] || configs+=("$shared/miniature.yaml")
configs+=("$shared/ablation/$ablation.yaml")

data=${data:-$root/data/$corpus_name$kind}
name=$variant$([[ $ablation == full ]] || echo "_$ablation")${settings[*]:+_$(slug "${settings[@]}")}
exp=${exp:-$root/exp/$corpus_name/$method$kind/$name}
if [[ -z $corpus ]]; then
    made=$data/corpus
    corpus=$made/$features.pkl
    bert=${bert:-$made/models/bert}
fi
bert=${bert:-$([[ $corpus_name == sims ]] && echo google-bert/bert-base-chinese || echo google-bert/bert-base-uncased)}
# An ablation without text has no encoder to give weights to.
grep -q 'text_encoder: null' "${configs[@]: -1}" || settings=("model.text_encoder.weights=$(yaml_text "$bert")" "${settings[@]}")
part=$cv-$protocol
runs=()
for seed in $seeds; do runs+=("$exp/$part/fold_1/seed_$seed"); done

use_environment run
# shellcheck source=recipes/common/cmd.sh
source "$common/cmd.sh"
made_features=("$data"/.done/2_{audio,video,text})

[[ -z ${made-} ]] || run_stage 0 corpus "$data/.done/0_corpus" --input "$root"/data_prep/synthetic/*.py --output "$made/MINIATURE.json" -- data_prep.synthetic.mmsa --corpus "$corpus_name" --out "$made"
run_stage 0 environment "$exp/.done/0_environment.$(uname -n)" --input "$root/constraints.txt" "${configs[@]}" -- mertk.bin.doctor --corpus "$corpus" --writable "$data" "$exp" --num_processes "$num_processes" --config "${configs[@]}" -- "${settings[@]}"
if [[ -d $corpus ]]; then
    run_stage 1 manifests "$data/.done/1_manifests" --input "$corpus/label.csv" "$corpus/Raw" --output "$data/wav.scp" "$data/folds" -- data_prep.raw_video --corpus "$corpus" --name "$corpus_name" --out "$data"
    run_stage 2 audio "$data/.done/2_audio" --input "$data/.done/1_manifests" --output "$data/features/audio/features.scp" -- "${launch[@]}" data_prep.extract_audio --data "$data" --average 3 --max_seconds 30 --out "$data/features/audio"
    run_stage 2 video "$data/.done/2_video" --input "$data/.done/1_manifests" --output "$data/features/video/features.scp" -- "${launch[@]}" data_prep.extract_video --data "$data" --weights "$clip" --rate_hz 5 --max_seconds 30 --out "$data/features/video"
    run_stage 2 text "$data/.done/2_text" --input "$data/.done/1_manifests" --output "$data/features/tokens/features.scp" -- data_prep.extract_text --data "$data" --weights "$bert" --out "$data/features/tokens"
else
    run_stage 1 import "$data/.done/1_manifests" --input "$corpus" --output "$data/text" "$data/folds" -- data_prep.mmsa --features "$corpus" --corpus "$corpus_name" --alignment "$features" --out "$data"
    made_features=()
fi
run_stage 3 train "$exp/.done/3_train_$part" --input "$data/.done/1_manifests" "${made_features[@]}" "${configs[@]}" --output "${runs[@]/%//trained.json}" -- mertk.bin.cross_validate --config "${configs[@]}" --data "$data" --exp "$exp" --cv "$cv" --protocol "$protocol" --folds "$folds" --seeds "$seeds" --num_processes "$num_processes" "${independent[@]}" -- "${settings[@]}"
run_stage 4 evaluate "$exp/.done/4_evaluate_$part" --input "${runs[@]/%//trained.json}" --output "${runs[@]/%//results.json}" -- "${launch[@]}" mertk.bin.evaluate "$exp"
if ((stage <= 5 && stop_stage >= 5)); then run_program "$python" -m mertk.bin.summarize "$exp" --out "$exp" --published "$recipe/published.yaml"; fi
