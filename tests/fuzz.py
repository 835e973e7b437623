"""Feed damaged sound files to import and extraction: ``make fuzz N=10000 [SEED=0]``.

Every file must yield features or a row with a reason. Files that crash the decoder, take longer than a minute, or have
any other result are kept in a folder and listed; the exit code is then 1.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from genreatlas.audio.isolation import stop_helper
from genreatlas.config import LimitsSection
from mutations import Outcome, fuzz

#: Memory limit of a helper: 250 MB for libraries, and the limit per clip.
LIMITS = LimitsSection(clip_seconds=60.0, clip_memory_mb=256)
BOUND_MB = 250 + LIMITS.clip_memory_mb


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="genreatlas-fuzz-"))
    started, said, outcome = time.monotonic(), 0.0, Outcome()
    numbers = range(arguments.first, arguments.first + arguments.files)
    for done, outcome in fuzz(numbers, arguments.seed, folder, LIMITS):
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{done - numbers.start} files, {len(outcome.faults)} faults, {said - started:.0f} s", flush=True)
    stop_helper()
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // (1024 if sys.platform == "linux" else 2**20)
    for reason, count in outcome.reasons.most_common():
        print(f"{count:7} {reason or 'features'}")
    print(f"largest helper: {megabytes} MB of {BOUND_MB} MB, {time.monotonic() - started:.0f} s")
    for number, fault in sorted(outcome.faults.items()):
        print(f"{folder / str(number)}: {fault}")
    if not outcome.faults:
        folder.rmdir()
    return 1 if outcome.faults or megabytes > BOUND_MB else 0


if __name__ == "__main__":
    sys.exit(main())
