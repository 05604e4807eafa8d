#!/usr/bin/env bash
# labels: slow
# A small experiment from its YAML: plan, run on two ranks with a task that fails, status, rerun; two runs at once; what
# plan refuses; presets against the program's own defaults.
source "$(dirname "$0")/support.sh"
make_data() {
    on_ranks 2 "$BRAINTUNE" simulate "${world_settings[@]}" out="$scratch/data" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail simulate; }
}
make_data
cp -r "$scratch/data/model" "$scratch/other"
sed -i 's/"name": *"[^"]*"/"name": "other"/' "$scratch/other/braintune.json"

write_experiment() { # FILE STORE
    cat >"$1" <<END
experiment: sweep
store: $2/store
results: $2/results
dataset:
  root: \${SWEEP_DATA}
  stories: {encode: [story01, story02, story03, story04], test: [test01], tune: "encode - [story04]", validate: [story04]}
  ceiling: {keep_above: 0}
models: {base: $scratch/data/model, other: $scratch/other}
features: {context: 1, stride: 1}
tune:
  brain: {models: [base], objective: brain, per: subject, window: {seconds: 2}, epochs: 2, batch: 16, checkpoint.steps: 2}
encode:
  alignment: {models: [base, other, brain]}
  control: {lowlevel: [envelope, word_rate]}
lowlevel:
  impact: {like: encode.alignment, models: [base], remove: [envelope, word_rate]}
figures: [{draw: alignment_by_roi}, {draw: losses}, {draw: fig9-made-up}]
END
}
export SWEEP_DATA=$scratch/data
yaml=$scratch/sweep.yaml
write_experiment "$yaml" "$scratch/one"

# --- plan ---
"$BRAINTUNE" plan "$yaml" >"$scratch/plan" || fail plan
plan=$(head -n 1 "$scratch/plan")
[ -s "$plan" ] || fail "plan prints no path"
grep -qE '^encode +6 +0 +6 +0$' "$scratch/plan" || { cat "$scratch/plan"; fail "6 encodings"; }
grep -q 'sweep.yaml:17:.*figures: 1 figures task: figure fig9-made-up' "$scratch/plan" || { cat "$scratch/plan"; fail "a gap without its line"; }
n_task=$(grep -c '"task":' "$plan")
[ "$n_task" -eq 14 ] || fail "$n_task tasks"
[ "$("$BRAINTUNE" plan "$yaml" | head -n 1)" = "$plan" ] || fail "the same experiment, another plan"
"$BRAINTUNE" plan "$yaml" --show >"$scratch/show" && grep -q 'select: signed_root_r2' "$scratch/show" || fail "--show lacks the preset"
says '^encode  *6 .*' "$BRAINTUNE" plan "$yaml" --dry-run || fail "--dry-run"
[ "$("$BRAINTUNE" plan "$plan" --slots=1 | wc -l)" -eq "$n_task" ] || fail "slots of one task each"
"$BRAINTUNE" plan "$plan" --slots=1e6 | awk -F'\t' 'NF != 8 || $2 != 1 || $4 < 1e8 { exit 1 }' || fail "slots of 8 columns"

refuse 2 "sweep.yaml: 14 tasks are more than the limit of 5; limit=14 allows them" "" "$BRAINTUNE" plan "$yaml" limit=5
refuse 2 'sweep.yaml:5:9: ${SWEEP_DATA}: this variable is not set' "" env -u SWEEP_DATA "$BRAINTUNE" plan "$yaml"
refuse 2 "command line: there is no tune.brian; did you mean tune.brain?" "" "$BRAINTUNE" plan "$yaml" tune.brian.epochs=1
refuse 2 "no story is left\|is neither a role" "" "$BRAINTUNE" plan "$yaml" dataset.stories.tune=stroy01
refuse 2 "a plan is fixed" "" "$BRAINTUNE" plan "$plan" seeds=1
refuse 2 "unknown option --stat; did you mean --task?\|unknown option --stat" "" "$BRAINTUNE" run "$yaml" --stat
refuse 2 "task 99: expected numbers from 1 to 14" "" "$BRAINTUNE" run "$plan" --task 99
refuse 2 "the plan has no task of it" "" "$BRAINTUNE" run "$plan" --stage probe
refuse 3 "no plan; expected what" "" "$BRAINTUNE" status "$scratch/data/derivative/respdict.json"
refuse 2 "rerun --failed" "" "$BRAINTUNE" rerun "$yaml"
refuse 2 "expected preset" "" "$BRAINTUNE" preset shwo clean
refuse 3 "models.other:.*no such folder" "" "$BRAINTUNE" plan "$yaml" models.other=/nowhere
printf 'experiment: x\ntune: &t\n  a: *t\n' >"$scratch/loop.yaml"
refuse 2 "loop.yaml:2:7: an anchor that holds an alias of itself" "" "$BRAINTUNE" plan "$scratch/loop.yaml"

