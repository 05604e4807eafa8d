#!/usr/bin/env bash
# One braintune command as a Slurm job (whole plans: slurm/submit):
#
#     sbatch --ntasks=16 --cpus-per-task=4 --time=4:00:00 slurm/command.sh encode dataset=... subject=UTS03 features=... out=...
#
# Nothing in it depends on the site; put account, partition, modules into sbatch's options or SBATCH_* variables.
# BRAINTUNE names the program (default: braintune on PATH, else this repository's release build, where the job is
# submitted from its root). A job that is killed can be submitted again as it is: finished work is found, half-made work
# never counts.
#SBATCH --job-name=braintune
#SBATCH --output=braintune-%j.log
#SBATCH --requeue
set -euo pipefail

program=${BRAINTUNE:-$(command -v braintune || echo "${SLURM_SUBMIT_DIR:-.}/.build/release/braintune")}
if [ ! -x "$program" ]; then
    echo "no program at $program: build it (./experiments/quickstart) or set BRAINTUNE" >&2
    exit 2
fi
[ $# -gt 0 ] || { echo "usage: sbatch [options] slurm/command.sh COMMAND [settings.yaml ...] [key=value ...]" >&2; exit 2; }

export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
unset "${!OPENBLAS_@}"
exec srun --mpi="${BRAINTUNE_MPI:-pmix}" --cpus-per-task="$OMP_NUM_THREADS" "$program" "$@"
