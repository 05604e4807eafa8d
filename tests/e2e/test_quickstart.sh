#!/usr/bin/env bash
# timeout: 1500
# labels: slow
# Quickstart from scratch, as a user runs it, and what it must show: auditory and language regions above zero, the null
# region not, envelope and word rate nothing in the language region, the brain-tuned model there above the base model and
# above the one that was tuned on responses out of place, ceilings near the simulated truth.
source "$(dirname "$0")/support.sh"
unset BRAINTUNE OMP_NUM_THREADS OPENBLAS_NUM_THREADS OMPI_MCA_hwloc_base_binding_policy
folder=$scratch/quickstart
quickstart=$BRAINTUNE_SOURCE/experiments/quickstart

from=$SECONDS
"$quickstart" "$folder" >"$scratch/first" 2>"$scratch/messages" || { tail -n 30 "$scratch/messages"; fail "quickstart"; }
first=$((SECONDS - from))
cat "$scratch/first"
[ "$first" -le 480 ] || fail "quickstart took $first s, more than 8 minutes"

# value of METRIC for a SET of models, SUBJECT, ROI at the upper layers (or a control's empty layer): "value low high"
cell() {
    awk -F, -v set="$1" -v subject="$2" -v roi="$3" -v metric="$4" '
        /^#/ { next }
        $1 == "experiment" { for (i = 1; i <= NF; ++i) at[$i] = i; next }
        $at["set"] == set && $at["subject"] == subject && $at["roi"] == roi && $at["metric"] == metric &&
            ($at["layer"] == "" || $at["layer"] ~ /^mean:/) {
            print $at["value"], $at["ci_low"], $at["ci_high"]; found = 1 }
        END { exit !found }' "$folder/results/table.csv"
}
holds() { awk -v e="$1" 'BEGIN { exit !('"$1"') }'; }

