# shellcheck shell=bash
# shellcheck disable=SC2154  # sourced by recipe.sh, when several ablations or protocols were asked for
# This recipe again for each of them, then one table of all: in the folder of the experiment or, of several, that above.
above=${exp:-$experiments} folders=() waiting=no
read -r -a asked <<<"$ablation"
for ablation in "${asked[@]}"; do
    folder=${exp:-$experiments/$(experiment_name)} own=()
    ((${#asked[@]} == 1)) || folder=$above/$(experiment_name) own=(--ablation "$ablation")
    folders+=("$folder")
    for one in $protocol; do
        ((stage <= 4)) || continue
        code=0
        run_program bash "$0" "${given[@]}" "${own[@]}" --protocol "$one" --exp "$folder" \
            --stop_stage "$((stop_stage < 4 ? stop_stage : 4))" || code=$?
        # With --detach: submitted; the others are too.
        if [[ $code == 75 && $detach == yes && -z $heard ]]; then waiting=yes; elif ((code)); then exit "$code"; fi
    done
done
[[ $waiting == no ]] || exit 75
((${#asked[@]} > 1)) || above=${folders[0]}
[[ ${machine_rank:-0} != 0 ]] || summarize "$above" "${folders[@]}"
