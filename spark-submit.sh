#!/usr/bin/env bash
# ./spark-submit.sh [spark-submit options] JOB [--conf FILE]... [--set section.key=value]...
#
# Options before the job's name go to spark-submit (--master, --deploy-mode, --driver-memory, --archives,
# ...); those after it go to the job. Without --master the job runs on all cores of this machine. On a cluster the
# workers get dist/cluster-env.tar.gz (`make cluster-env`) where it is there, unless --archives or PYSPARK_PYTHON says what
# else they run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jobs=$(cd "$here/jobs" && ls *.py | sed 's/\.py$//' | tr '\n' ' ')

if [ -z "${PYSPARK_DRIVER_PYTHON:-}" ]; then
    if [ -x "$here/.venv/bin/python" ]; then PYSPARK_DRIVER_PYTHON=$here/.venv/bin/python; else PYSPARK_DRIVER_PYTHON=python3; fi
    export PYSPARK_DRIVER_PYTHON
fi

options=() job="" master="" memory="" jars="" archives=""
while [ $# -gt 0 ]; do
    case $1 in
        -h|--help|"") break ;;
        --master) master=$2; options+=("$1" "$2"); shift 2 ;;
        --master=*|--remote=*) master=${1#*=}; options+=("${1%%=*}" "${1#*=}"); shift ;;
        --remote) master=$2; options+=("$1" "$2"); shift 2 ;;
        --driver-memory|--driver-memory=*) memory=set; options+=("$1"); [[ $1 == *=* ]] || { options+=("$2"); shift; }; shift ;;
        --jars|--packages|--jars=*|--packages=*) jars=set; options+=("$1"); [[ $1 == *=* ]] || { options+=("$2"); shift; }; shift ;;
        --archives|--archives=*) archives=set; options+=("$1"); [[ $1 == *=* ]] || { options+=("$2"); shift; }; shift ;;
        --verbose|--supervise|--kill|--status|--version) options+=("$1"); shift ;;
        --*=*) options+=("$1"); shift ;;
        -*) options+=("$1" "${2?spark-submit.sh: $1 needs a value}"); shift 2 ;;
        *) job=$1; shift; break ;;
    esac
done
if [ -z "$job" ] || [ ! -f "$here/jobs/$job.py" ]; then
    [ -z "$job" ] || echo "spark-submit.sh: unknown job $job" >&2
    echo "usage: ./spark-submit.sh [spark-submit options] JOB [--conf FILE]... [--set section.key=value]..." >&2
    echo "jobs: $jobs" >&2
    exit 2
fi
# Help and checks need no Spark.
[ "$job" != check ] || exec "$PYSPARK_DRIVER_PYTHON" "$here/jobs/check.py" "$@"
for argument in "$@"; do
    case $argument in -h|--help) exec "$PYSPARK_DRIVER_PYTHON" "$here/jobs/$job.py" --help ;; esac
done
export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$here/conf/spark}
# A question may need no Spark either; where it does, the job starts it itself.
if [ "$job" = query ] && [ ${#options[@]} -eq 0 ] && [ -z "${SPARK_REMOTE:-}" ]; then
    exec "$PYSPARK_DRIVER_PYTHON" "$here/jobs/query.py" "$@"
fi
if ! "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version >/dev/null 2>&1; then
    echo "spark-submit.sh: Spark needs Java 17 or later. Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17" >&2
    exit 2
fi

spark_home=${SPARK_HOME:-$("$PYSPARK_DRIVER_PYTHON" -c 'import pyspark, pathlib; print(pathlib.Path(pyspark.__file__).parent)')}
if [ -z "$master" ] && [ -z "${SPARK_REMOTE:-}" ]; then
    # Plain local[*] never tries a failed task again; four tries survive a killed Python worker.
    master="local[*,4]"
    options+=(--master "$master")
fi
export GENREATLAS_MASTER=$master
case $master in
    local*) export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$PYSPARK_DRIVER_PYTHON} SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1} ;;
esac
packed=$here/dist/cluster-env.tar.gz
case $master in
    ""|local*|sc://*) ;; # the same Python; or a server that has its own
    *)
        if [ -z "$archives" ] && [ -z "${PYSPARK_PYTHON:-}" ] && [ -f "$packed" ]; then
            echo "spark-submit.sh: workers run the Python environment of $packed" >&2
            options+=(--archives "$packed#environment")
            export PYSPARK_PYTHON=./environment/bin/python
        fi ;;
esac
[ -n "$memory" ] || options+=(--driver-memory 2g)
if [ -z "$jars" ]; then
    found=$("$PYSPARK_DRIVER_PYTHON" -c 'from genreatlas.session import jars_folder; print(*sorted(jars_folder().glob("*.jar")), sep=",")')
    if [ -n "$found" ]; then
        options+=(--jars "$found")
    else
        options+=(--packages "$("$PYSPARK_DRIVER_PYTHON" -c 'from genreatlas.session import DELTA_PACKAGE; print(DELTA_PACKAGE)')")
    fi
fi
# spark-submit reads the driver's output through a pipe; bars of progress go to the terminal itself.
[ ! -t 2 ] || export GENREATLAS_TERMINAL=${GENREATLAS_TERMINAL-/dev/tty}
case " $* ${GENREATLAS_VERBOSE:+--verbose} " in
    *" --verbose "*) ;; # everything is shown
    *)
        # What Java says at every start and of libraries that it does without; nothing of it is a fault.
        harmless='^WARNING: (Using incubator modules|A (terminally deprecated|restricted) method in |sun\.misc\.Unsafe::|'
        harmless+='java\.lang\.System::load|Use --enable-native-access|Restricted methods will be |'
        harmless+='Please consider reporting this to )|^netlib-(blas|lapack|arpack): '
        exec 2> >(trap '' INT TERM HUP; exec grep -a --line-buffered -vE "$harmless" >&2) ;;
esac
exec "$spark_home/bin/spark-submit" "${options[@]}" "$here/jobs/$job.py" "$@"
