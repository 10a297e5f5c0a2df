# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# IEMOCAP: sessions of recorded dialogues, four classes; features of the speakers' faces.
cv=session cvs="session speaker" protocols="clean clean-refit published" seeds=1234
clip='' sessions='' ignore_malformed_lines=no features='' is_raw=no
options+=" clip sessions" flags+=" ignore_malformed_lines"
# shellcheck source=recipes/common/corpora/pictures.sh
source "$common/corpora/pictures.sh"

corpus_help() {
    cat <<EOF
Without --corpus, a miniature corpus is written and used; its figures only show that everything works. A data
directory that is there already (--data) says itself what it is made of. What a run does not need is not asked for:
--ablation audio takes a corpus without videos, and no CLIP.

  --corpus DIR         IEMOCAP_full_release, the folder with Session1 to Session5
  --sessions "1 2 3"   sessions of the corpus to use (all five); a fold is tested on each
  --ignore_malformed_lines
                       warn of annotation lines that make no sense, and go on
  --cv KIND            folds by session (default) or by speaker
  --folds "1 2"        folds to train (all: 5 by session, 10 by speaker)
  --protocol NAME      clean: epoch chosen on another session than the test one (default);
                       clean-refit: as many steps as clean chose, on all sessions but the test one;
                       published: epoch chosen on the test session, as the released code does
  --seeds "1 2 3"      every fold is trained with each of them (1234)
  --clip WEIGHTS       CLIP model for the video features, hub id or folder (openai/clip-vit-large-patch14)
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
    absolute_folder clip
}

# settle_data : set `data`, `corpus` and `miniature`, and `suffix`, what experiments are called beside the method.
settle_data() {
    settle_miniature
    data=${data:-$home/data/iemocap$([[ $miniature == no ]] || echo _miniature)}
    read_data iemocap
    suffix=$([[ $miniature == no ]] || echo _miniature)
    settle_corpus "$data/corpus"
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    plan_weights
    writing=(mertk.data_prep.synthetic.iemocap) examined=(--corpus "$corpus" --corpus_name iemocap) preparing=()
    sources=("$corpus"/Session{1,2,3,4,5}/{dialog/{EmoEvaluation,transcriptions},sentences/wav})
    [[ -z $sessions ]] || preparing+=(--sessions "$sessions")
    [[ $ignore_malformed_lines == no ]] || preparing+=(--ignore_malformed_lines)
    plan_pictures
    # What the run does not need is not asked for; but manifests that have their videos keep them.
    if [[ ${used[video]-} == features ]] || { [[ -e $data/video.scp ]] && has_videos; }; then
        sources+=("$corpus"/Session{1,2,3,4,5}/dialog/avi/DivX)
    else
        preparing+=(--no_video)
    fi
    [[ -z $sessions ]] || encoders+=(--sessions "$sessions")
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
}
