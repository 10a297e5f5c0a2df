# shellcheck shell=bash
# A recipe, from its options to its table. Sourced by run.sh, which says before
#   name      CORPUS/METHOD, as the recipe is called
#   base      its configuration, conf/BASE.yaml
#   kind      the file of corpora/ that makes the data: iemocap, ravdess, cremad, meld, sentiment, own
#   variants  what --variant may be, the default first
#   methods   of a recipe of several: what --method may be, whose file is then conf/METHOD.yaml; base is the default
# shellcheck disable=SC2034,SC2154  # variables are shared with run.sh and the files that are sourced
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=recipes/common/init.sh
source "$common/init.sh"
# shellcheck source=recipes/common/help.sh
source "$common/help.sh"
# shellcheck source=recipes/common/cmd.sh
source "$common/cmd.sh"
corpus_name=${name%/*} method=${name#*/} marked=''
corpus='' stage=0 stop_stage=5 data='' exp='' folds='' variant=${variants%% *} ablation=full protocol=clean
modalities='' # of an experiment that takes others than its method by itself (modalities.sh)
num_processes=auto max_lost='' config=() shared='' fitting='' not_offered='^$'
options+=" corpus stage stop_stage data exp folds protocol cv seeds num_processes max_lost" lists+=" config"
if [[ -n ${methods-} ]]; then
    # shellcheck source=recipes/common/methods.sh
    source "$common/methods.sh"
fi
# shellcheck source=recipes/common/audio.sh
source "$common/audio.sh"
# What a corpus has of its own: options and their help, where its data are, what is made of them.
# shellcheck source=recipes/common/corpora/iemocap.sh
source "$common/corpora/$kind.sh"
# shellcheck source=recipes/common/video.sh
source "$common/video.sh"

