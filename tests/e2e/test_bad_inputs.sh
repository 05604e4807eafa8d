#!/usr/bin/env bash
# timeout: 1200
# Bad input of every kind: the documented exit code, a message that names file, field and fix, nothing left behind.
source "$(dirname "$0")/support.sh"
bt=$BRAINTUNE
world=$scratch/world
make_world "$world"
data=$world/data
subject=$(ls "$data/derivative/preprocessed_data")
model=$data/model
first=$(ls "$data/stimuli" | head -n 1)
story=${first%.wav}
out=$scratch/out/x.h5
mkdir -p "$scratch/out"

# copy_world NAME: a data set of its own that may be broken; $broken is its folder
copy_world() { broken=$scratch/$1; rm -rf "$broken"; cp -r "$data" "$broken"; }
features() { "$bt" features "${feature_settings[@]}" out="$out" "$@"; }
encode() { "$bt" encode out="$out" "$@"; }
encode_world() { "$bt" encode dataset="$data" subject="$subject" features="$world/features.h5" out="$out" "$@"; }

# --- usage and settings: 2
refuse 2 "did you mean features?" "$out" encode feature=x
refuse 2 "unknown key xyzzy" "$out" encode xyzzy=1
refuse 2 "features" "$out" encode dataset="$data"
refuse 2 "whole number" "$out" encode_world cv.chunk=many
refuse 2 "one of r2|mse" "$out" encode_world select=best
refuse 2 "between" "$out" features model="$model" dataset="$data" window.stride=-1
refuse 2 "alphas" "$out" encode_world alphas=1,-2
refuse 2 "alphas" "$out" encode_world alphas=0
refuse 2 "alphas.logspace" "$out" encode_world alphas.logspace=1,4
refuse 2 "intercept" "$out" encode_world intercept=true
refuse 2 "true or false" "$out" encode_world zscore=perhaps
refuse 2 "delays" "$out" encode_world delays=-1
refuse 2 "subject" "$out" encode dataset="$data" features="$world/features.h5"
refuse 2 "cannot open this settings file" "$out" encode nothing.yaml
printf 'alphas: [1, 2\n' >"$scratch/bad.yaml"
refuse 2 "bad.yaml:" "$out" encode "$scratch/bad.yaml"
printf 'cv:\n  chnk: 20\n' >"$scratch/bad.yaml"
refuse 2 "bad.yaml:2:.*cv.chunk" "$out" encode "$scratch/bad.yaml"
refuse 2 "memory" "$out" encode_world memory=1kB
refuse 2 "layer" "$out" features model="$model" dataset="$data" layers=99
refuse 2 "model=" "$out" features dataset="$data"
refuse 2 "grid.voxel" "$out" encode_world grid.voxel=3
refuse 2 "voice" "$scratch/out/sim" "$bt" simulate voices=nobody out="$scratch/out/sim"
refuse 2 "model.heads" "$scratch/out/sim" "$bt" simulate model.heads=5 model.hidden=16 out="$scratch/out/sim"