data=$(echo "$folder"/store/simulate/*/)
data=${data%/}
[ -d "$data/derivative" ] || fail "one simulated data set"
for subject in "$data"/derivative/preprocessed_data/*/; do
    subject=$(basename "$subject")
    for roi in primary_auditory language; do
        read -r value low high < <(cell pretrained "$subject" $roi r) || fail "no row: $subject $roi"
        holds "$low > 0" || fail "$subject $roi: r $value [$low, $high] does not stand above zero"
    done
    for set in pretrained brain random-brain; do
        read -r value low high < <(cell $set "$subject" null r) || fail "no row: $set $subject null"
        holds "$low <= 0" || fail "$set $subject null: r $value [$low, $high] stands above zero"
    done
    read -r value low high < <(cell low-level "$subject" language r) || fail "no row: $subject control"
    holds "$low <= 0" || fail "$subject language: envelope and word rate explain r $value [$low, $high]"
    read -r value low high < <(cell low-level "$subject" primary_auditory r) || fail "no row: $subject control auditory"
    holds "$low > 0" || fail "$subject primary_auditory: the control itself finds nothing (r $value [$low, $high])"
    read -r base _ < <(cell pretrained "$subject" language r)
    read -r brain _ < <(cell brain "$subject" language r)
    read -r random _ < <(cell random-brain "$subject" language r)
    holds "$brain > $base && $brain > $random" ||
        fail "$subject language: brain-tuned $brain, base $base, tuned on responses out of place $random"
done

# What it says of the outcome follows the numbers: those of this run, and made-up ones of each sign.
source "$BRAINTUNE_SOURCE/experiments/outcome.sh"
grep -qE '^  brain - simulated pre-training +language +\+0\.[0-9]+ \[[+-]0\.[0-9]+, \+0\.[0-9]+\]: ' "$scratch/first" || fail "no word of the difference"
diff <(bt_outcome "$folder/results/tests.csv") <(sed -n '/^Found, as r/,/^In the language ROI/p' "$scratch/first") || fail "another outcome than that of tests.csv"
made_up() { # ESTIMATE LOW HIGH: of brain - random in the language ROI
    awk -F, -v OFS=, -v numbers="$*" '
        $2 == "brain" && $5 == "language" && $10 == "paired_t" {
            if ($3 == "random") split(numbers, n, " "); else split("0.1 0.05 0.15", n, " ")
            $18 = n[1]; $16 = n[2]; $17 = n[3] }
        { print }' "$folder/results/tests.csv" >"$scratch/tests.csv"
    bt_outcome "$scratch/tests.csv" >"$scratch/said"
}
says() { grep -qF -- "$1" "$scratch/said" || { cat "$scratch/said"; fail "it does not say: $1"; }; }
made_up -0.05 -0.07 -0.03
says '-0.050 [-0.070, -0.030]: worse'
says 'is not better than both: the effect that the simulation holds is not shown.'
made_up 0.05 -0.01 0.11
says '+0.050 [-0.010, +0.110]: no different'
says 'is not better than both'
made_up 0.05 0.01 0.09
says '+0.050 [+0.010, +0.090]: better'
says 'is better than both: the effect that the simulation holds is found.'

# Estimated against true ceilings, where there is a signal. An estimate's error is the spread over voxels of estimate -
# truth. A root of a ratio of noisy variances lies a little low (drawn 20,000 times at these sizes: -0.006 with an error
# of 0.042), so the mean difference may be half an error, no more; nine voxels in ten lie within two errors; and the two go together.
dump() { h5dump -y -w 1 -d "$2" "$1" | grep -E '^ *(nan|-?[0-9])' | tr -d ' ,'; }
plan=$(ls -t "$folder"/store/plans/quickstart-*.json | head -n 1)
for subject in "$data"/derivative/preprocessed_data/*/; do
    subject=$(basename "$subject")
    truth=$data/truth/$subject.h5
    story=$(h5ls "$truth" | awk '/Group/ { print $1; exit }')
    scores=$(awk -v label="\"label\": \"base on $subject\"" 'index($0, label) { on = 1 } on && /"out":/ { split($0, part, "\""); print part[4]; exit }' "$plan")
    [ -s "$scores" ] || fail "no scores of the base model on $subject in $plan"
    paste <(dump "$scores" /cc_max) <(dump "$truth" "/$story/cc_max") |
        awk -v subject="$subject" '$2 > 0 && $1 != "nan" {
                d = $1 - $2; difference[++n] = d; sum += d; square += d * d; x += $1; y += $2; xx += $1 * $1; yy += $2 * $2; xy += $1 * $2 }
            END {
                mean = sum / n; error = sqrt(square / n - mean * mean)
                for (i = 1; i <= n; ++i) near += difference[i] < 2 * error && difference[i] > -2 * error
                r = (xy / n - x / n * y / n) / sqrt((xx / n - x * x / n / n) * (yy / n - y * y / n / n))
                printf "%s: ceilings of %d voxels, estimate - truth: mean %.4f, error %.4f, %d within two, r %.3f\n", subject, n, mean, error, near, r
                exit !(n > 50 && mean < error / 2 && mean > -error / 2 && error < 0.1 && near >= 0.9 * n && r > 0.5) }' || fail "$subject: ceilings and truth disagree"
done

figures=$folder/results/figures
for name in alignment_by_roi alignment_by_layer losses; do
    for suffix in pdf png csv txt; do
        [ -s "$figures/$name.$suffix" ] || fail "figure $name.$suffix"
    done
    [ "$(head -c 4 "$figures/$name.pdf")" = "%PDF" ] || fail "$name.pdf is no PDF"
    head -c 4 "$figures/$name.png" | grep -q PNG || fail "$name.png is no PNG"
done

cp "$folder/results/table.csv" "$scratch/table.csv"
from=$SECONDS
"$quickstart" "$folder" >"$scratch/second" 2>"$scratch/messages" || { tail -n 30 "$scratch/messages"; fail "second run"; }
[ $((SECONDS - from)) -le 30 ] || fail "a second run took $((SECONDS - from)) s"
cmp "$folder/results/table.csv" "$scratch/table.csv" || fail "a second run changed the table"
echo "ok: $first s"