# A method's settings stand below recipes/common/conf where several recipes share them, else in the recipe. In a copy of a
# recipe (mertk new) they all stand in its own conf/.
shared=${shared:-$recipe/conf}
[[ -f $shared/$base.yaml ]] || shared=$common/conf
# Where data/ and exp/ are: a checkout, the folder of a copy, or where the recipe of an installed package is called from.
home=$recipe
[[ $recipe != "$root"/recipes/* ]] || home=$([[ $checkout == yes ]] && echo "$root" || echo "$PWD")
ablations=()
for file in "$shared/$base"/ablation/*.yaml "$recipe"/conf/{"$base"/,}ablation/*.yaml; do
    word=$(basename "$file" .yaml)
    [[ ! -f $file || " full ${ablations[*]} " == *" $word "* || $word =~ $not_offered ]] || ablations+=("$word")
done
((${#ablations[@]} == 0)) || ablations=(full "${ablations[@]}")
[[ $variants != *' '* && -z ${methods-} ]] || options+=" variant"
((${#ablations[@]} == 0)) || options+=" ablation"
given=("$@")
parse_options "$@"

one_number_from stage 0 5
one_number_from stop_stage "$stage" 5
# shellcheck disable=SC2086  # words
some_of protocol $protocols
# shellcheck disable=SC2086
one_of cv $cvs
# shellcheck disable=SC2086
one_of variant $variants
[[ -z $modalities ]] || check_modalities
((${#ablations[@]} == 0)) || some_of ablation "${ablations[@]}"
numbers_from seeds 0
[[ -z $max_lost ]] || share_from max_lost
[[ $num_processes == auto ]] || one_number_from num_processes 1 1024
check_corpus_options
check_audio
check_video
check_cmd_options
for path in corpus data exp; do absolute "$path"; done
files_in config

use_environment run
manifests=()
# shellcheck disable=SC2119
settle_data

# add_config NAME : the method's file of this name and the recipe's, which lies over it, where they are there.
add_config() {
    local file
    for file in "$shared/$base/$1.yaml" "$recipe"/conf/{"$1","$base/$1"}.yaml; do
        [[ ! -f $file || " ${configs[*]} " == *" $file "* ]] || configs+=("$file")
    done
}

# add_shared NAME : a file that lies over any method's; a method of one's own may stand elsewhere.
add_shared() {
    local folder
    for folder in "$shared" "${methods_folder-}" "$common/conf"; do
        [[ ! -f $folder/$1.yaml ]] || break
    done
    configs+=("$folder/$1.yaml")
}

# several : whether more than one experiment or protocol was asked for.
several() {
    [[ $ablation == *' '* || $protocol == *' '* ]]
}

# summarize FOLDER EXPERIMENT... : stage 5, the table of experiments.
summarize() {
    local published=()
    ((stage <= 5 && stop_stage >= 5)) || return 0
    [[ ! -f $recipe/published.yaml ]] || published=(--published "$recipe/published.yaml")
    run_program "$python" -m mertk summarize "${@:2}" --out "$1" "${published[@]}"
}
experiments=$home/exp/$corpus_name/$method$suffix
if several; then
    # shellcheck source=recipes/common/several.sh
    source "$common/several.sh"
    exit
fi

configs=("$shared/$base.yaml")
for overlay in "$corpus_name" $features "$variant"; do
    [[ $overlay == "$base" ]] || add_config "$overlay"
done
[[ -z $modalities ]] || add_config "modalities/${modalities// /_}"
for overlay in $fitting; do add_config "$overlay"; done
[[ $is_raw == no ]] || configs+=("$shared/recordings.yaml")
add_audio
add_video
[[ $miniature == no ]] || add_config miniature
configs+=("${config[@]}")
add_config "ablation/$ablation"
exp=${exp:-$experiments/$(experiment_name)}
declare -A used=()
read_facts used "${engine_words[@]}" --config "${configs[@]}" -- "${settings[@]}"
lost=() encoders=() placing=() made_features=()
[[ -z $max_lost ]] || lost=(--max_lost "$max_lost")
plan_data
plan_audio
plan_video
[[ -z $max_lost ]] || settings=("data.max_lost=$max_lost" "${settings[@]}")
set_launching
part=$cv-$protocol mark=$exp/.done runs=()
for fold in $folds; do
    for seed in $seeds; do runs+=("$exp/$part/fold_$fold/seed_$seed"); done
done
pinned=()
[[ $checkout == no ]] || pinned=("$root/constraints.txt")
training=(
    cross-validate --config "${configs[@]}" --data "$data" --exp "$exp" --cv "$cv" --protocol "$protocol"
    --folds "$folds" --seeds "$seeds" --num_processes "$num_processes" "${independent[@]}"
    -- "${placing[@]}" "${settings[@]}"
)

[[ -z $made ]] || run_stage 0 corpus "$data/.done/0_corpus" \
    --input "$root"/data_prep/synthetic/*.py --output "$made/MINIATURE.json" "$made" -- "${writing[@]}" --out "$made"
run_stage 0 environment "$mark/0_environment.$(uname -n)" --input "${pinned[@]}" "${configs[@]}" \
    -- doctor "${examined[@]}" --writable "$data" "$exp" --num_processes "$here" "${encoders[@]}" \
    --config "${configs[@]}" -- "${settings[@]}"
make_data
make_audio
make_video
if [[ ${machine_rank:-0} != 0 ]]; then
    # The first machine keeps the marks, scores and writes; the others only train with it.
    if ((stage <= 3 && stop_stage >= 3)); then run_program "$python" -m mertk "${training[@]}"; fi
    exit
fi
run_stage 3 train "$mark/3_train_${marked:-$part}" \
    --input "$data/.done/1_manifests" "${manifests[@]}" "${made_features[@]}" "${configs[@]}" \
    --output "${runs[@]/%//trained.json}" "${runs[@]/%//best/model.json}" -- "${training[@]}"
run_stage 4 evaluate "$mark/4_evaluate_${marked:-$part}" --input "${runs[@]/%//trained.json}" \
    --output "${runs[@]/%//results.json}" "${runs[@]/%//predictions.tsv}" \
    -- "${launch[@]}" evaluate "${trusting[@]}" "$exp"
summarize "$exp" "$exp"