# --- input data: 3
refuse 3 "no-such-folder" "$out" features model="$model" dataset="$scratch/no-such-folder"
refuse 3 "nothing.wav" "$out" features model="$model" audio="$scratch/nothing.wav"
: >"$scratch/empty.wav"
refuse 3 "empty" "$out" features model="$model" audio="$scratch/empty.wav"
head -c 3000 "$data/stimuli/$first" >"$scratch/cut.wav"
refuse 3 "cut.wav" "$out" features model="$model" audio="$scratch/cut.wav"
head -c 44 "$data/stimuli/$first" >"$scratch/header.wav"
refuse 3 "header.wav" "$out" features model="$model" audio="$scratch/header.wav"
printf 'not a sound at all, just words\n' >"$scratch/words.wav"
refuse 3 "words.wav" "$out" features model="$model" audio="$scratch/words.wav"
printf '/annex/objects/MD5E-s1000--0123456789abcdef0123456789abcdef.wav\n' >"$scratch/stub.wav"
refuse 3 "datalad get" "$out" features model="$model" audio="$scratch/stub.wav"
ln -s .git/annex/objects/aa/bb/MD5E-s1--00/MD5E-s1--00.wav "$scratch/link.wav"
refuse 3 "datalad get" "$out" features model="$model" audio="$scratch/link.wav"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n' >"$scratch/lfs.wav"
refuse 3 "git lfs pull" "$out" features model="$model" audio="$scratch/lfs.wav"
little() { printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)) | sed 's/../\\x&/g'; }
# wav NAME RATE FORMAT BITS BYTES: a header, and BYTES bytes of samples from standard input
wav() {
    {
        printf "RIFF$(little $((36 + $5)))WAVEfmt $(little 16)\\x0$3\\x00\\x01\\x00$(little "$2")$(little $(($2 * $4 / 8)))"
        printf "$(little $(($4 / 8)) | cut -c1-8)$(little "$4" | cut -c1-8)data$(little "$5")"
        head -c "$5"
    } >"$scratch/$1.wav"
}
wav good 16000 1 16 32000 </dev/zero
wav short 16000 1 16 400 </dev/zero # shorter than the model's first frame
refuse 3 "short.wav" "$out" features model="$model" audio="$scratch/short.wav"
wav slow 100 1 16 32000 </dev/zero
refuse 3 "slow.wav.*100 Hz" "$out" features model="$model" audio="$scratch/slow.wav"
{ for _ in {1..12000}; do printf '\x00\x00\xc0\x7f'; done; } | wav nan 16000 3 32 48000
refuse 3 "nan.wav.*\(NaN\|nan\|finite\)" "$out" features model="$model" audio="$scratch/nan.wav"

copy_world annexed
printf '/annex/objects/MD5E-s1--00.TextGrid\n' >"$broken/derivative/TextGrids/$story.TextGrid"
refuse 3 "datalad get" "$out" "$bt" lowlevel dataset="$broken" features=word_rate out="$out"
copy_world no_transcript
rm "$broken/derivative/TextGrids/$story.TextGrid"
refuse 3 "$story.TextGrid" "$out" "$bt" lowlevel dataset="$broken" features=word_rate out="$out"
copy_world bad_transcript
printf 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n10\n<exists>\n1\n"IntervalTier"\n"word"\n0\n' >"$broken/derivative/TextGrids/$story.TextGrid"
refuse 3 "$story.TextGrid" "$out" "$bt" lowlevel dataset="$broken" features=word_rate out="$out"
refuse 3 "nostory" "$out" features model="$model" dataset="$data" stories=nostory
copy_world bad_respdict
printf '{"a": "many"}' >"$broken/derivative/respdict.json"
refuse 3 "respdict.json" "$out" features model="$model" dataset="$broken"
printf '{"a": 1' >"$broken/derivative/respdict.json"
refuse 3 "respdict.json" "$out" features model="$model" dataset="$broken"

copy_world no_response
rm "$broken/derivative/preprocessed_data/$subject/$story.hf5"
refuse 3 "$story" "$out" "$bt" encode dataset="$broken" subject="$subject" features="$world/features.h5" out="$out"
copy_world cut_response
head -c 2000 "$data/derivative/preprocessed_data/$subject/$story.hf5" >"$broken/derivative/preprocessed_data/$subject/$story.hf5"
refuse 3 "$story.hf5" "$out" "$bt" encode dataset="$broken" subject="$subject" features="$world/features.h5" out="$out"
copy_world stub_response
printf '/annex/objects/MD5E-s1--00.hf5\n' >"$broken/derivative/preprocessed_data/$subject/$story.hf5"
refuse 3 "datalad get" "$out" "$bt" encode dataset="$broken" subject="$subject" features="$world/features.h5" out="$out"
copy_world other_rows
awk '{ gsub(/: *[0-9]+/, ": 60"); print }' "$data/derivative/respdict.json" >"$broken/derivative/respdict.json"
refuse 3 "rows" "$out" "$bt" encode dataset="$broken" subject="$subject" features="$world/features.h5" out="$out"
refuse 3 "nobody" "$out" "$bt" encode dataset="$data" subject=nobody features="$world/features.h5" out="$out"
refuse 3 "did you mean\|nearest\|has" "$out" encode_world layers=77
refuse 3 "lowlevel.h5" "$out" "$bt" encode dataset="$data" subject="$subject" features="$world/lowlevel.h5" layers=1 out="$out"

