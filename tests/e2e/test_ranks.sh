#!/usr/bin/env bash
# timeout: 900
# labels: slow
# Ranks 1, 2, 3, 4: the same scores to 1e-4 (r, float32 features); twice on 2 ranks: equal bytes.
source "$(dirname "$0")/support.sh"

pipeline() { # FOLDER RANKS
    make_world "$1" "$2"
    subject=$(ls "$1/data/derivative/preprocessed_data")
    on_ranks "$2" "$BRAINTUNE" ceiling dataset="$1/data" subject="$subject" out="$1/ceiling.h5" >"$1/log" 2>&1 || { cat "$1/log"; fail ceiling; }
    on_ranks "$2" "$BRAINTUNE" encode dataset="$1/data" subject="$subject" features="$1/features.h5" \
        out="$1/scores.h5" >"$1/log" 2>&1 || { cat "$1/log"; fail encode; }
}

for ranks in 1 2 3 4; do pipeline "$scratch/on$ranks" "$ranks"; done
pipeline "$scratch/again" 2

for ranks in 2 3 4; do
    diff -r -q -x '*.run.json' -x '*.hf5' "$scratch/on1/data" "$scratch/on$ranks/data" || fail "simulate on $ranks ranks"
    for file in features lowlevel ceiling scores; do
        h5diff -d 1e-4 "$scratch/on1/$file.h5" "$scratch/on$ranks/$file.h5" || fail "$file on $ranks ranks"
    done
done
for file in features lowlevel ceiling scores; do
    cmp "$scratch/on2/$file.h5" "$scratch/again/$file.h5" || fail "$file: twice on 2 ranks, other bytes"
done
diff -r -q -x '*.run.json' "$scratch/on2/data" "$scratch/again/data" || fail "simulate: twice on 2 ranks, other bytes"
echo ok
