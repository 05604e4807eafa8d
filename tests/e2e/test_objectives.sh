#!/usr/bin/env bash
# timeout: 300
# labels: slow
# From tuned models to the printed differences: what braintune.json says of a model reaches the table through features
# and scores, tunings become rows, comparisons and figures come out.
source "$(dirname "$0")/support.sh"
make_world "$scratch/world"
data=$scratch/world/data
subject=$(basename "$data"/derivative/preprocessed_data/*)
quiet() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "$*"; }; }

base=$scratch/base
cp -r "$data/model" "$base"
printf '{"name": "tiny-wav2vec2", "objective": "pretrained", "origin": "simulated pre-training", "seed": 0}' >"$base/braintune.json"
artefacts=()
for run in pretrained: brain:0 brain:1 random:0 random:1; do
    objective=${run%:*} seed=${run#*:} model=$base
    random=()
    [ "$objective" != random ] || random=(random.block=2 random.apart=1)
    if [ -n "$seed" ]; then
        model=$scratch/${objective}_$seed
        quiet "$BRAINTUNE" tune model="$base" dataset="$data" subjects="$subject" objective="$objective" seed="$seed" \
            stories.tune=story01,story02,story03 stories.validate=story04 voxels.ceiling=none window.seconds=2 batch=32 \
            epochs=2 "${random[@]}" store="$scratch/store" out="$model"
        artefacts+=("$model")
    fi
    quiet "$BRAINTUNE" features model="$model" dataset="$data" "${feature_settings[@]}" out="$scratch/features_$run.h5"
    quiet "$BRAINTUNE" encode features="$scratch/features_$run.h5" dataset="$data" subject="$subject" alphas=1,100 cv.scheme=stories \
        out="$scratch/scores_$run.h5"
    artefacts+=("$scratch/scores_$run.h5")
done
quiet "$BRAINTUNE" collect artefacts="$(IFS=,; echo "${artefacts[*]}")" ceiling.keep_above=0 out="$scratch/results"

# column NAME of the rows whose stage, objective, seed and metric are these
column() {
    awk -F, -v name="$1" -v want="$2" '/^#/ { next } !n { n = split($0, head); for (i in head) at[head[i]] = i; next }
        $at["stage"] "," $at["objective"] "," $at["seed"] "," $at["metric"] == want { print $at[name] }' "$scratch/results/table.csv"
}
expect() { # NAME STAGE,OBJECTIVE,SEED,METRIC VALUES
    local got
    got=$(column "$1" "$2" | sort -u | paste -sd ' ')
    [ "$got" = "$3" ] || fail "$2: $1 is '$got', not '$3'"
}
expect model encode,brain,1,r tiny-wav2vec2
expect model encode,pretrained,0,r tiny-wav2vec2
expect origin encode,pretrained,0,r "simulated pre-training"
expect tuned_subject encode,random,0,r "$subject"
expect tuned_subject encode,pretrained,0,r ""
expect subject encode,pretrained,0,r "$subject"
expect epoch encode,brain,0,r best
expect epoch tune,brain,0,mse "1 2"
expect split tune,random,1,mse "train validate"
grep -q '^# tuning stories: models were tuned on story01,story02,story03 and validated on story04$' "$scratch/results/table.csv" || fail "stories"

for pair in brain,random "brain,simulated pre-training" "random,simulated pre-training"; do
    grep -q "^summary,$pair,wav2vec2,language,mean:2-2,,r,2,paired_t," "$scratch/results/tests.csv" || fail "no interval of $pair"
done
quiet "$BRAINTUNE" summary results="$scratch/results"
grep -q "brain - simulated pre-training" "$scratch/log" || fail "no differences in the summary"
quiet "$BRAINTUNE" figures results="$scratch/results" out="$scratch/figures"
for name in alignment_by_roi alignment_by_layer losses; do
    for suffix in pdf png csv txt; do [ -s "$scratch/figures/$name.$suffix" ] || fail "figure $name.$suffix"; done
done
grep -q "cannot be significant\|can be significant at this n" "$scratch/figures/alignment_by_roi.txt" || fail "caption: significance"
