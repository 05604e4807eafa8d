#!/usr/bin/env bash
# timeout: 300
# labels: slow
# Tunings that meet: one that waits for another's result, state or frames ends with 6 when it is told to; two with one
# recipe and two out= do not share a state; what a killed publication left goes.
source "$(dirname "$0")/support.sh"
holder=
trap '[ -z "$holder" ] || kill -KILL "$holder" 2>/dev/null; rm -rf "$scratch"' EXIT
on_ranks 2 "$BRAINTUNE" simulate "${world_settings[@]}" out="$scratch/data" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail simulate; }
store=$scratch/store
words=(tune model="$scratch/data/model" dataset="$scratch/data" subjects=SIM01 stories.tune=story01,story02 stories.validate=story04
    window.seconds=2 batch=16 patience=0 rate.backbone=1e-3)
tune() { "$BRAINTUNE" "${words[@]}" store="$store" "$@"; }

appears() { # FILE TEXT: within 30 s
    local until=$((SECONDS + 30))
    until grep -qs -- "$2" "$1"; do
        [ "$SECONDS" -lt "$until" ] || { cat "$1"; fail "no \"$2\""; }
        sleep 0.05
    done
}
told_to_end() { # WHAT TEXT WORDS...: waits with that text on two ranks, gets USR1 on the second of them, ends with 6
    local what=$1 text=$2 code=0 job ranks
    shift 2
    BRAINTUNE_LEAKS=1 on_ranks 2 "$BRAINTUNE" "${words[@]}" store="$store" "$@" >"$scratch/out" 2>"$scratch/waiter" &
    job=$!
    appears "$scratch/waiter" "$text.* is computing this; waiting"
    mapfile -t ranks < <(ranks_of "$job")
    kill -USR1 "${ranks[1]}"
    end_of "$job" 10 "$what"
    wait "$job" || code=$?
    [ "$code" -eq 6 ] || { cat "$scratch/waiter"; fail "exit $code of a run that waits for another's $what"; }
    grep -q "interrupted while another process" "$scratch/waiter" || { cat "$scratch/waiter"; fail "no word of it: $what"; }
    ! grep leaked "$scratch/waiter" || fail "memory leaked: $what"
}

# --- a holder that lives and does nothing: stopped in its tuning ---
"$BRAINTUNE" "${words[@]}" store="$store" out="$scratch/first" epochs=30 checkpoint.steps=1 >"$scratch/out" 2>"$scratch/holder" &
holder=$!
appears "$scratch/holder" 'epoch 2 of'
kill -STOP "$holder"
told_to_end result "$scratch/first:" out="$scratch/first" epochs=30 checkpoint.steps=1
told_to_end state 'store/states/' out="$scratch/second" epochs=30 checkpoint.steps=1
lease=$(echo "$store"/states/.*.lease)
frames=$(find "$store" -name frames.npy | head -n 1)
frames=${frames%/*}
mv "$frames" "$scratch/away"
cp -r "$lease" "${frames%/*}/.${frames##*/}.lease" # as if it computed these frames
told_to_end frames "$frames:" out="$scratch/third" epochs=31 frames=store
rm -r "${frames%/*}/.${frames##*/}.lease"
mv "$scratch/away" "$frames"

# --- a state has one user at a time; both end, with the same bytes ---
tune out="$scratch/second" epochs=30 checkpoint.steps=1 >"$scratch/out" 2>"$scratch/waiter" &
job=$!
appears "$scratch/waiter" 'store/states/.* is computing this; waiting'
kill -CONT "$holder"
code=0
wait "$holder" || code=$?
holder=
[ "$code" -eq 0 ] || { cat "$scratch/holder"; fail "the holder"; }
wait "$job" || { cat "$scratch/waiter"; fail "the one that waited"; }
! grep -q 'going on at step' "$scratch/waiter" || fail "it went on from a state that was another's"
diff -r -q -x '*.run.json' "$scratch/first" "$scratch/second" || fail "one recipe, two results"
[ -z "$(ls -A "$store/states")" ] || fail "left: $(ls -A "$store/states")"

# --- killed between publication and removal: the next call, which finds the result, removes the state ---
code=0
BRAINTUNE_FAULT=publish.renamed:kill tune out="$scratch/killed" epochs=2 >"$scratch/out" 2>&1 || code=$?
[ "$code" -eq 137 ] && [ -s "$scratch/killed/model.safetensors" ] && [ -n "$(ls -A "$store/states")" ] || fail "no kill behind publication ($code)"
tune out="$scratch/killed" epochs=2 >"$scratch/out" 2>&1 || fail "the call after it"
[ -z "$(ls -A "$store/states")" ] || fail "left behind publication: $(ls -A "$store/states")"

# --- a state that another out= goes on from stays ---
BRAINTUNE_FAULT=tune.step:kill:0:6 tune out="$scratch/other" epochs=2 checkpoint.steps=1 >"$scratch/out" 2>&1 && fail "the fault did not happen"
tune out="$scratch/killed" epochs=2 checkpoint.steps=1 >"$scratch/out" 2>&1 || fail "the finished call"
tune out="$scratch/other" epochs=2 checkpoint.steps=1 >"$scratch/out" 2>"$scratch/log" || { cat "$scratch/log"; fail "the killed call"; }
grep -q 'going on at step [1-9]' "$scratch/log" || fail "a call that found its result took another's state"
grep -q 'taken over from process [0-9]* on .*, which is dead; its last sign of life is [0-9]* s old' "$scratch/log" || { cat "$scratch/log"; fail "a lease changes hands in silence"; }
[ -z "$(ls -A "$store/states")" ] || fail "left: $(ls -A "$store/states")"
echo ok
