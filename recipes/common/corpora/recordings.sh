# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# Features of recordings with text, made here; sourced by corpora that have such. They say before
#   published_bert   the text encoder, where none is given
bert='' clip='' max_tokens='' heard_seconds=30
options+=" bert clip max_tokens"

check_recording_options() {
    [[ -z $max_tokens ]] || one_number_from max_tokens 3
    for path in bert clip; do absolute_folder "$path"; done
}

# settle_encoders : where the weights of text and picture are, of a miniature beside it; `models` is that folder.
settle_encoders() {
    models=${made:-$(corpus_folder)}/models
    if [[ $miniature == yes && (-n $made || -d $models) ]]; then
        bert=${bert:-$models/bert}
        [[ $is_raw == no ]] || clip=${clip:-$models/clip}
    fi
    bert=${bert:-$published_bert} clip=${clip:-openai/clip-vit-large-patch14}
    give_weights text_encoder "$bert"
}

# plan_recordings : which features are to be made of recordings, for what the configuration uses.
plan_recordings() {
    local modality
    tokens=()
    [[ -z $max_tokens ]] || tokens=(--max_tokens "$max_tokens")
    for modality in audio video text; do
        [[ $modality:$audio != audio:frozen ]] || continue
        [[ $modality != video ]] || ! trains_pictures || continue
        [[ ! ${used[$modality]-} =~ ^(features|tokens)$ ]] || made_features+=("$data/.done/2_$modality")
    done
    [[ ${used[text]-} != features ]] || tokens+=(--embeddings "$data/features/text")
    [[ ${used[video]-} != features ]] || encoders+=(--clip "$clip")
    [[ ! ${used[text]-} =~ ^(features|tokens)$ ]] || encoders+=(--bert "$bert")
}

# make_recordings_features : stage 2.
make_recordings_features() {
    make_features audio audio "${launch[@]}" extract audio --data "$data" --average 3 --max_seconds 30
    make_features video video "${launch[@]}" extract video --data "$data" --clip "$clip" --rate_hz 5 --max_seconds 30
    make_features text tokens extract text --data "$data" --bert "$bert"
}

# make_features MODALITY FOLDER COMMAND ARGUMENT... : stage 2 of one modality, where the configuration uses it.
make_features() {
    local folder=$data/features/$2 more=("${lost[@]}")
    [[ " ${made_features[*]} " == *"/.done/2_$1 "* ]] || return 0
    [[ $1 != text ]] || more=("${tokens[@]}")
    run_stage 2 "$1" "$data/.done/2_$1" --input "$data/.done/1_manifests" --output "$folder"{/features.scp,} \
        -- "${@:3}" --out "$folder" "${more[@]}"
}
