# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# What a model hears, in place of what its configuration says: the layers of a speech encoder that stays as it is, or one
# whose adapters are trained.
#   heard_seconds   of an utterance, from its start
audio='' layers='' speech='' heard_seconds=6 default_speech=microsoft/wavlm-large
options+=" audio layers speech"

audio_help() {
    cat <<EOF
  --audio KIND         frozen: the layers of a speech encoder, made once and kept, as a mean whose weights are learnt;
                       lora: an encoder by adapters beside its weights, which stay as they are (pip install peft);
                       finetuned: an encoder that is trained with the model, which Foal-Net has by itself
  --layers all|N,...   of frozen: all (default), or 0 (what enters the first layer), 1, ..., last, as in 6,last
EOF
    [[ $kind == own ]] || cat <<EOF
  --speech WEIGHTS     speech encoder, hub id or folder ($default_speech)
EOF
}

check_audio() {
    [[ -z $audio ]] || one_of audio frozen finetuned lora
    [[ -z $layers || $audio == frozen ]] || usage_error "--layers goes with --audio frozen"
    [[ -z $layers || $layers =~ ^(all|last|[0-9]+(,[0-9]+)*(,last)?)$ ]] ||
        usage_error "--layers $layers: expected all, or numbers and last with commas between them, such as 6,9,last"
    layers=${layers:-all}
    absolute_folder speech
}

# add_audio : its configuration, where sound is among the modalities.
add_audio() {
    [[ $audio =~ ^(frozen|lora)$ && (-z $modalities || " $modalities " == *" audio "*) ]] || return 0
    add_shared "${audio}_audio"
    add_config "${audio}_audio"
}

# plan_audio : set `kept_layers`, where the layers go, if the configuration uses them; refuse what would have no effect.
plan_audio() {
    kept_layers=''
    [[ -v used[audio] ]] || return 0
    [[ $audio != finetuned || -v used[model.audio_encoder.weights] ]] || usage_error \
        "--audio finetuned: $base --variant $variant trains no pretrained speech encoder; give frozen or lora"
    [[ ! $audio =~ ^(frozen|lora)$ || $kind != sentiment || $is_raw == yes ]] ||
        usage_error "--audio $audio is made of recordings; give their folder by --corpus"
    # One's own corpus has --max_seconds for all of its inputs.
    [[ $audio != lora || ($kind == own && -n $max_seconds) ]] ||
        placing+=("data.inputs.audio.max_seconds=$heard_seconds")
    # A miniature has an encoder of its own.
    local made_for=${made:-$(corpus_folder)}/models/wavlm
    [[ ! $audio =~ ^(frozen|lora)$ || $kind == own || $miniature == no || (-z $made && ! -d $made_for) ]] ||
        speech=${speech:-$made_for}
    if [[ $audio != frozen ]]; then
        [[ $kind != own && -n $speech ]] || return 0
        [[ -v used[model.audio_encoder.weights] ]] ||
            usage_error "--speech: no speech encoder is used by $base --variant $variant here; try --audio frozen"
        give_weights audio_encoder "$speech"
        return
    fi
    # One's own corpus plans all of its features by itself.
    [[ $kind != own && ${used[audio]} == features ]] || return 0
    speech=${speech:-$default_speech}
    kept_layers=speech-$(slug "$speech")-layers-$(slug "$layers")
    placing+=("data.inputs.audio.directory=$(yaml_text "$data/features/$kept_layers")")
    encoders+=(--speech "$speech")
}

# make_audio : stage 2 of them.
make_audio() {
    [[ -n $kept_layers ]] || return 0
    local folder=$data/features/$kept_layers
    run_stage 2 "$kept_layers" "$data/.done/2_$kept_layers" --input "$data/.done/1_manifests" "${manifests[@]}" \
        --output "$folder"{/features.scp,} -- "${launch[@]}" extract audio --data "$data" --speech "$speech" \
        --layers "$layers" --dtype float16 --max_seconds "$heard_seconds" --out "$folder" "${lost[@]}"
    made_features+=("$data/.done/2_$kept_layers")
}
