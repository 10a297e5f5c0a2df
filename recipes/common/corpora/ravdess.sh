# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# RAVDESS: acted speech, eight emotions, folds by actor; sound alone, or with features of the actors' faces.
cv=speaker cvs="speaker hicmae emobox" protocols="clean clean-refit published" seeds=1234
num_folds=6 features='' is_raw=no clip=''
options+=" num_folds"
[[ $method == audio ]] || options+=" clip"
# shellcheck source=recipes/common/corpora/pictures.sh
source "$common/corpora/pictures.sh"

corpus_help() {
    cat <<EOF
$(without_corpus)

  --corpus DIR         recordings named as in RAVDESS (03-01-05-01-02-01-12.wav or .flac, 01-....mp4 where pictures are
                       used), in any folders below DIR
  --cv KIND            folds by speaker (default), or those of published figures: hicmae, emobox
  --num_folds N        groups of actors by speaker, and so folds (6); fewer for a part of the corpus
  --folds "1 2"        folds to train ($([[ $method == audio ]] || echo "of a miniature two, else ")all six)
  --protocol NAME      clean: epoch chosen on other actors than the test ones (default); clean-refit: as many steps as
                       clean chose, on all actors but the test ones; published: epoch chosen on the test actors
  --seeds "1 2 3"      every fold is trained with each of them (1234)
EOF
    [[ $method == audio ]] || cat <<EOF
  --clip WEIGHTS       CLIP model for the video features, hub id or folder (openai/clip-vit-large-patch14)
EOF
}

check_corpus_options() {
    one_number_from num_folds 3 12
    [[ $cv == speaker ]] || ((num_folds == 6)) || usage_error "--num_folds goes with --cv speaker; $cv has six folds"
    [[ -z $folds ]] || numbers_from folds 1 "$num_folds"
    [[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
    absolute_folder clip
}

# settle_data : set `data`, `corpus` and `miniature`, and `suffix`, what experiments are called beside the method.
settle_data() {
    settle_miniature
    local kind=ravdess
    [[ $method == audio ]] || kind+=_video
    data=${data:-$home/data/$kind$([[ $miniature == no ]] || echo _miniature)}
    read_data ravdess
    suffix=$([[ $miniature == no ]] || echo _miniature)
    # Starting a fold takes longer than training it on so little.
    [[ $miniature == no || $method == audio ]] || folds=${folds:-1 2}
    folds=${folds:-$(seq -s ' ' "$num_folds")}
    settle_corpus "$data/corpus"
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    local ways=(speaker) way
    plan_weights
    plan_pictures --rate_hz 30
    writing=(mertk.data_prep.synthetic.ravdess) examined=(--corpus "$corpus" --corpus_name ravdess) preparing=()
    [[ $cv != speaker ]] || marked=$protocol
    [[ $num_folds == 6 ]] || preparing=(--num_folds "$num_folds")
    # Folds that are there stay, and so do pictures that this run does not need.
    for way in hicmae emobox; do
        [[ $cv != "$way" && ! -d $data/folds/$way-clean ]] || ways+=("$way")
    done
    [[ ${ways[*]} == speaker ]] || preparing+=(--folds_by "${ways[@]}")
    [[ ${used[video]-} != features && ! -e $data/video.scp ]] || preparing+=(--video)
}

make_data() {
    run_stage 1 manifests "$data/.done/1_manifests" --input "$corpus" --output "$data/folds" --folder "$data" \
        -- prepare ravdess --corpus "$corpus" --out "$data" "${lost[@]}" "${preparing[@]}"
    make_pictures
}
