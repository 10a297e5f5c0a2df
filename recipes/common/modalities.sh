# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# Which modalities Foal-Net takes, where a corpus has text as well. `modalities` is empty for audio and video, the method as
# published; for others it names a file of the method's modalities/, and stands in the name of the experiment.
options+=" modalities"

# check_modalities : put --modalities in order, and keep the ablations that go with it; audio or video alone is one.
check_modalities() {
    local word chosen=() kept=()
    some_of modalities audio video text
    for word in audio video text; do
        [[ " $modalities " != *" $word "* ]] || chosen+=("$word")
    done
    modalities=${chosen[*]}
    [[ $variant != small || $modalities != *text* ]] ||
        usage_error "--variant small takes no text: nothing is downloaded for it, and there is no small encoder of text"
    # One modality has nothing to be aligned or matched with.
    for word in "${ablations[@]}"; do
        [[ $word != full && ${#chosen[@]} == 1 || $word == audio || $word == video ]] || kept+=("$word")
    done
    for word in ${ablation//,/ }; do
        [[ $word == all || " ${kept[*]} " == *" $word "* ]] ||
            usage_error "--ablation $word does not go with --modalities \"$modalities\": expected one of ${kept[*]}"
    done
    ablations=("${kept[@]}")
    case $modalities in
        "audio video") modalities='' ;;
        audio | video) ablation=$modalities ablations=("$modalities") modalities='' ;;
    esac
}
