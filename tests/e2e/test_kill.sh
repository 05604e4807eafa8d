#!/usr/bin/env bash
# timeout: 1500
# labels: slow
# processors: 1
# kill -9 (once TERM) of one rank at seeded moments of every stage and inside publication, and where encode spreads
# factors over ranks: everything ends within 10 s, nothing half-made is taken for done, and the next run gives the same
# bytes.
source "$(dirname "$0")/support.sh"
RANDOM=20261123
reference=$scratch/reference
make_world "$reference"
make_matrices
data=$reference/data
subject=$(ls "$data/derivative/preprocessed_data")

command_of() { # STAGE OUT -> array `words`
    case $1 in
    simulate) words=(simulate "${world_settings[@]}" out="$2") ;;
    features) words=(features model="$data/model" dataset="$data" "${feature_settings[@]}" out="$2") ;;
    lowlevel) words=(lowlevel dataset="$data" features=envelope,word_rate out="$2") ;;
    ceiling) words=(ceiling dataset="$data" subject="$subject" out="$2") ;;
    encode) words=(encode dataset="$data" subject="$subject" features="$reference/features.h5" out="$2") ;;
    spread) words=("${spread_words[@]}" store="$scratch/store" out="$2") ;;
    esac
}

moments_of() { # STAGE: "time", or a fault
    if [ "$1" = spread ]; then
        echo time spread.gram:kill:1 spread.eigen:kill:0:2 encode.split:term:1 encode.refit:kill:0
    else
        echo time time time artefact.leased:kill artefact.computed:kill publish.synced:kill publish.renamed:kill \
            publish.sidecar:kill
    fi
}

same() { # A B: equal bytes; of a folder, every file but run facts
    if [ -d "$1" ]; then diff -r -q -x '*.run.json' "$1" "$2"; else cmp "$1" "$2"; fi
}

moments=0 killed=0
declare -A seconds
for stage in simulate features lowlevel ceiling encode spread; do
    suffix=.h5
    [ "$stage" = simulate ] && suffix=
    folder=$scratch/$stage
    mkdir -p "$folder/reference"
    command_of "$stage" "$folder/reference/out$suffix"
    from=$(date +%s%N)
    on_ranks 2 "$BRAINTUNE" "${words[@]}" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "$stage"; }
    seconds[$stage]=$((($(date +%s%N) - from) / 1000000)) # ms
    [ "$stage" != spread ] || grep -aq "factors spread over 2 ranks" "$folder/reference/out.h5" || fail "factors are whole"

    for moment in $(moments_of $stage); do
        moments=$((moments + 1))
        try=$folder/try$moments
        mkdir -p "$try"
        command_of "$stage" "$try/out$suffix"
        if [ "$moment" = time ]; then
            on_ranks 2 "$BRAINTUNE" "${words[@]}" >"$folder/log" 2>&1 &
            job=$!
            wait_ms=$((RANDOM * ${seconds[$stage]} / 32768))
            sleep_ms $wait_ms
            if hit "$job" KILL; then end_of "$job" 10 "$stage"; fi
            wait "$job" 2>/dev/null || killed=$((killed + 1))
        else
            BRAINTUNE_FAULT=$moment on_ranks 2 "$BRAINTUNE" "${words[@]}" >"$folder/log" 2>&1 &
            job=$!
            wait_for_end_from=$SECONDS
            code=0
            wait "$job" || code=$?
            [ $((SECONDS - wait_for_end_from)) -le $((10 + ${seconds[$stage]} / 1000 + 1)) ] || fail "$stage: too slow an end"
            [ "$code" -ne 0 ] || fail "$stage: the fault at $moment did not happen"
        fi
        if [ -e "$try/out$suffix" ]; then
            same "$folder/reference/out$suffix" "$try/out$suffix" || fail "$stage: half-made at $moment was published"
        fi
        on_ranks 2 "$BRAINTUNE" "${words[@]}" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "$stage: no second run after $moment"; }
        same "$folder/reference/out$suffix" "$try/out$suffix" || fail "$stage: other numbers after a kill at $moment"
        left=$(find "$try" -mindepth 1 -maxdepth 1 ! -name "out*")
        [ -z "$left" ] || fail "$stage: left behind after $moment: $left"
        rm -rf "$try"
    done
done
[ "$moments" -ge 20 ] || fail "only $moments moments"
[ "$killed" -ge 5 ] || fail "only $killed of the timed kills met a running rank"
echo "ok: $moments moments, $killed of them at a random time of the run"
