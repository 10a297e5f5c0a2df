# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# A corpus of one's own: a table of files and labels, or a data directory. Task, classes, modalities and folds are those of
# the data; what is chosen by them is told (own_method.sh).
cv=auto cvs="auto official speaker session dialogue video recording utterance" protocols="clean clean-refit published"
seeds=1234 features='' is_raw=no heard_seconds=10
csv='' door='' prepare='' crop='' clip='' bert='' max_tokens='' max_seconds=''
options+=" csv door prepare method modalities crop clip bert max_tokens max_seconds"
# shellcheck source=recipes/common/corpora/own_method.sh
source "$common/corpora/own_method.sh"
find_method "$(value_of method "$base" "$@")"

corpus_help() {
    cat <<EOF
Methods: $(list_methods).
Variants of $base: $variants.
Of the data it is chosen, and told: the task, its classes, the modalities, the folds.

  --csv FILE           table with columns file and label, and perhaps id, speaker, session, start, end, text, part
                       (docs/own_corpus.md)
  --door NAME --corpus PATH
                       in place of --csv, what mertk prepare NAME reads: kaldi, emobox, audformat
  --data DIR           without either: a data directory that was prepared; with one of them: where it goes
                       (data/own/NAME, named as the table)
  --prepare "WORD ..." options of mertk prepare: "folds=10 task=regression keep_together=session modalities=audio"
  --modalities "WORDS" some of audio video text (all that both method and corpus have)
  --cv KIND            folds to use, of those in the data (auto: the first)
  --folds "1 2"        folds to train (all)
  --protocol NAME      clean: epoch chosen on other speakers than the test ones (default); clean-refit: as many steps as
                       clean chose, on all but the test part; published: epoch chosen on the test part, which flatters
  --seeds "1 2 3"      every fold is trained with each of them (1234)
  --speech WEIGHTS     speech encoder, of --audio frozen, the variant frozen and those that train one, hub id or folder;
                       of frozen ones $default_speech
  --clip WEIGHTS       encoder of pictures or clips (docs/encoders.md), of all variants but small
                       ($default_clip)
  --bert WEIGHTS       text encoder, where text is used, frozen a language model too
                       ($default_bert)
  --crop face          cut the largest, most central face out of each frame, for clips that show more than a face
  --max_tokens N       most tokens of a text (50)
  --max_seconds S      of an utterance what is heard and seen, from its start (10)
EOF
}

check_corpus_options() {
    local path word
    [[ -z $csv || -z $corpus ]] || usage_error "--csv and --corpus: give one of them"
    [[ -z $csv || ${door:-csv} == csv ]] || usage_error "--door $door: give the path by --corpus, not by --csv"
    [[ -z $door || -n $csv$corpus ]] || usage_error "--door $door needs --corpus PATH"
    [[ -z $csv || -f $csv ]] || usage_error "--csv $csv: no such file"
    [[ -z $corpus || -n $door ]] || usage_error "--corpus $corpus: say by --door what it is, or give a table by --csv"
    door=${door:-csv} corpus=$csv$corpus
    [[ -n $corpus$data ]] || usage_error "--csv FILE is needed, or --data DIR that was prepared before"
    [[ -e $corpus || -z $corpus ]] || usage_error "--corpus $corpus: no such file or folder"
    [[ -n $corpus || -z $prepare ]] || usage_error "--prepare is for the making of the data: it needs --csv"
    for word in $prepare; do
        [[ $word == [a-z]*=* ]] || usage_error "--prepare '$word': expected key=value, such as folds=10"
    done
    [[ -z $crop ]] || one_of crop face
    [[ -z $max_tokens ]] || one_number_from max_tokens 3
    [[ -z $max_seconds ]] || one_number_from max_seconds 1 3600
    for path in speech clip bert; do absolute_folder "$path"; done
}

# settle_data : make the data directory where a table is given, which decides all that follows; set `data`, what it holds as
# `known`, and what is chosen by it.
settle_data() {
    local of
    miniature=no suffix='' made=''
    of=$(basename "$corpus")
    data=${data:-$home/data/own/$(slug "${of%.*}")}
    manifests=("$data"/{corpus.json,utt2label,folds})
    [[ -z $corpus ]] || prepare_data
    declare -gA known=()
    read_facts known --data "$data" --content
    [[ -v known[modalities] && -v known[task] && -v known[cvs] ]] || usage_error \
        "--data $data: no data directory with labels, recordings or text, and folds; give --csv FILE, from --stage 0 or 1"
    method=$(slug "$(basename "$data")")/$base
    fitting=task/${known[task]}
    choose_modalities
    choose_folds
}

# prepare_data : stage 1, before stage 0: what is there decides what is needed.
prepare_data() {
    local words=() word code=0
    declare -gA known=()
    read_facts known --data "$data"
    [[ ! -e ${known[source]-} || ${known[source]} -ef $corpus ]] ||
        usage_error "--data $data was made of ${known[source]}, not of $corpus; give another --data"
    for word in $prepare; do words+=("--${word%%=*}" "${word#*=}"); done
    [[ -z $max_lost ]] || words+=(--max_lost "$max_lost")
    run_stage 1 manifests "$data/.done/1_manifests" --input "$corpus" --output "$data/utt2label" "$data/folds" \
        --folder "$data" -- prepare "$door" "$corpus" --out "$data" "${words[@]}" || code=$?
    ((code != 1)) ||
        printf '%s: options of mertk prepare are given here by --prepare, as in --prepare "folds=3 classes=A,B"\n' "${0##*/}" >&2
    ((code == 0)) || exit "$code"
}

