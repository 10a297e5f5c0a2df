# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# Which method a corpus of one's own is given to, with which of its modalities, and what is told of that.
default_speech=microsoft/wavlm-base-plus default_clip=openai/clip-vit-base-patch32
default_bert=google-bert/bert-base-multilingual-cased
#: ablations that are some of the modalities alone
of_modalities='^(audio|video|text)(_(audio|video|text))*$'
#: what --audio and --video lay over a method
of_encoders='^(frozen_audio|lora_audio|lora_video|finetuned_video)$'
methods_folder=$recipe/conf
[[ -f $methods_folder/foal.yaml ]] || methods_folder=$common/conf

# list_methods : the methods that there are: configurations with a model, but for what lies over those of any.
list_methods() {
    local file found=()
    for file in "$methods_folder"/*.yaml; do
        [[ $(basename "$file" .yaml) =~ $of_encoders ]] || ! grep -q '^model:' "$file" || found+=("$(basename "$file" .yaml)")
    done
    printf %s "${found[*]}"
}

# find_method NAME|YAML : set `base`, `shared` and the variants.
find_method() {
    local file word
    shared=$methods_folder base=$1
    if [[ $1 == *.yaml || $1 == */* ]]; then
        [[ -f $1 ]] || usage_error "--method $1: no such file"
        shared=$(cd "$(dirname "$1")" && pwd) base=$(basename "$1" .yaml)
    elif [[ ! -f $shared/$1.yaml || " $(list_methods) " != *" $1 "* ]]; then
        usage_error "--method $1: expected one of $(list_methods), or a YAML file"
    fi
    variants=
    for word in small frozen; do ! has_variant "$word" || variants+="$word "; done
    ! grep -q 'variant: paper' "$shared/$base.yaml" || variants+="paper "
    for file in "$shared/$base"/*.yaml; do
        word=$(basename "$file" .yaml)
        [[ ! -f $file || $word =~ $of_encoders || " $variants miniature own space " == *" $word "* ]] || variants+="$word "
    done
    method=NAME/$base variants=${variants% } variants=${variants:-plain} variant=${variants%% *}
}

has_variant() {
    [[ -f $shared/$base/$1.yaml || -f $recipe/conf/$base/$1.yaml ]]
}

check_modalities() {
    [[ -z $modalities ]] || some_of modalities audio video text
    [[ -z $modalities || ! $ablation =~ $of_modalities ]] ||
        usage_error "--ablation $ablation says which modalities there are, as --modalities does; give one of them"
}

# modality_sets FOLDER METHOD : what a method can be given, a line for each: `full`, an ablation or a file of modalities/, and
# the modalities.
modality_sets() {
    local folder file word one folders=("$1/$2")
    # In a copy (mertk new) they are the same.
    [[ $1 == "$recipe/conf" ]] || folders+=("$recipe/conf/$2")
    declare -A takes=()
    read_facts takes --config "$1/$2.yaml"
    printf full
    for one in audio video text; do [[ ! -v takes[$one] ]] || printf ' %s' "$one"; done
    printf '\n'
    for folder in "${folders[@]}"; do
        for file in "$folder"/{ablation,modalities}/*.yaml; do
            word=$(basename "$file" .yaml)
            [[ -f $file && $word =~ $of_modalities ]] || continue
            [[ $file == */ablation/* ]] || printf modalities/
            printf '%s %s\n' "$word" "${word//_/ }"
        done
    done
}

# best_set MODALITIES EXACT < SETS : of the sets within these modalities the largest; with EXACT yes, that of just these.
best_set() {
    local name takes one best='' most=0 words fits
    while read -r name takes; do
        read -r -a words <<<"$takes"
        fits=yes
        for one in "${words[@]}"; do [[ " $1 " == *" $one "* ]] || fits=no; done
        [[ $2 == no || ${#words[@]} == $(wc -w <<<"$1") ]] || fits=no
        [[ $fits == no ]] || ((${#words[@]} <= most)) || best=$name most=${#words[@]}
    done
    printf %s "$best"
}

# choose_modalities : set `modalities` or `ablation` to what method and corpus both have, and add to `fitting`.
choose_modalities() {
    local wanted=${modalities:-${known[modalities]}} exact=no sets name takes=''
    # Of several each is chosen for by itself.
    [[ $ablation != *' '* ]] || return 0
    if [[ -n $modalities ]]; then
        exact=yes
        for name in $modalities; do
            [[ " ${known[modalities]} " == *" $name "* ]] ||
                usage_error "--modalities $modalities: $data has ${known[modalities]}"
        done
    elif [[ $variant == small && -z $bert && $wanted != text ]]; then
        # Nothing is downloaded for it.
        wanted=${wanted% text}
    fi
    modalities=
    if [[ $ablation =~ $of_modalities ]]; then
        takes=$ablation
    else
        sets=$(modality_sets "$shared" "$base")
        # What an ablation leaves out lies between modalities.
        [[ $ablation == full ]] || sets=$(grep -E '^(full|modalities/[a-z]*_)' <<<"$sets")
        name=$(best_set "$wanted" "$exact" <<<"$sets")
        takes=$(sed -n "s|^$name ||p" <<<"$sets")
        case $name in
            '') refuse_modalities ;;
            modalities/*) modalities=$takes ;;
            full) ;;
            *) ablation=$name ;;
        esac
    fi
    [[ ! ($variant =~ ^(small|frozen)$ && $takes == *text*) ]] || fitting+=" text/states"
}

# refuse_modalities : the usage error that says what the method takes, and which methods take what is wanted.
refuse_modalities() {
    local takes='' name words able=()
    while read -r name words; do takes+="${takes:+, or }$words"; done <<<"$sets"
    for name in $(list_methods); do
        [[ -z $(modality_sets "$methods_folder" "$name" | best_set "$wanted" "$exact") ]] || able+=("$name")
    done
    usage_error "--method $base cannot take $wanted; it takes $takes; methods that can: ${able[*]:-none}"
}

# fit_labels : settings that the scale of intensities asks for.
fit_labels() {
    [[ ${known[task]} == regression && -v known[reach] ]] || return 0
    case $base in
        tam_ulag | tfn) settings=("model.label_limit=${known[reach]}" "${settings[@]}") ;;
        foal)
            # Intensities of one side have one sign: whole numbers tell them apart.
            [[ ${known[least]} == -* && ${known[largest]} != -* ]] || settings=(model.groups=rounded "${settings[@]}")
            ;;
    esac
}

# check_encoders : refuse encoders that nothing would be made with.
check_encoders() {
    [[ -z $speech || ${used[audio]-}:$variant:$audio =~ ^features:(frozen:|.*:frozen$) || -v used[model.audio_encoder.weights] ]] ||
        usage_error "--speech: no speech encoder is used by --method $base --variant $variant here; try --variant frozen"
    [[ -z $clip || (${used[video]-} == features && $variant != small) ]] || trains_pictures ||
        usage_error "--clip: no encoder of pictures is used by --method $base --variant $variant here; try --variant frozen"
    [[ -z $crop || ${used[video]-} == features ]] || usage_error "--crop: no picture is used here; see --modalities"
    [[ -z $bert || ${used[text]-} =~ ^(features|tokens)$ ]] ||
        usage_error "--bert: no text is used by --method $base here; see --modalities"
}

# tell_choice : what was chosen, and how to choose otherwise.
tell_choice() {
    local one inputs='' left='' labels=${known[classes]-"${known[least]-?} to ${known[largest]-?}"}
    for one in ${known[modalities]}; do
        if [[ -v used[$one] ]]; then inputs+=" $one"; else left+=" $one"; fi
    done
    [[ -z $left ]] || left=", but not$left"
    [[ $left != *text || $variant != small ]] || left+=' (--variant frozen takes it)'
    {
        printf 'chosen by what %s holds, and how to choose otherwise:\n' "$data"
        tell task "${known[task]}: $labels" '--prepare task=NAME, with --csv'
        tell method "$base, of $(list_methods)" '--method NAME'
        tell variant "$variant$(about_variant), of $variants" '--variant NAME'
        tell inputs "${inputs# }$left" '--modalities "WORDS"'
        ((${#names[@]} == 0)) || tell features "${names[*]}, of the first ${max_seconds:-10} s" '--max_seconds S'
        tell folds "$(wc -w <<<"$folds") by $cv, protocol $protocol" '--prepare folds=K, --cv, --protocol'
    } | "$python" -c 'import sys; from mertk.screen import say; say(sys.stdin.read().rstrip("\n"), indent=9)'
}

about_variant() {
    case $variant in
        small) printf ' (trained from nothing%s)' "$([[ ! -v used[text] ]] || printf ', but text, on states of %s' "$bert")" ;;
        frozen) printf ' (on features of pretrained encoders, which stay as they are)' ;;
    esac
}

tell() {
    printf '  %-9s%s  [%s]\n' "$@"
}
