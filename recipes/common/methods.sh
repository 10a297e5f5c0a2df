# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with recipe.sh
# A recipe of several methods: what --method says, known before any other option, decides which configuration there is and
# which variants.
options+=" method"
base=$(value_of method "$base" "$@")
[[ " $methods " == *" $base "* ]] || usage_error "--method $base: expected one of $methods"
method=$base
# One that was never published has no released form.
for word in $variants; do
    [[ $word == "${variants%% *}" || -f $common/conf/$base/$word.yaml ]] || variants=${variants/ $word/}
done
