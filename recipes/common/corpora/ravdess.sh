# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# RAVDESS: acted speech, eight emotions, folds by actor. There are no features to make, and no miniature.
cv=speaker cvs=speaker protocols="clean clean-refit published" seeds=1234
num_folds=6 features='' is_raw=no
options+=" num_folds"

corpus_help() {
    cat <<EOF
  --corpus DIR         recordings named as in RAVDESS (03-01-05-01-02-01-12.wav or .flac), in any folders below DIR
  --num_folds N        groups of actors, and so folds (6); fewer for a part of the corpus
  --folds "1 2"        folds to train (all six)
  --cv speaker         folds by actor, the only kind; here for the sake of scripts that name it
  --protocol NAME      clean: epoch chosen on other actors than the test ones (default); clean-refit: as many steps as
                       clean chose, on all actors but the test ones; published: epoch chosen on the test actors
  --seeds "1 2 3"      every fold is trained with each of them (1234)
EOF
}

check_corpus_options() {
    one_number_from num_folds 3 12
    folds=${folds:-$(seq -s ' ' "$num_folds")}
    numbers_from folds 1 "$num_folds"
    [[ -n $corpus || -n $data ]] || usage_error "--corpus DIR is needed: there is no miniature of RAVDESS"
    [[ -z $corpus || -d $corpus ]] || usage_error "--corpus $corpus: no such directory"
}

# settle_data : set `data`, `corpus` and `miniature`, and `suffix`, what experiments are called beside the method.
settle_data() {
    miniature=no suffix='' made=''
    data=${data:-$home/data/ravdess}
    read_data ravdess
    [[ -n $corpus || -v known[miniature] ]] || usage_error "--corpus DIR is needed: $data is no data directory yet"
    settle_corpus
}

plan_data() {
    examined=() preparing=() marked=$protocol
    [[ $num_folds == 6 ]] || preparing=(--num_folds "$num_folds")
}

make_data() {
    run_stage 1 manifests "$data/.done/1_manifests" --input "$corpus" --output "$data/folds" --folder "$data" \
        -- prepare ravdess --corpus "$corpus" --out "$data" "${preparing[@]}"
}
