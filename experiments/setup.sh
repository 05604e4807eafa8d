# Sourced by experiments/quickstart and tests/check: what both need before they can run.
# bt_install PACKAGE... installs what is missing (root or sudo); bt_build PRESET [TARGET] configures and builds everything,
# or one target alone, which needs no cmocka.

BT_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

BT_BUILD_PACKAGES=(
    gcc libc6-dev make cmake ninja-build pkg-config
    openmpi-bin libopenmpi-dev libscalapack-openmpi-dev libhdf5-openmpi-dev
    libopenblas-openmp-dev libdnnl-dev libyaml-dev libsndfile1-dev libsoxr-dev libkissfft-dev
    libjansson-dev libxxhash-dev libzip-dev zlib1g-dev flite1-dev gnuplot-nox fonts-liberation)

bt_install()
{
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local as=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
            echo "These packages are missing and neither root nor sudo is at hand. Ask your administrator for:" >&2
            echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
            return 4
        fi
        as=(sudo)
    fi
    echo "installing: ${missing[*]}" >&2
    local options=(-y -q --no-install-recommends -o DPkg::Lock::Timeout=600)
    "${as[@]}" apt-get update -q >&2 || true
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}" >&2 || {
        echo "apt-get could not install these packages (its own message is above; is its mirror within reach?): ${missing[*]}" >&2
        return 4
    }
}

bt_build()
{
    local build="$BT_SOURCE/.build/$1" tests=(-DBUILD_TESTING=ON) target=()
    local log=$build.log
    if [ $# -gt 1 ]; then
        target=(--target "$2")
        tests=(-DBUILD_TESTING=OFF)
        [ -e "$build/tests/CTestTestfile.cmake" ] && tests=() # a build of tests/check stays one
    fi
    mkdir -p "$BT_SOURCE/.build"
    echo "building ($1)" >&2
    if ! (cd "$BT_SOURCE" && cmake --preset "$1" "${tests[@]}" && cmake --build --preset "$1" "${target[@]}") >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "the build failed; all of it: $log" >&2
        return 4
    fi
}

# Settles how bt_mpirun starts ranks: one thread each, one rank per core (8 at most), bound where the machine lets us.
# Cores, not hardware threads: Open MPI offers no more slots than that, and products gain nothing from the second thread.
bt_mpirun_prepare()
{
    local ranks bind
    if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
    ranks=$(lscpu -p=CORE | grep -v '^#' | sort -u | wc -l) || ranks=0
    if [ "$ranks" -lt 1 ] || [ "$ranks" -gt "$(nproc)" ]; then ranks=$(nproc); fi
    [ "$ranks" -gt 8 ] && ranks=8
    for bind in "${BRAINTUNE_BIND:-core:overload-allowed}" none; do
        BT_MPIRUN=(mpirun --oversubscribe -n "$ranks" --map-by slot:PE=1 --bind-to "$bind")
        "${BT_MPIRUN[@]}" true >/dev/null 2>&1 && return 0
    done
    "${BT_MPIRUN[@]}" true >&2 && return 0
    echo "Open MPI starts no ranks on this machine; its own message is above, the call was: ${BT_MPIRUN[*]} true" >&2
    return 4
}

# Quiet: Open MPI would add a page of its own to each message of ours.
bt_mpirun()
{
    "${BT_MPIRUN[@]}" --quiet "$@"
}
