"""One process at a time commits to a local store; the threads of one do it together."""

import subprocess
import sys
import threading
from pathlib import Path

from genreatlas.store.lease import CommitLock, commit_lock

OTHER = """
import sys
from pathlib import Path
from genreatlas.store.lease import commit_lock
with commit_lock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_process_waits_for_another_that_commits_and_gets_its_turn_when_that_one_ends(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    held = threading.Event()

    def commit():
        with commit_lock(tmp_path).held():
            held.set()

    waiting = threading.Thread(target=commit)
    waiting.start()
    assert not held.wait(0.5)
    other.kill()  # whoever is killed holds nothing
    other.wait()
    assert held.wait(10)
    waiting.join()
    other.stdin.close()
    other.stdout.close()


def test_threads_of_a_process_share_the_lock_and_nest(tmp_path):
    lock = commit_lock(tmp_path)
    assert commit_lock(tmp_path) is lock
    both = threading.Barrier(2, timeout=10)

    def commit():
        with lock.held(), lock.held():
            both.wait()

    threads = [threading.Thread(target=commit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with CommitLock(Path(tmp_path)).held():  # given back by all of them
        pass
