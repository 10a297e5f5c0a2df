# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh and the corpora that source this
# Features of the speakers' faces for Foal-Net: by CLIP, or small grey pictures of --variant small.

# plan_pictures [ARGUMENT...] : set `folder` and `making`, where the features go and how they are made, where the
# configuration uses any. ARGUMENT goes to the extraction by CLIP.
plan_pictures() {
    [[ ${used[video]-} == features ]] || return 0
    if trains_pictures; then
        encoders=(--clip "$clip") # its pictures are made elsewhere
    elif [[ $variant == small ]]; then
        folder=$data/features/pictures making=(--side 48 --rate_hz 10)
        made_features=("$data/.done/2_pictures")
        placing=("data.inputs.video.directory=$(yaml_text "$folder")")
    else
        folder=$data/features/video making=(--clip "$clip" "$@") encoders=(--clip "$clip")
        made_features=("$data/.done/2_features")
    fi
}

# plan_weights : weights of the encoders: those of a miniature are its own.
plan_weights() {
    if [[ $miniature == yes ]]; then
        clip=${clip:-$corpus/models/clip}
        give_weights audio_encoder "$corpus/models/wavlm"
    fi
    clip=${clip:-openai/clip-vit-large-patch14}
}

make_pictures() {
    ((${#made_features[@]})) || return 0
    run_stage 2 features "${made_features[@]}" \
        --input "$data/.done/1_manifests" --output "$folder"{/features.scp,} \
        -- "${launch[@]}" extract video --data "$data" "${making[@]}" --out "$folder" "${lost[@]}"
}
