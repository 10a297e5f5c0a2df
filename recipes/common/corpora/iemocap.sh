# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# IEMOCAP: sessions of recorded dialogues, four classes or six; features of the speakers' faces, tokens of what they say.
if [[ -n ${methods-} ]]; then
    # Published for intensities: labels are classes here.
    fitting=task/classification
    # shellcheck source=recipes/common/modalities_of_methods.sh
    source "$common/modalities_of_methods.sh"
else
    # shellcheck source=recipes/common/modalities.sh
    source "$common/modalities.sh"
fi
cv=session cvs="session speaker" protocols="clean clean-refit published" seeds=1234
clip='' bert='' sessions='' classes='' ignore_malformed_lines=no features='' is_raw=no
options+=" clip bert sessions classes" flags+=" ignore_malformed_lines"
#: what --classes may be, and the label map of each (mertk/data_prep/label_maps)
declare -A label_maps=([four]=four_excited_as_happy [six]=six [four_without_excited]=four)
# shellcheck source=recipes/common/corpora/pictures.sh
source "$common/corpora/pictures.sh"

corpus_help() {
    cat <<EOF
$(without_corpus) What a run does not need is not asked for:
--ablation audio takes a corpus without videos, and no CLIP. Each choice of classes has data and experiments of its own.

  --corpus DIR         IEMOCAP_full_release, the folder with Session1 to Session5
  --sessions "1 2 3"   sessions of the corpus to use (all five); a fold is tested on each
  --classes NAME       four (default): neutral, angry, sad, and happy with excited; four_without_excited; six: neutral,
                       happy, angry, sad, excited, frustrated
  --ignore_malformed_lines
                       warn of annotation lines that make no sense, and go on
  --cv KIND            folds by session (default) or by speaker
  --folds "1 2"        folds to train (all: 5 by session, 10 by speaker)
  --protocol NAME      clean: epoch chosen on another session than the test one (default);
                       clean-refit: as many steps as clean chose, on all sessions but the test one;
                       published: epoch chosen on the test session, as the released code does
  --seeds "1 2 3"      every fold is trained with each of them (1234)
  --clip WEIGHTS       CLIP model for the video features, hub id or folder (openai/clip-vit-large-patch14)
  --bert WEIGHTS       text encoder, hub id or folder (google-bert/bert-base-uncased)
EOF
}

check_corpus_options() {
    local num_folds=5
    if [[ -n $sessions ]]; then
        numbers_from sessions 1 5
        num_folds=$(wc -w <<<"$sessions")
    fi
    [[ $cv == session ]] || num_folds=$((2 * num_folds))
    folds=${folds:-$(seq -s ' ' "$num_folds")}
    numbers_from folds 1 "$num_folds"
    [[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
    [[ -z $classes ]] || one_of classes four six four_without_excited
    for path in clip bert; do absolute_folder "$path"; done
}

# settle_data : set `data`, `corpus`, `miniature` and `classes`, and `suffix`, what data and experiments are called beside
# their corpus and method.
settle_data() {
    settle_miniature
    set_suffix
    data=${data:-$home/data/iemocap$suffix}
    read_data iemocap
    [[ ! -v known[label_map] ]] || settle_classes
    set_suffix
    settle_corpus "$data/corpus"
}

set_suffix() {
    suffix=$([[ ${classes:-four} == four ]] || printf _%s "$classes")
    [[ $miniature == no ]] || suffix+=_miniature
}

# settle_classes : which classes a data directory has that is there already, by the name of its label map where that is none
# of ours; refuse others.
settle_classes() {
    local found=${known[label_map]} word
    for word in "${!label_maps[@]}"; do
        [[ ${label_maps[$word]} != "${known[label_map]}" ]] || found=$word
    done
    [[ -z $classes || $classes == "$found" ]] || usage_error \
        "--data $data has the classes of --classes $found, not $classes; give another --data, or leave --classes out"
    classes=$found
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    plan_weights
    writing=(mertk.data_prep.synthetic.iemocap) examined=(--corpus "$corpus" --corpus_name iemocap) preparing=()
    sources=("$corpus"/Session{1,2,3,4,5}/{dialog/{EmoEvaluation,transcriptions},sentences/wav})
    [[ -z $sessions ]] || preparing+=(--sessions "$sessions")
    [[ $ignore_malformed_lines == no ]] || preparing+=(--ignore_malformed_lines)
    [[ ${classes:-four} == four ]] || preparing+=(--label_map "${label_maps[$classes]-$classes}")
    plan_pictures
    # What the run does not need is not asked for; but manifests that have their videos keep them.
    if [[ ${used[video]-} == features ]] || { [[ -e $data/video.scp ]] && has_videos; }; then
        sources+=("$corpus"/Session{1,2,3,4,5}/dialog/avi/DivX)
    else
        preparing+=(--no_video)
    fi
    [[ -z $sessions ]] || encoders+=(--sessions "$sessions")
    plan_text
}

# plan_text : how the tokens of what is said are made (`wording`), and where that is noted (`said`), where text is used; they
# are those of the encoder that reads them.
plan_text() {
    said=''
    [[ $miniature == no ]] || bert=${bert:-$corpus/models/bert}
    bert=${bert:-${used[model.text_encoder.weights]-google-bert/bert-base-uncased}}
    give_weights text_encoder "$bert"
    [[ ${used[text]-} =~ ^(features|tokens)$ ]] || return 0
    # No turn has many more words than fit into that.
    said=$data/.done/2_text wording=(--bert "$bert" --max_tokens 128) encoders+=(--bert "$bert")
    [[ ${used[text]} != features ]] || wording+=(--embeddings "$data/features/text")
}

has_videos() {
    local session
    for session in "$corpus"/Session[1-5]; do [[ -d $session/dialog/avi/DivX ]] || return 1; done
}

make_data() {
    run_stage 1 manifests "$data/.done/1_manifests" \
        --input "${sources[@]}" --output "$data/wav.scp" "$data/folds" --folder "$data" \
        -- prepare iemocap --corpus "$corpus" --out "$data" "${lost[@]}" "${preparing[@]}"
    make_pictures
    [[ -n $said ]] || return 0
    run_stage 2 text "$said" \
        --input "$data/.done/1_manifests" --output "$data"/features/tokens{/features.scp,} \
        -- extract text --data "$data" "${wording[@]}" --out "$data/features/tokens" "${lost[@]}"
    made_features+=("$said")
}
