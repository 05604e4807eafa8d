#!/usr/bin/env bash
# timeout: 600
# Bad input of tune, by hand as a new user gives it: the documented exit code, a message that names the file or key and the
# fix, nothing left behind.
source "$(dirname "$0")/support.sh"
bt=$BRAINTUNE
world=$scratch/world
make_world "$world"
data=$world/data
subject=$(ls "$data/derivative/preprocessed_data")
out=$scratch/out/tuned
mkdir -p "$scratch/out"
copy_world() { broken=$scratch/$1; rm -rf "$broken"; cp -r "$data" "$broken"; }
tune_of() { "$bt" tune store="$scratch/store" out="$out" model="$data/model" window.seconds=2 batch=16 epochs=1 stories.tune=story01,story02 "$@"; }
tune() { tune_of dataset="$data" subjects="$subject" stories.validate=story04 "$@"; }

# --- settings: 2
refuse 2 "subjects: missing" "$out" tune_of dataset="$data" stories.validate=story04
refuse 2 "objective=teacher is not built yet" "$out" tune objective=teacher
refuse 2 "target: missing" "$out" tune_of dataset="$data" objective=file stories.validate=story04
refuse 2 "random.block: it has no meaning without objective=random" "$out" tune random.block=5
refuse 2 "lora.alpha: it has no meaning without lora.rank" "$out" tune lora.alpha=8
refuse 2 "lora.targets\|target" "$out" tune lora.rank=2 lora.targets=quary
refuse 2 "dropout.hidden=1: must lie between 0 and 0.99" "$out" tune dropout.hidden=1
refuse 2 "mask.time=-0.1: must lie between 0 and 0.99" "$out" tune mask.time=-0.1
refuse 2 "mask.time_length: it has no meaning without mask.time" "$out" tune mask.time_length=5
refuse 2 "mask.time_length=500: a window has 99 frames" "$out" tune mask.time=0.1 mask.time_length=500
refuse 2 "snapshots: epoch 5 is behind epochs=1" "$out" tune snapshots=5
refuse 2 "layer=7: expected last, or a number from 0 to 2" "$out" tune layer=7
refuse 2 "named twice" "$out" tune subjects="$subject,$subject"
refuse 2 "normalise=batch" "$out" tune normalise=batch frames=store
refuse 2 "whole slices of 2 s" "$out" tune window.rule=slices window.seconds=3
refuse 2 "story02" "$out" tune stories.validate=story02
refuse 2 "did you mean rate.backbone" "$out" tune rate.backbon=1
refuse 2 "train.blocks" "$out" tune train.blocks=0

# --- data: 3
refuse 3 "no folder derivative/preprocessed_data/NOBODY\|NOBODY" "$out" tune_of dataset="$data" subjects=NOBODY stories.validate=story04
refuse 3 "did you mean 'story04'" "$out" tune stories.validate=storry04
copy_world without
rm "$broken/derivative/preprocessed_data/$subject/story04.hf5"
refuse 3 "story04" "$out" tune_of dataset="$broken" subjects="$subject" stories.validate=story04
refuse 3 "language" "$out" tune voxels.roi=langauge
refuse 3 "features.h5: /story01: expected either rows (n_tr, d) or vectors (n_word, d) with times (n_word), found" "$out" tune_of dataset="$data" objective=file target="$world/features.h5" stories.validate=story04
# targets of the wrong length: test01's responses in the place of story02's rows
responses=$data/derivative/preprocessed_data/$subject
stored() { h5ls "$responses/$1.hf5" | awk -F '[{,]' '/^data / { print $2 }'; }
for pair in story01:story01 test01:story02 story04:story04; do
    h5copy -p -i "$responses/${pair%:*}.hf5" -s /data -o "$scratch/short.h5" -d "/${pair#*:}/rows" >/dev/null
done
[ "$(stored story02)" -ne "$(stored test01)" ] || fail "test01 is as long as story02"
refuse 3 "short.h5.*: story story02: expected $(stored story02) rows, the scanner TRs of .*/derivative/respdict.json minus 20, found $(stored test01)" "$out" \
    tune_of dataset="$data" objective=file target="$scratch/short.h5" stories.validate=story04
refuse 3 "fewer than two blocks" "$out" tune objective=random random.block=500
refuse 3 "nothing.h5" "$out" tune_of dataset="$data" objective=file target="$scratch/nothing.h5" stories.validate=story04
copy_world shapes
sed -i 's/"intermediate_size": *24/"intermediate_size": 32/' "$broken/model/config.json"
refuse 3 "misshapen" "$out" tune model="$broken/model"
refuse 3 "voxel" "$out" tune voxels.keep_above=1
refuse 3 "model" "$out" tune model="$scratch/no-model"

# --- numerics: 5
refuse 5 "rate.backbone" "$out" tune rate.backbone=1000 rate.head=1000 decay=1000 epochs=30 schedule.backbone=constant schedule.head=constant
refuse 5 "nothing was learnt" "$out" tune lora.rank=2 rate.backbone=0

# --- a state of a model of other shapes, put where this run looks for its own
small=$scratch/small
interrupted() { BRAINTUNE_FAULT=tune.step:kill:0:4 "$bt" tune store="$1" out="$scratch/out/$2" model="$data/model" dataset="$data" subjects="$subject" \
    window.seconds=2 batch=4 epochs=9 checkpoint.steps=1 stories.tune=story01,story02 stories.validate=story04 "${@:3}" >/dev/null 2>&1 || true; }
interrupted "$small" a train.blocks=1
interrupted "$scratch/large" b
own=$(ls "$scratch/large/states")
cp "$small/states/"*/state "$scratch/large/states/$own/state"
rm -f "$scratch/large/states/$own/state.before"
refuse 3 "trained parameters\|remove the folder" "" "$bt" tune store="$scratch/large" out="$scratch/out/b" model="$data/model" dataset="$data" \
    subjects="$subject" window.seconds=2 batch=4 epochs=9 checkpoint.steps=1 stories.tune=story01,story02 stories.validate=story04

# --- a lease that a dead host left: taken over, with a message, the work done
lease=$scratch/out/.tuned.lease
mkdir -p "$lease"
touch -d '1 hour ago' "$lease/~elsewhere.example~0123456789abcdef~4242~1~1"
tune >"$scratch/stdout" 2>"$scratch/messages" || { cat "$scratch/messages"; fail "a dead host's lease stops the run"; }
grep -q "$out: taken over from process 4242 on elsewhere.example, which is dead; its last sign of life is 36[0-9][0-9] s old" "$scratch/messages" ||
    { cat "$scratch/messages"; fail "a lease is taken over without a message"; }
[ -s "$out/model.safetensors" ] || fail "no model"

[ "$tried" -ge 20 ] || fail "only $tried cases"
echo "ok: $tried cases"
