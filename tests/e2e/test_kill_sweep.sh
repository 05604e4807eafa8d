#!/usr/bin/env bash
# timeout: 1500
# labels: slow
# processors: 1
# A sweep of two ranks, ended by KILL, TERM or USR1 at 30 seeded moments and started again after each: what is done stays
# done, tunings go on from where they stood, and the end is the uninterrupted sweep's, byte for byte.
source "$(dirname "$0")/support.sh"
RANDOM=20261127
on_ranks 2 "$BRAINTUNE" simulate "${world_settings[@]}" out="$scratch/data" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail simulate; }

write_experiment() { # NAME
    cat >"$scratch/$1.yaml" <<END
experiment: killed
store: $scratch/$1/store
results: $scratch/$1/results
dataset:
  root: $scratch/data
  stories: {encode: [story01, story02, story03, story04], test: [test01], tune: "encode - [story04]", validate: [story04]}
  ceiling: {keep_above: 0}
models: {base: $scratch/data/model}
features: {context: 1, stride: 1}
tune:
  brain: {models: [base], objective: brain, per: subject, window: {seconds: 4}, epochs: 10, patience: 0, batch: 4, micro_batch: 1,
    rate.backbone: 1e-3, checkpoint.steps: 3}
  random: {like: brain, objective: random, random: {block: 2, apart: 1}}
encode: {alignment: {models: [base, brain, random]}}
figures: [{draw: alignment_by_roi}]
END
}
same() { # NAME: the same artefacts as the uninterrupted sweep's
    local stage
    for stage in features lowlevel tune encode; do
        [ ! -d "$scratch/whole/store/$stage" ] || diff -r -q -x '*.run.json' "$scratch/whole/store/$stage" "$scratch/$1/store/$stage" ||
            fail "$1: other bytes of $stage"
    done
    sed "s|$scratch/$1|$scratch/whole|g" "$scratch/$1/results/table.csv" | diff -q - "$scratch/whole/results/table.csv" || fail "$1: another table"
    [ -z "$(find "$scratch/$1/store" -name '.*' ! -name .)" ] || fail "$1: left behind: $(find "$scratch/$1/store" -name '.*')"
    [ -z "$(find "$scratch/$1/store/states" -mindepth 1 2>/dev/null)" ] || fail "$1: a state is left"
}

write_experiment whole
from=$(date +%s%N)
on_ranks 2 "$BRAINTUNE" run "$scratch/whole.yaml" >"$scratch/out" 2>"$scratch/log" || { cat "$scratch/log"; fail "the uninterrupted sweep"; }
whole=$((($(date +%s%N) - from) / 1000000)) # ms

# Each run is killed behind its first publication: results are there, leases and a state that served are left.
write_experiment cut
cuts=0
until BRAINTUNE_FAULT=publish.renamed:kill:0 on_ranks 2 "$BRAINTUNE" run "$scratch/cut.yaml" >"$scratch/out" 2>"$scratch/log"; do
    cuts=$((cuts + 1))
    [ "$cuts" -lt 30 ] || fail "no end of runs that are killed behind a publication"
done
same cut
[ "$cuts" -ge 5 ] || fail "only $cuts runs were killed behind a publication"

signals=(KILL KILL KILL TERM KILL KILL KILL USR1 KILL KILL)
sweep=1 met=0 went_on=0 saved=0 signal=none
write_experiment sweep1
while [ "$met" -lt 30 ]; do
    : >"$scratch/log"
    on_ranks 2 "$BRAINTUNE" run "$scratch/sweep$sweep.yaml" >"$scratch/out" 2>"$scratch/log" &
    job=$!
    wait_ms=$((whole / 12 + RANDOM * whole / 3 / 32768))
    sleep_ms $wait_ms
    before=$signal signal=${signals[$((met % 10))]}
    if hit "$job" "$signal"; then
        met=$((met + 1))
        end_of "$job" 25 "$signal"
    fi
    code=0
    wait "$job" 2>/dev/null || code=$?
    step=$(sed -n 's/.*going on at step \([0-9]*\) .*/\1/p' "$scratch/log" | head -n 1)
    [ "$before" != KILL ] || [ "${step:-0}" -eq 0 ] || went_on=$((went_on + 1))
    if grep -q "the state is saved" "$scratch/log"; then
        saved=$((saved + 1))
        [ "$code" -eq 6 ] || { cat "$scratch/log"; fail "the state was saved after $signal, but the exit code is $code"; }
    fi
    [ "$code" -ne 3 ] || { cat "$scratch/log"; fail "a task failed after $before"; }
    "$BRAINTUNE" status "$scratch/sweep$sweep.yaml" >"$scratch/status" || fail "status after $signal"
    if [ "$code" -eq 0 ]; then
        same "sweep$sweep"
        sweep=$((sweep + 1)) signal=none
        write_experiment "sweep$sweep"
    fi
done
on_ranks 2 "$BRAINTUNE" run "$scratch/sweep$sweep.yaml" >"$scratch/out" 2>"$scratch/log" || { cat "$scratch/log"; fail "the last sweep"; }
same "sweep$sweep"
[ "$went_on" -ge 5 ] || fail "only $went_on killed sweeps went on inside a tuning"
echo "ok: $cuts kills behind publications; $met signals in $sweep sweeps, $saved states saved on request, $went_on killed sweeps went on in a tuning from a step above 0"
