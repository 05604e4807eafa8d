#!/usr/bin/env bash
# The house's own rules: an upward include does not build; no include leaves its room; the top level holds what it may;
# format; every test source is discovered.
set -euo pipefail
cd "$BRAINTUNE_SOURCE"
fail() { echo "FAILED: $*" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
doors=$BRAINTUNE_PRESET_DIR/doors

# base may not see dist, dist may not see io, io not store, stimulus not extraction; each may see itself.
flags=$(pkg-config --cflags hdf5-openmpi)
try() { # ROOM DOORS HEADER
    local room=$1 header=$3 include=()
    for door in $2; do include+=(-I "$doors/$door"); done
    printf '#include "%s"\n' "$header" >"$scratch/$room.c"
    # shellcheck disable=SC2086
    cc -std=c11 -fsyntax-only "${include[@]}" $flags "$scratch/$room.c" 2>/dev/null
}
try base "base" base/status.h || fail "base does not see itself"
try base "base" dist/comm.h && fail "base sees dist: an upward include builds"
try dist "base device dist" io/hdf5.h && fail "dist sees io: an upward include builds"
try io "base device dist io" store/recipe.h && fail "io sees store: an upward include builds"
try stimulus "base device dist io stimulus" encoding/encode.h && fail "stimulus sees encoding"
try sweep "base device dist io store stimulus sweep" reporting/collect.h && fail "sweep sees reporting beside it"
grep -rnE '#include "(simulate|extraction|tuning|encoding|probing|reporting|cli)/' src/sweep && fail "sweep names a stage's room"

# The same through CMake: a room whose source includes upward must not build.
mkdir -p "$scratch/tree"
cp -r CMakeLists.txt src "$scratch/tree/"
mkdir -p "$scratch/tree/tests"
touch "$scratch/tree/tests/CMakeLists.txt"
cmake -G Ninja -S "$scratch/tree" -B "$scratch/build" -DBUILD_TESTING=OFF >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "configure"; }
cmake --build "$scratch/build" --target bt_base >"$scratch/log" 2>&1 || fail "base does not build"
sed -i '1i #include "dist/comm.h"' "$scratch/tree/src/base/clock.c"
cmake --build "$scratch/build" --target bt_base >"$scratch/log" 2>&1 && fail "an upward include built"
grep -q 'dist/comm.h' "$scratch/log" || fail "the build failed for another reason"

grep -rnE '#include "(\.\./|[^/"]+")' src --include='*.[ch]' && fail "includes name their room: \"room/file.h\""
grep -rnE '#include ".*\.c"' src tests --include='*.[ch]' && fail "a source includes a source"
grep -rlE 'MPI_COMM_WORLD' src --include='*.c' | grep -v '^src/cli/' && fail "MPI_COMM_WORLD outside cli"
grep -rnE 'cblas_|dnnl_|dgemm_|dstedc_|dsytrd_|dsyev_|dpbtrf_' src --include='*.c' | grep -vE '^src/(device|dist)/' && fail "a library call outside device and dist"
grep -rnE '\b(malloc|calloc|realloc|free)\(' src --include='*.c' | grep -vE '^src/base/memory.c|bt_free|bt_calloc|library' && fail "memory that is not counted"

if [ -d .git ]; then
    extra=$(git ls-files | cut -d/ -f1 | sort -u | grep -vE '^(CMakeLists.txt|CMakePresets.json|README.md|LICENSE|src|experiments|slurm|analysis|tests|\..*)$' || true)
    [ -z "$extra" ] || fail "top level: $extra"
fi

mapfile -t sources < <(find src tests -name '*.[ch]')
clang-format --dry-run --Werror "${sources[@]}" 2>"$scratch/format" || { head -n 20 "$scratch/format"; fail "clang-format"; }

known=$(cd "$BRAINTUNE_PRESET_DIR" && ctest -N)
for source in tests/unit/*/test_*.c tests/mpi/*/test_*.c tests/e2e/test_*.sh; do
    name=${source#tests/}
    name=${name%.*}
    name=$(sed -E 's,/test_,.,; s,/,.,g' <<<"$name")
    grep -qE "[: ]$name(\.[0-9])?$" <<<"$known" || fail "$source is no test of ctest's ($name)"
done
stray=$(find tests/unit tests/mpi tests/e2e -type f \( -name '*.c' -o -name '*.sh' \) ! -name 'test_*' ! -name 'support*' | head)
[ -z "$stray" ] || fail "files that no rule makes a test: $stray"
echo "ok"
