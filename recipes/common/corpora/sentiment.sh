# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# CMU-MOSI, CMU-MOSEI, CH-SIMS and its v2: text, audio and video of opinions, one official split; of a feature file or of
# recordings.
cv=official cvs=official protocols="clean clean-refit" seeds=1111 folds=1
features='' bad_length='' max_contradicting='' labels=''
options+=" features bad_length max_contradicting labels"
published_bert=google-bert/bert-base-uncased
[[ $corpus_name != sims* ]] || published_bert=google-bert/bert-base-chinese
# shellcheck source=recipes/common/corpora/recordings.sh
source "$common/corpora/recordings.sh"

corpus_help() {
    local file=unaligned_50
    [[ $corpus_name != sims ]] || file=unaligned_39
    [[ $corpus_name != sims2 ]] || file=unaligned
    cat <<EOF
$(without_corpus "feature file") What a run does not need is not asked for:
--ablation text takes recordings' label.csv alone, and no CLIP.

  --corpus FILE        feature file as the field shares it (${corpus_name^^}/$file.pkl, say)
  --corpus DIR         recordings: label.csv and Raw/VIDEO/CLIP.mp4; features are made here
  --features KIND      unaligned (default) or aligned: which file --corpus is; they have settings of their own
  --protocol NAME      clean: epoch chosen on the validation part, as the published code does (default); clean-refit:
                       as many steps as clean chose, on training and validation part together
  --seeds "1111 1112"  a run with each of them (1111); published figures are means of five, 1111 to 1115
  --bert WEIGHTS       text encoder, hub id or folder ($published_bert)
  --clip WEIGHTS       CLIP model for the video features of recordings (openai/clip-vit-large-patch14)
  --bad_length KIND    of a feature file, utterances with a length of 0 or a broken one: refuse (default), drop
  --max_contradicting SHARE
                       of a feature file, share of the utterances that may contradict themselves (0.2)
  --max_tokens N       of recordings, most tokens of a text (50)
  --labels CSV         of recordings, the table of labels (label.csv of the corpus)
  --folds 1, --cv official
                       the corpus has one official split; here for the sake of scripts that name them
EOF
}

check_corpus_options() {
    [[ -z $features ]] || one_of features unaligned aligned
    numbers_from folds 1 1
    [[ -z $bad_length ]] || one_of bad_length refuse drop
    [[ -z $max_contradicting ]] || share_from max_contradicting
    [[ -z $corpus || -e $corpus ]] || usage_error "--corpus $corpus: no such feature file or folder of recordings"
    [[ -z $labels || -f $labels ]] || usage_error "--labels $labels: no such file"
    absolute labels
    check_recording_options
}

# settle_data : set `data`, `corpus`, `miniature`, `features` and `is_raw`, and `suffix`, what data and experiments are
# called beside their corpus and method.
settle_data() {
    settle_miniature
    # A file holds features, a folder recordings; without either the miniature's file is written.
    is_raw=no
    [[ ! -d $corpus ]] || is_raw=yes
    set_suffix
    data=${data:-$home/data/$corpus_name$suffix}
    read_data "$corpus_name"
    [[ ! -v known[miniature] ]] || settle_features
    features=${features:-unaligned}
    settle_corpus "$data/corpus/$features.pkl"
}

set_suffix() {
    suffix=$([[ $features != aligned ]] || echo _aligned)
    [[ $is_raw == no ]] || suffix=_raw
    [[ $miniature == no ]] || suffix+=_miniature
}

# settle_features : which features a data directory holds that is there already; refuse others.
settle_features() {
    local found=yes its='is not' ours='a file'
    # Features that came in a file say how they are aligned.
    if [[ -v known[alignment] || ! -v known[corpus] && ! -e $data/wav.scp ]]; then found=no its=is; fi
    [[ $is_raw == no ]] || ours='a folder of recordings'
    [[ -z $corpus || $is_raw == "$found" ]] ||
        usage_error "--data $data $its of a feature file, --corpus $corpus is $ours; give another --data"
    is_raw=$found
    [[ -z $features || ${known[alignment]-$features} == "$features" ]] || usage_error \
        "--data $data holds ${known[alignment]} features, not $features ones; give another --data or --features ${known[alignment]}"
    features=${known[alignment]-$features}
    set_suffix
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    settle_encoders
    writing=(mertk.data_prep.synthetic.mmsa --corpus "$corpus_name")
    examined=(--corpus "$corpus" --corpus_name "$([[ $is_raw == no ]] && echo mmsa || echo raw_video)")
    [[ -z $labels ]] || examined+=(--labels "$labels")
    preparing=() sources=("$corpus")
    if [[ $is_raw == no ]]; then
        [[ -z $bad_length ]] || preparing=(--bad_length "$bad_length")
        [[ -z $max_contradicting ]] || preparing+=(--max_contradicting "$max_contradicting")
        return 0
    fi
    sources=("${labels:-$corpus/label.csv}" "$corpus/Raw")
    [[ -z $labels ]] || preparing=(--labels "$labels")
    # What the run does not need is not asked for; but manifests that have their recordings keep them.
    if [[ ! -v used[audio] && ! -v used[video] && ! (-e $data/wav.scp && -d $corpus/Raw) ]]; then
        preparing+=(--text_only)
        sources=("${sources[0]}")
    fi
    plan_recordings
}

make_data() {
    if [[ $is_raw == no ]]; then
        run_stage 1 import "$data/.done/1_manifests" \
            --input "$corpus" --output "$data/text" "$data/folds" "$data/features" --folder "$data" \
            -- prepare mmsa --features "$corpus" --corpus "$corpus_name" --alignment "$features" --out "$data" \
            "${lost[@]}" "${preparing[@]}"
        return
    fi
    run_stage 1 manifests "$data/.done/1_manifests" \
        --input "${sources[@]}" --output "$data/text" "$data/folds" --folder "$data" \
        -- prepare raw_video --corpus "$corpus" --name "$corpus_name" --out "$data" "${lost[@]}" "${preparing[@]}"
    make_recordings_features
}