copy_world no_tensor
sed -i 's/feature_projection.projection.bias/feature_projection.projection.bijs/' "$broken/model/model.safetensors"
refuse 3 "feature_projection.projection.bias" "$out" features model="$broken/model" dataset="$data"
copy_world cut_model
head -c 5000 "$data/model/model.safetensors" >"$broken/model/model.safetensors"
refuse 3 "model.safetensors" "$out" features model="$broken/model" dataset="$data"
copy_world other_shape
sed -i 's/"hidden_size": *16/"hidden_size": 32/' "$broken/model/config.json"
refuse 3 "shape\|expected" "$out" features model="$broken/model" dataset="$data"
copy_world other_family
sed -i 's/"wav2vec2"/"speech3000"/' "$broken/model/config.json"
refuse 3 "speech3000.*wav2vec2" "$out" features model="$broken/model" dataset="$data"
copy_world no_field
sed -i '/"num_attention_heads"/d' "$broken/model/config.json"
refuse 3 "num_attention_heads" "$out" features model="$broken/model" dataset="$data"
copy_world no_config
rm "$broken/model/config.json"
refuse 3 "config.json" "$out" features model="$broken/model" dataset="$data"

# plain matrices, written by hand: npy NAME ROWS COLUMNS [ROW-GENERATOR awk expression of i, j]
npy() {
    local header
    header=$(printf "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" "$2" "$3")
    {
        printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
        awk -v n="$2" -v m="$3" 'BEGIN { srand(7); for (i = 0; i < n * m; ++i) printf "%d\n", rand() * 256 }' |
            while read -r byte; do printf "\\x00\\x00\\x$(printf %02x "$byte")\\x3f"; done
    } >"$scratch/$1.npy"
}
npy X 60 4; npy Y 60 3; npy X2 20 4; npy Y2 20 3; npy Xwide 60 5; npy Yshort 50 3; npy Y2other 20 2; npy folds0 1 60
plain() { "$bt" encode features="$scratch/${1}.npy" responses="$scratch/${2}.npy" test.features="$scratch/${3}.npy" \
    test.responses="$scratch/${4}.npy" out="$out" "${@:5}"; }
plain X Y X2 Y2 cv.chunk=5 >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "the good matrices"; }
mpi_out=$scratch/out/ranks.h5
on_ranks 4 "$bt" encode features="$scratch/X.npy" responses="$scratch/Y.npy" test.features="$scratch/X2.npy" \
    test.responses="$scratch/Y2.npy" cv.chunk=5 out="$mpi_out" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "more ranks than voxels"; }