choose_folds() {
    local one
    [[ $cv != auto ]] || cv=${known[cvs]%% *}
    # shellcheck disable=SC2086  # words
    one_of cv ${known[cvs]}
    folds=${folds:-$(seq -s ' ' "${known[folds.$cv]}")}
    numbers_from folds 1 "${known[folds.$cv]}"
    for one in $protocol; do
        [[ " ${known[protocols.$cv]} " == *" $one "* ]] || usage_error \
            "--protocol $one: there are no folds of it by $cv in $data (too few groups?); there are ${known[protocols.$cv]}"
    done
}

# plan_data : what is made for what the configuration uses; what was chosen is told.
plan_data() {
    local one
    for one in audio video text; do
        [[ ! -v used[$one] || " ${known[modalities]} " == *" $one "* ]] || usage_error \
            "--ablation $ablation: $base takes $one here, and $data has ${known[modalities]}; give --modalities or another --method"
    done
    check_encoders
    [[ -z $speech ]] || give_weights audio_encoder "$speech"
    examined=() names=() speech=${speech:-$default_speech} clip=${clip:-$default_clip} bert=${bert:-$default_bert}
    # One recording that cannot be used must not stop a corpus of sixty.
    [[ -n $max_lost ]] || lost=(--max_lost 0.05)
    declare -gA making=()
    case ${used[audio]-}:$variant:$audio in
        features:*:frozen)
            plan_features audio "speech-$(slug "$speech")-layers-$(slug "$layers")" \
                --speech "$speech" --layers "$layers" --dtype float16
            encoders+=(--speech "$speech")
            ;;
        features:frozen:*)
            plan_features audio "speech-$(slug "$speech")" --speech "$speech"
            encoders+=(--speech "$speech")
            ;;
        features:*) plan_features audio audio --average 3 ;;
    esac
    # What the doctor and the extraction are told of faces.
    local faces=() of=${crop:+-$crop}
    [[ -z $crop ]] || faces=(--crop "$crop") encoders+=(--crop "$crop")
    case ${used[video]-}:$variant:$video in
        features:*:lora | features:*:finetuned)
            plan_features video "colour-$(slug "$clip")$of" --pictures "$clip" --rate_hz "$seen_rate_hz" "${faces[@]}"
            encoders+=(--clip "$clip")
            ;;
        features:small:*) plan_features video "pictures$of" --side 48 --rate_hz 10 "${faces[@]}" ;;
        features:*)
            plan_features video "clip-$(slug "$clip")$of" --clip "$clip" --rate_hz 10 "${faces[@]}"
            encoders+=(--clip "$clip")
            ;;
    esac
    [[ ! ${used[text]-} =~ ^(features|tokens)$ ]] || plan_text
    if [[ -n $max_seconds ]]; then
        for one in audio video; do
            [[ ! -v used[$one] ]] || placing+=("data.inputs.$one.max_seconds=$max_seconds")
        done
    fi
    fit_labels
    tell_choice
}

# plan_features MODALITY NAME ARGUMENT... : stage 2 of one modality, in features/NAME.
plan_features() {
    local name=$2
    [[ -z $max_seconds ]] || name+=-${max_seconds}s
    names+=("$name")
    made_features+=("$data/.done/2_$name")
    placing+=("data.inputs.$1.directory=$(yaml_text "$data/features/$name")")
    making[$name]=$(printf '%s\n' extract "$1" "${@:3}" --max_seconds "${max_seconds:-10}")
}

plan_text() {
    local tokens words=()
    encoders+=(--bert "$bert")
    tokens=tokens-$(slug "$bert")
    [[ -z $max_tokens ]] || tokens+=-$max_tokens words=(--max_tokens "$max_tokens")
    names+=("$tokens")
    made_features+=("$data/.done/2_$tokens")
    give_weights text_encoder "$bert"
    if [[ ${used[text]} == features ]]; then
        words+=(--embeddings "$data/features/${tokens/tokens/text}")
        placing+=("data.inputs.text.directory=$(yaml_text "$data/features/${tokens/tokens/text}")")
    else
        placing+=("data.inputs.text.directory=$(yaml_text "$data/features/$tokens")")
    fi
    making[$tokens]=$(printf '%s\n' extract text --bert "$bert" "${words[@]}")
}

make_data() {
    local name words
    for name in "${names[@]}"; do
        mapfile -t words <<<"${making[$name]}"
        run_stage 2 "$name" "$data/.done/2_$name" --input "$data/.done/1_manifests" "${manifests[@]}" \
            --output "$data/features/$name"{/features.scp,} \
            -- "${launch[@]}" "${words[@]}" --data "$data" --out "$data/features/$name" "${lost[@]}"
    done
}
