# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # set or read by run.sh and init.sh
# What is trained on. A data directory that is there says itself whose it is (corpus.json); one that is to be made is what
# its corpus is; without either, a miniature is made.

# read_facts NAME ARGUMENT... : set the associative array NAME to what `mertk recipe-facts` says.
read_facts() {
    local -n facts=$1
    local told line
    told=$("$python" -m mertk recipe-facts "${@:2}") || exit "$?"
    while IFS= read -r line; do
        [[ -z $line ]] || facts[${line%%=*}]=${line#*=}
    done <<<"$told"
}

# settle_miniature : set `miniature` to yes or no by what --corpus says; without --corpus it is a miniature.
settle_miniature() {
    miniature=yes
    [[ -z $corpus || -e $(corpus_folder)/MINIATURE.json ]] || miniature=no
}

# corpus_folder : the folder of the corpus; of a feature file the one it lies in.
corpus_folder() {
    if [[ -f $corpus ]]; then dirname "$corpus"; else printf %s "$corpus"; fi
}

# read_data CORPUS : set `miniature`, and the array `known`, by what the data directory says of itself; refuse one of
# another corpus.
read_data() {
    declare -gA known=()
    read_facts known --data "$data"
    [[ -v known[miniature] ]] || return 0
    if [[ ! -v known[corpus] ]]; then
        # Its corpus.json was lost, or never was: what it is made of tells.
        if [[ -n $corpus ]]; then
            known[miniature]=$miniature
        elif [[ -e $data/corpus/MINIATURE.json ]]; then
            known[miniature]=yes
        fi
    fi
    local name=${known[corpus]-$1}
    if [[ $name != "$1" ]]; then
        [[ ! -d $root/recipes/$name ]] || usage_error \
            "--data $data is of $name, this recipe is for $1; give another --data, or take one of recipes/$name"
        printf 'note: %s is of %s; the settings of this recipe were chosen for %s\n' "${data#"$PWD"/}" "$name" "$1" >&2
    fi
    [[ -z $corpus || ${known[miniature]} == "$miniature" ]] || usage_error \
        "--data $data is $(in_words "${known[miniature]}"), --corpus $corpus is $(in_words "$miniature"); give another --data"
    miniature=${known[miniature]}
}

# in_words yes|no : whether something is a miniature.
in_words() {
    if [[ $1 == yes ]]; then printf 'a miniature'; else printf 'no miniature'; fi
}

# settle_corpus [DEFAULT] : set `corpus`, where it was not given, to what the data directory was made of; a miniature is
# made in the data directory, as DEFAULT, and `made` is then its folder.
settle_corpus() {
    local default=${1-}
    made=
    [[ -z $corpus ]] || return 0
    corpus=${known[source]-}
    if [[ $miniature == yes && (-e $default || ! -e $corpus) ]]; then
        corpus=$default
        made=$data/corpus
    elif [[ ! -e $corpus ]] && ((stage <= 1)); then
        corpus=${corpus:-what it was made of}
        fail "--data $data: $corpus is not there; give --corpus, or --stage 2 or higher to go on with what was made"
    fi
}

# settle_labels DEFAULT : set `labels` to those that the data directory has; refuse others.
settle_labels() {
    [[ -z $labels || ${known[labels]-$labels} == "$labels" ]] ||
        usage_error "--data $data has the labels of --labels ${known[labels]}, not $labels; give another --data"
    labels=${labels:-${known[labels]-$1}}
}

# give_weights ENCODER WEIGHTS : weights for an encoder that is trained with the model, where there is one; settings of the
# command line lie over it.
give_weights() {
    [[ ! -v used[model.$1.weights] ]] || settings=("model.$1.weights=$(yaml_text "$2")" "${settings[@]}")
}

# experiment_name : what tells experiments of one recipe apart: variant, modalities, --audio, --video, ablation, --config,
# settings.
experiment_name() {
    local name=$variant file words=()
    [[ -z $modalities ]] || name+=_${modalities// /_}
    [[ ! $audio =~ ^(frozen|lora)$ ]] || name+=_${audio}_audio
    ! trains_pictures || name+=_${video}_video
    [[ $layers == all ]] || name+=_layers_$layers
    [[ $ablation == full ]] || name+=_$ablation
    for file in "${config[@]}"; do
        file=${file##*/}
        words+=("${file%.*}")
    done
    words+=("${settings[@]}")
    printf %s "$name${words[*]:+_$(slug "${words[@]}")}"
}
