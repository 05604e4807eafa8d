#!/usr/bin/env bash
# timeout: 1500
# labels: slow
# processors: 1
# A tuning run with a state every few steps, ended by KILL, TERM or USR1 at 30 seeded moments: it ends in time, the
# same call goes on from where it stood, and its end is the uninterrupted run's, byte for byte.
source "$(dirname "$0")/support.sh"
RANDOM=20261126
make_world "$scratch/world"
data=$scratch/world/data
subject=$(ls "$data/derivative/preprocessed_data")
words=(tune model="$data/model" dataset="$data" subjects="$subject" stories.tune=story01,story02,story03 stories.validate=story04
    window.seconds=4 batch=4 micro_batch=1 epochs=14 patience=0 rate.backbone=1e-3 snapshots=3 checkpoint.steps=3)

same() { diff -r -q -x '*.run.json' "$1" "$2"; }

reference=$scratch/reference
from=$(date +%s%N)
on_ranks 2 "$BRAINTUNE" "${words[@]}" store="$scratch/store0" out="$reference" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "the uninterrupted run"; }
whole=$((($(date +%s%N) - from) / 1000000)) # ms; of the shortest run seen, since other tests may have slowed this one
[ -s "$reference/snapshots/epoch_03/model.safetensors" ] || fail "no snapshot"

signals=(KILL KILL KILL TERM KILL KILL KILL USR1 KILL KILL)
met=0 saved=0 went_on=0 tries=0
while [ "$met" -lt 30 ] && [ "$tries" -lt 60 ]; do
    tries=$((tries + 1)) signal=${signals[$((met % 10))]}
    try=$scratch/try$tries
    from=$(date +%s%N)
    mkdir -p "$try"
    on_ranks 2 "$BRAINTUNE" "${words[@]}" store="$try/store" out="$try/out" >"$scratch/log" 2>&1 &
    job=$!
    wait_ms=$((whole / 3 + RANDOM * whole * 3 / 5 / 32768))
    sleep_ms $wait_ms
    if hit "$job" $signal; then
        met=$((met + 1))
        end_of "$job" "$([ "$signal" = KILL ] && echo 10 || echo 25)" "$signal"
    fi
    code=0
    wait "$job" 2>/dev/null || code=$?
    took=$((($(date +%s%N) - from) / 1000000))
    [ $code -ne 0 ] || [ "$took" -ge "$whole" ] || whole=$took
    if [ $code -ne 0 ] && grep -q "the state is saved" "$scratch/log"; then
        saved=$((saved + 1))
        [ $code -eq 6 ] || fail "the state was saved after $signal, but the exit code is $code"
    fi
    if [ -e "$try/out" ]; then same "$reference" "$try/out" || fail "half-made after $signal was published"; fi
    on_ranks 2 "$BRAINTUNE" "${words[@]}" store="$try/store" out="$try/out" >"$scratch/resumed" 2>&1 || { cat "$scratch/resumed"; fail "no run after $signal"; }
    step=$(sed -n 's/.*going on at step \([0-9]*\) .*/\1/p' "$scratch/resumed")
    if [ "$signal" = KILL ] && [ "${step:-0}" -gt 0 ]; then went_on=$((went_on + 1)); fi
    same "$reference" "$try/out" || fail "another end after $signal at ${wait_ms} ms, going on at step ${step:-none}"
    left=$(find "$try" -mindepth 1 -maxdepth 1 ! -name out ! -name out.run.json ! -name store; find "$try/store/states" -mindepth 1 2>/dev/null)
    [ -z "$left" ] || fail "left behind after $signal: $left"
    rm -rf "$try"
done
[ "$met" -eq 30 ] || fail "only $met of $tries signals met a running rank"
[ "$saved" -ge 2 ] || fail "only $saved runs saved their state when they were asked to stop"
[ "$went_on" -ge 10 ] || fail "only $went_on killed runs went on from a step above 0"
echo "ok: $met signals met a running rank, $saved states saved on request, $went_on killed runs went on from a step above 0"
