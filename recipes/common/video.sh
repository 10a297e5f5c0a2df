# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# What a model sees, in place of what its configuration says: pictures in colour, into a pretrained encoder that is trained
# with it. Sourced behind the file of the corpus, which says whether there is an encoder of pictures, and how much of an
# utterance is heard and seen.
video='' seen_rate_hz=3
[[ " $options " != *" clip "* ]] || options+=" video"

video_help() {
    [[ " $options " == *" video "* ]] || return 0
    cat <<EOF
  --video KIND         frozen: features of the encoder --clip, made once, which methods have by themselves; lora: the
                       encoder sees $seen_rate_hz pictures a second, and is trained by adapters beside its weights, which stay as
                       they are (pip install peft); finetuned: it is trained as a whole, for Foal-Net
EOF
}

check_video() {
    [[ -z $video ]] || one_of video frozen finetuned lora
    [[ $video != finetuned || -f $shared/$base/finetuned_video.yaml ]] || usage_error \
        "--video finetuned: $base has no rates for an encoder of pictures (finetuned_video.yaml in $shared/$base); give lora"
}

# trains_pictures : whether an encoder of pictures is trained.
trains_pictures() {
    [[ $video =~ ^(lora|finetuned)$ ]]
}

# add_video : its configuration, where pictures are among the modalities.
add_video() {
    trains_pictures || return 0
    [[ -z $modalities || " $modalities " == *" video "* ]] || return 0
    [[ ! $ablation =~ ^(audio|text)(_(audio|text))?$ ]] || return 0
    add_shared "${video}_video"
    add_config "${video}_video"
}

# plan_video : set `kept_pictures`, where the pictures go, if the configuration uses them; refuse what would have no effect.
plan_video() {
    kept_pictures=''
    if [[ ! -v used[video] ]]; then
        # An ablation that was asked for may leave them out.
        ! trains_pictures || [[ -n $(value_of ablation '' "${given[@]}") ]] ||
            usage_error "--video $video: no picture is used by $base here; leave it out, or see --modalities"
        return 0
    fi
    [[ $video != frozen || $variant != small ]] ||
        usage_error "--video frozen: --variant small sees small pictures, by no pretrained encoder; give another variant"
    trains_pictures || return 0
    [[ $kind != sentiment || $is_raw == yes ]] ||
        usage_error "--video $video is made of recordings; give their folder by --corpus"
    give_weights video_encoder "$clip"
    # One's own corpus plans all of its features by itself.
    [[ $kind != own ]] || return 0
    kept_pictures=colour-$(slug "$clip")
    placing+=("data.inputs.video.directory=$(yaml_text "$data/features/$kept_pictures")")
}

# make_video : stage 2 of them.
make_video() {
    [[ -n $kept_pictures ]] || return 0
    local folder=$data/features/$kept_pictures
    run_stage 2 "$kept_pictures" "$data/.done/2_$kept_pictures" --input "$data/.done/1_manifests" "${manifests[@]}" \
        --output "$folder"{/features.scp,} -- "${launch[@]}" extract video --data "$data" --pictures "$clip" \
        --rate_hz "$seen_rate_hz" --max_seconds "$heard_seconds" --out "$folder" "${lost[@]}"
    made_features+=("$data/.done/2_$kept_pictures")
}
