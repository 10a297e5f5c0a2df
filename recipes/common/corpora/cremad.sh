# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# CREMA-D: acted clips, six emotions by intention or by votes, folds by actor; features of the actors' faces.
cv=speaker cvs=speaker protocols="clean clean-refit published" seeds=1234
labels='' features='' is_raw=no clip=''
options+=" clip labels"
# shellcheck source=recipes/common/corpora/pictures.sh
source "$common/corpora/pictures.sh"

corpus_help() {
    cat <<EOF
$(without_corpus) What a run does not need is not asked for:
--ablation audio takes a corpus without videos, and no CLIP.

  --corpus DIR         CREMA-D, the folder with AudioWAV, VideoFlash and VideoDemographics.csv
  --labels KIND        intended: the emotion that was meant (default); voice, face, both: the one that most raters named
  --folds "1 2"        folds to train (of a miniature two, else all five)
  --cv speaker         folds by actor, the only kind; here for the sake of scripts that name it
  --protocol NAME      clean: epoch chosen on other actors than the test ones (default); clean-refit: as many steps as
                       clean chose, on all actors but the test ones; published: epoch chosen on the test actors
  --seeds "1 2 3"      every fold is trained with each of them (1234)
  --clip WEIGHTS       CLIP model for the video features, hub id or folder (openai/clip-vit-large-patch14)
EOF
}

check_corpus_options() {
    [[ -z $labels ]] || one_of labels intended voice face both
    [[ -z $folds ]] || numbers_from folds 1 5
    [[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
    absolute_folder clip
}

# settle_data : set `data`, `corpus`, `miniature` and `labels`, and `suffix`, what data and experiments are called beside
# their corpus and method.
settle_data() {
    settle_miniature
    set_suffix
    data=${data:-$home/data/cremad$suffix}
    read_data cremad
    settle_labels intended
    set_suffix
    # Starting a fold takes longer than training it on so little.
    [[ $miniature == no ]] || folds=${folds:-1 2}
    folds=${folds:-1 2 3 4 5}
    settle_corpus "$data/corpus"
}

set_suffix() {
    suffix=
    [[ ${labels:-intended} == intended ]] || suffix=_$labels
    [[ $miniature == no ]] || suffix+=_miniature
}

# plan_data : what is to be made for what the configuration uses; where weights are.
plan_data() {
    plan_weights
    plan_pictures --rate_hz 30
    writing=(mertk.data_prep.synthetic.cremad) examined=(--corpus "$corpus" --corpus_name cremad) preparing=()
    sources=("$corpus"/{AudioWAV,VideoDemographics.csv,processedResults/summaryTable.csv})
    [[ $labels == intended ]] || preparing+=(--labels "$labels")
    # What the run does not need is not asked for; but manifests that have their videos keep them.
    if [[ ${used[video]-} == features || (-e $data/video.scp && -d $corpus/VideoFlash) ]]; then
        sources+=("$corpus/VideoFlash")
    else
        preparing+=(--no_video)
    fi
}

make_data() {
    run_stage 1 manifests "$data/.done/1_manifests" \
        --input "${sources[@]}" --output "$data/wav.scp" "$data/folds" --folder "$data" \
        -- prepare cremad --corpus "$corpus" --out "$data" "${lost[@]}" "${preparing[@]}"
    make_pictures
}