# --- run, with the second model that is opened failing on rank 1 ---
code=0
BRAINTUNE_FAULT=features.model:fail:1:2 on_ranks 2 "$BRAINTUNE" run "$yaml" >"$scratch/out" 2>"$scratch/log" || code=$?
[ "$code" -eq 3 ] || { cat "$scratch/log"; fail "exit $code of a run with a failing task"; }
"$BRAINTUNE" status "$yaml" >"$scratch/status" || fail status
grep -qE '^features +3 +2 +0 +1 +0 +0 +0 +[0-9.]+ s$' "$scratch/status" || { cat "$scratch/status"; fail "one of three features failed"; }
grep -qE '^encode +6 +5 +0 +0 +1 +0 +0 +[0-9.]+ s$' "$scratch/status" || { cat "$scratch/status"; fail "one of six encodings is blocked"; }
says 'rank 1' grep -A 1 '^failed: .*code 4' "$scratch/status" || { cat "$scratch/status"; fail "no last line of the failure"; }
grep -q '^blocked: *1 task by task' "$scratch/status" || fail "no word of what is blocked by what"
[ -s "$scratch/one/results/table.csv" ] || fail "the others' table is missing"
[ "$("$BRAINTUNE" plan "$yaml" --slots=1e6 --failed | cut -f1 | tr '\n' ' ')" = "features encode " ] || fail "slots of what failed"
[ -z "$("$BRAINTUNE" plan "$yaml" --slots=1e6 --missing)" ] || fail "nothing is missing but what failed"
code=0
"$BRAINTUNE" run "$yaml" >"$scratch/out" 2>"$scratch/log" || code=$?
[ "$code" -eq 3 ] && ! grep -q 'task .* of ' "$scratch/log" || fail "a second run tries failures again, or forgets them"
mkdir "$scratch/slurm"
printf '#!/bin/sh\necho "$BRAINTUNE" "$@"\n' >"$scratch/slurm/submit"
chmod +x "$scratch/slurm/submit"
said=$(env -u BRAINTUNE BRAINTUNE_SLURM="$scratch/slurm" "$BRAINTUNE" rerun "$yaml" --failed --profile mine)
[ "$said" = "$(realpath "$BRAINTUNE") $plan --profile mine" ] || fail "rerun --profile calls: $said"
[ "$("$BRAINTUNE" plan "$yaml" --slots=1e6 --missing | cut -f1 | tr '\n' ' ')" = "features encode collect figures " ] ||
    fail "what failed is missing again, for submit to find"
code=0
BRAINTUNE_FAULT=features.model:fail on_ranks 2 "$BRAINTUNE" run "$yaml" --stage encode >"$scratch/out" 2>"$scratch/log" || code=$?
[ "$code" -eq 3 ] || fail "exit $code: failed again"
on_ranks 2 "$BRAINTUNE" rerun "$yaml" --failed >"$scratch/out" 2>"$scratch/log" || { cat "$scratch/log"; fail rerun; }
[ "$(grep -c 'task .* of ' "$scratch/log")" -eq 5 ] ||
    { cat "$scratch/log"; fail "rerun runs the failed and the blocked one, and makes table and figures of them"; }
grep -q 'other' "$scratch/one/results/table.csv" || fail "the table lacks what rerun made"
"$BRAINTUNE" run "$yaml" >"$scratch/out" 2>"$scratch/log" || fail "a run of what is done"
grep -q 'task .* of ' "$scratch/log" && { cat "$scratch/log"; fail "rerun left something behind"; }
[ -z "$("$BRAINTUNE" plan "$yaml" --slots=1e6)" ] || fail "slots of a finished plan"
BRAINTUNE_LEAKS=1 "$BRAINTUNE" run "$yaml" 2>&1 | grep leaked && fail "run leaks"

# --- low-level features taken out of the model's ---
removed=$(awk -F, '/^experiment/ { for (i = 1; i <= NF; ++i) at[$i] = i } $at["stage"] == "encode" { print $at["removed"] }' \
    "$scratch/one/results/table.csv" | sort -u | tr '\n' ' ')
[ "$removed" = "envelope none word_rate " ] || fail "the table has what was removed as: $removed"

# --- two runs at once ---
write_experiment "$scratch/two.yaml" "$scratch/two"
"$BRAINTUNE" run "$scratch/two.yaml" >"$scratch/out" 2>"$scratch/log1" &
job=$!
"$BRAINTUNE" run "$scratch/two.yaml" >"$scratch/out" 2>"$scratch/log2" || { cat "$scratch/log2"; fail "second of two runs"; }
wait "$job" || { cat "$scratch/log1"; fail "first of two runs"; }
twice=$(cat "$scratch/log1" "$scratch/log2" | grep 'task .* of ' | sort | uniq -d)
[ -z "$twice" ] || fail "both runs did: $twice"
[ "$(cat "$scratch/log1" "$scratch/log2" | grep -c 'task .* of ')" -eq "$n_task" ] || fail "not every task was done once"
names() { (cd "$1/store" && find features encode lowlevel tune -maxdepth 1 | sort); }
diff <(names "$scratch/one") <(names "$scratch/two") || fail "equal work has other names"