h5diff -d 1e-5 "$out" "$mpi_out" || fail "more ranks than voxels: other numbers"
rm -f "$scratch"/out/*
# voxel 0 constant, voxel 1 NaN: counted, left in place, not fatal
{ head -c 128 "$scratch/Y.npy"; for i in {1..60}; do printf '\x00\x00\x80\x3f\x00\x00\xc0\x7f\x00\x00'"\\x$(printf %02x $((i * 4 % 128)))"'\x3f'; done; } >"$scratch/Yodd.npy"
message=$(plain X Yodd X2 Y2 cv.chunk=5 2>&1) || fail "odd voxels are fatal: $message"
grep -q "1 with NaN and 1 without variance" <<<"$message" || fail "odd voxels are not counted: $message"
[ "$(h5dump -y -w 1 -d /r "$out" | grep -c -i nan)" -eq 2 ] || fail "odd voxels have no NaN in their place"
rm -f "$scratch"/out/*
refuse 3 "Yshort.npy" "$out" plain X Yshort X2 Y2
refuse 3 "X2.npy\|Xwide.npy" "$out" plain Xwide Y X2 Y2
refuse 3 "Y2other.npy" "$out" plain X Y X2 Y2other
refuse 3 "nothing.npy" "$out" plain nothing Y X2 Y2
head -c 200 "$scratch/X.npy" >"$scratch/cut.npy"
refuse 3 "cut.npy" "$out" plain cut Y X2 Y2
printf 'PK\x03\x04 not numpy' >"$scratch/zip.npy"
refuse 3 "zip.npy" "$out" plain zip Y X2 Y2
sed 's/<f4/|O4/' "$scratch/X.npy" >"$scratch/object.npy"
refuse 3 "object" "$out" plain object Y X2 Y2
refuse 3 "h5" "$out" "$bt" encode features="$world/features.h5:/none" responses="$scratch/Y.npy" test.features="$scratch/X2.npy" test.responses="$scratch/Y2.npy" out="$out"
refuse 2 "cv.folds" "$out" plain X Y X2 Y2 cv.scheme=given
refuse 3 "folds" "$out" plain X Y X2 Y2 cv.scheme=given cv.folds="$scratch/folds0.npy"
refuse 2 "cv.chunk\|chunk" "$out" plain X Y X2 Y2 cv.chunk=500
refuse 2 "cv.held_out\|holds out" "$out" plain X Y X2 Y2 cv.held_out=1 cv.chunk=5
refuse 2 "mask" "$out" "$bt" encode features="$scratch/X.npy" responses="$scratch/a.nii.gz" test.features="$scratch/X2.npy" test.responses="$scratch/b.nii.gz" out="$out"

# a result with another recipe at out=
encode_world >/dev/null 2>&1 || fail "the good world"
refuse 2 "cv.seed\|delays" "" encode_world delays=1,2
encode_world >/dev/null 2>&1 || fail "the same recipe is success"
printf 'mine' >"$scratch/out/mine.h5"
refuse 2 "mine.h5" "" "$bt" encode dataset="$data" subject="$subject" features="$world/features.h5" out="$scratch/out/mine.h5"
[ "$(cat "$scratch/out/mine.h5")" = mine ] || fail "a file that is not ours was replaced"

# --- file system: 4. A read-only disk is a read-only mount, a full one a 1 MiB tmpfs; root is needed for both.
if mkdir -p "$scratch/disk" && mount -t tmpfs -o size=1m tmpfs "$scratch/disk" 2>/dev/null; then
    trap 'umount "$scratch/disk" 2>/dev/null || true; rm -rf "$scratch"' EXIT
    refuse 4 "No space left\|full" "$scratch/disk/sim" "$bt" simulate "${world_settings[@]}" out="$scratch/disk/sim"
    head -c 1048576 /dev/zero >"$scratch/disk/fill" 2>/dev/null || true
    refuse 4 "No space left\|full" "$scratch/disk/x.h5" features model="$model" dataset="$data" out="$scratch/disk/x.h5"
    rm "$scratch/disk/fill"
    mount -o remount,ro "$scratch/disk"
    refuse 4 "Read-only" "$scratch/disk/x.h5" encode_world out="$scratch/disk/x.h5"
    umount "$scratch/disk"
else
    [ "$(id -u)" -ne 0 ] || fail "root cannot mount a tmpfs here"
    chmod 500 "$scratch/disk"
    refuse 4 "denied" "$scratch/disk/x.h5" encode_world out="$scratch/disk/x.h5"
fi
# --- what is no error, but seldom meant
warned() { # PART COMMAND...
    local part=$1 message
    shift
    message=$("$@" 2>&1 >/dev/null) || fail "$* :: $message"
    grep -q -- "warning: .*$part" <<<"$message" || fail "no warning of \"$part\" in: $message :: $*"
}
warned "check timing.tr" features model="$model" dataset="$data" timing.tr=1.2 dry_run=true
warned "TR times lie outside" features model="$model" audio="$scratch/good.wav" tr=2 n_tr=9 dry_run=true
copy_world labels
sed -i 's/"null": [0-9]*/"null": 99/' "$broken/derivative/rois/names.json"
warned "does not name" encode dataset="$broken" subject="$subject" features="$world/features.h5" out="$scratch/out/labels.h5"
for _ in 1 2 3; do # mpirun ends a job when its first rank is gone: the message must be out by then
    BRAINTUNE_FAULT=artefact.computed:fail:1 refuse 4 "injected" "$scratch/out/fault.h5" on_ranks 3 "$bt" encode dataset="$data" \
        subject="$subject" features="$world/features.h5" out="$scratch/out/fault.h5"
done

echo "ok: $tried bad inputs"
[ "$tried" -ge 40 ]
