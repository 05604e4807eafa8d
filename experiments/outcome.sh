# Sourced by experiments/quickstart and tests/seeds: what results/tests.csv says, and nothing beside it.

# Mean of A - B over seeds x subjects (SEED: over the subjects of one seed) in the upper layers of a ROI, with its 95 %
# interval: "value low high n_pair". Fails where there is no such row.
bt_difference() # TESTS.csv A B ROI [SEED]
{
    awk -F, -v a="$2" -v b="$3" -v roi="$4" -v seed="${5:-}" '
        /^#/ { next }
        !at["estimate"] { for (i = 1; i <= NF; ++i) at[$i] = i; next }
        $at["a"] == a && $at["b"] == b && $at["roi"] == roi && $at["seed"] == seed && $at["test"] == "paired_t" &&
            $at["ci_low"] != "" && $at["ci_high"] != "" {
            print $at["estimate"], $at["ci_low"], $at["ci_high"], $at["n_pair"]; found = 1; exit }
        END { exit !found }' "$1"
}

# "brain - random  language  +0.119 [+0.102, +0.137]: better", the word by which side of 0 the whole interval lies on.
bt_outcome_line() # TESTS.csv A B ROI
{
    local found
    found=$(bt_difference "$@") || { printf '  %-32s %-9s not in %s\n' "$2 - $3" "$4" "$1"; return; }
    awk -v pair="$2 - $3" -v roi="$4" '{
        word = $2 > 0 ? "better" : $3 < 0 ? "worse" : "no different"
        printf "  %-32s %-9s %+.3f [%+.3f, %+.3f]: %s\n", pair, roi, $1, $2, $3, word }' <<<"$found"
}

bt_outcome() # TESTS.csv
{
    local base='simulated pre-training' lines
    echo "Found, as r of the first less r of the second with its 95 % interval over seeds and subjects ($1):"
    lines=$(bt_outcome_line "$1" brain "$base" language && bt_outcome_line "$1" brain random language)
    echo "$lines"
    bt_outcome_line "$1" random "$base" language
    bt_outcome_line "$1" brain "$base" null
    bt_outcome_line "$1" brain random null
    if [ "$(grep -c ': better$' <<<"$lines")" -eq 2 ]; then
        echo "In the language ROI the brain-tuned model is better than both: the effect that the simulation holds is found."
    else
        echo "In the language ROI the brain-tuned model is not better than both: the effect that the simulation holds is not shown."
    fi
}