# --- told to end: 6, and nothing is lost; then one run of one process ---
write_experiment "$scratch/three.yaml" "$scratch/three"
code=0
: >"$scratch/log"
"$BRAINTUNE" run "$scratch/three.yaml" >"$scratch/out" 2>"$scratch/log" &
job=$!
while kill -0 "$job" 2>/dev/null && ! grep -q 'task .* of ' "$scratch/log"; do sleep 0.01; done
kill -USR1 "$job"
wait "$job" || code=$?
[ "$code" -eq 6 ] || fail "exit $code after SIGUSR1"
"$BRAINTUNE" run "$scratch/three.yaml" >"$scratch/out" 2>"$scratch/log" || { cat "$scratch/log"; fail "going on after SIGUSR1"; }

# --- who made an artefact, with whom at work beside it, changes no byte of it ---
for stage in features encode lowlevel tune; do
    diff -r -q -x '*.run.json' "$scratch/two/store/$stage" "$scratch/three/store/$stage" ||
        fail "$stage: two runs at once made other bytes than one"
done

# --- the preset clean is what the program does unless told ---
[ "$("$BRAINTUNE" preset | tr '\n' ' ')" = "clean paper released-code " ] || fail "preset lists"
says '^encode.cv.scheme *chunks *stories$' "$BRAINTUNE" preset diff paper clean || fail "preset diff"
refuse 2 "command line: preset: there is no papre; there are clean, paper, released-code; did you mean paper?" "" \
    "$BRAINTUNE" ceiling dataset="$SWEEP_DATA" subject=SIM01 preset=papre out="$scratch/c.h5"
"$BRAINTUNE" ceiling dataset="$SWEEP_DATA" subject=SIM01 preset=released-code out="$scratch/c.h5" >/dev/null 2>&1 || fail "a preset by name"
says 'ceiling.total_power.*one' "$BRAINTUNE" inspect "$scratch/c.h5" || { "$BRAINTUNE" inspect "$scratch/c.h5"; fail "preset= is a name without its settings"; }
"$BRAINTUNE" ceiling dataset="$SWEEP_DATA" subject=SIM01 preset=released-code ceiling.total_power=data out="$scratch/d.h5" >/dev/null 2>&1
says 'ceiling.total_power.*data' "$BRAINTUNE" inspect "$scratch/d.h5" || fail "a preset wins over what is given"
compared=0
while read -r key value; do
    key=${key/#lowlevel.removal./encode.}
    stage=${key%%.*} setting=${key#*.}
    default=$("$BRAINTUNE" "$stage" --help | awk -v key="$setting" '$1 == key { getline; sub(/.*; default /, ""); if ($0 ~ /^ /) $0 = ""; print }')
    [ "$value" = "$default" ] || fail "clean: $key is $value, the program's default $default"
    compared=$((compared + 1))
done < <("$BRAINTUNE" preset show clean | grep -v 'not built yet$')
# Where the presets leave clean, in what decides the losses of the golden runs (tests/mpi/tuning): as those runs have it.
not_theirs='whisper_frames|voxels.ceiling|random\.[a-z]*|stories\.[a-z]*|patience|snapshots|keep'
while read -r name words; do
    diff <(printf '%s\n' $words | grep . | sort) <("$BRAINTUNE" preset diff "$name" clean |
        awk -v skip="^tune.($not_theirs)\$" '/^tune\./ && $1 !~ skip { sub(/^tune\./, ""); print $1 "=" $2 }' | sort) ||
        fail "the golden runs of $name have other settings than its preset"
done <"$BRAINTUNE_SOURCE/tests/data/golden/tuning/presets.txt"
# Total: what has a default and decides a result is in the preset.
free='features.(n_tr|tr.start|precision.force) lowlevel.features ceiling.preset tune.(objective|micro_batch|seed|frames|recompute|precision.force|checkpoint.*|preset)'
free+=' encode.(weights|predictions|preset) figures.results'
"$BRAINTUNE" preset show clean >"$scratch/clean"
for stage in features lowlevel ceiling tune encode collect figures; do
    for key in $("$BRAINTUNE" "$stage" --help | sed '/^keys of every stage/,$d' | awk '/^  [a-z]/ { key = $1 } /; default / { print key }'); do
        grep -q "^$stage.$key " "$scratch/clean" || grep -qxE "${free// /|}" <<<"$stage.$key" || fail "no preset fixes $stage.$key"
    done
done
[ "$compared" -ge 60 ] || fail "only $compared settings of clean are the program's"
echo "ok: $tried refusals, $compared defaults"
