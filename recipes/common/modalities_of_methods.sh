# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# Which modalities a method of a recipe of several takes, where they are chosen by --modalities: audio and video, as
# Foal-Net, or all of a method that cannot do with these. Sound is the layers of a frozen encoder. As with Foal-Net,
# `modalities` is empty for audio and video, and others stand in the name of the experiment.
options+=" modalities"
modalities="audio video" audio=frozen
[[ -f $common/conf/$base/ablation/audio_video.yaml ]] || modalities="audio video text"
#: ablations that leave modalities out are chosen by --modalities
not_offered='^(audio|video|text)(_(audio|video|text))*$'

# check_modalities : put --modalities in order, and add the method's file of them to `fitting`.
check_modalities() {
    local word chosen=()
    some_of modalities audio video text
    for word in audio video text; do
        [[ " $modalities " != *" $word "* ]] || chosen+=("$word")
    done
    modalities=${chosen[*]}
    [[ $modalities == *audio* ]] || audio=''
    if [[ $modalities != "audio video text" ]]; then
        [[ -f $shared/$base/ablation/${modalities// /_}.yaml ]] ||
            usage_error "--modalities \"$modalities\": $base cannot do without text"
        fitting+=" ablation/${modalities// /_}"
    fi
    [[ $modalities != "audio video" ]] || modalities=''
}
