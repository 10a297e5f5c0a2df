# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# MELD: text, audio and video of dialogues, emotions or sentiments, one official split; features are made of its clips.
cv=official cvs=official protocols="clean clean-refit" seeds=1111 folds=1
features='' is_raw=yes labels='' max_seconds=''
options+=" labels max_seconds"
published_bert=google-bert/bert-base-uncased
# shellcheck source=recipes/common/corpora/recordings.sh
source "$common/corpora/recordings.sh"

corpus_help() {
    cat <<EOF
$(without_corpus) What a run does not need is not asked for:
--ablation text takes the three tables alone, and no CLIP.

  --corpus DIR         the tables, train_sent_emo.csv and so on, and the clips, diaD_uttU.mp4, in any folders below DIR
  --labels KIND        emotion (default): seven; sentiment: three
  --max_seconds N      leave out clips that last longer (features are of the first 30 seconds)
  --protocol NAME      clean: epoch chosen on the validation part (default); clean-refit: as many steps as clean
                       chose, on training and validation part together
  --seeds "1111 1112"  a run with each of them (1111)
  --bert WEIGHTS       text encoder, hub id or folder ($published_bert)
  --clip WEIGHTS       CLIP model for the video features (openai/clip-vit-large-patch14)
  --max_tokens N       most tokens of a text (100)
  --folds 1, --cv official
                       the corpus has one official split; here for the sake of scripts that name them
EOF
}

check_corpus_options() {
    [[ -z $labels ]] || one_of labels emotion sentiment
    [[ -z $max_seconds ]] || one_number_from max_seconds 1
    numbers_from folds 1 1
    [[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
    check_recording_options
    max_tokens=${max_tokens:-100}
}

# settle_data : set `data`, `corpus`, `labels` and `miniature`, and `suffix`, what data and experiments are called beside
# their corpus and method.
settle_data() {
    settle_miniature
    set_suffix
    data=${data:-$home/data/meld$suffix}
    read_data meld
    settle_labels emotion
    set_suffix
    settle_corpus "$data/corpus"
}

set_suffix() {
    suffix=$([[ $labels != sentiment ]] || echo _sentiment)
    [[ $miniature == no ]] || suffix+=_miniature
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    settle_encoders
    [[ $miniature == no ]] || give_weights audio_encoder "$models/wavlm"
    writing=(mertk.data_prep.synthetic.meld) examined=(--corpus "$corpus" --corpus_name meld) preparing=()
    [[ $labels == emotion ]] || preparing=(--labels "$labels")
    [[ -z $max_seconds ]] || preparing+=(--max_seconds "$max_seconds")
    # What the run does not need is not asked for; but manifests that have their recordings keep them.
    [[ -v used[audio] || -v used[video] || -e $data/wav.scp ]] || preparing+=(--text_only)
    plan_recordings
}

make_data() {
    run_stage 1 manifests "$data/.done/1_manifests" \
        --input "$corpus" --output "$data/text" "$data/folds" --folder "$data" \
        -- prepare meld --corpus "$corpus" --out "$data" "${lost[@]}" "${preparing[@]}"
    make_recordings_features
}
