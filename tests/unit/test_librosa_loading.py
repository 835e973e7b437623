"""What stands between librosa's import and everybody who needs it."""

import threading
import time

from genreatlas.audio.librosa_loading import save_compiled_code_one_at_a_time


def test_two_who_compile_at_the_same_time_keep_their_own_code(tmp_path, monkeypatch):
    save_compiled_code_one_at_a_time()
    from numba.core.caching import IndexDataCacheFile

    load_index = IndexDataCacheFile._load_index

    def slowly(self):
        found = load_index(self)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(IndexDataCacheFile, "_load_index", slowly)
    caches = {key: IndexDataCacheFile(str(tmp_path), "kernel", "1") for key in ("float32", "float64")}
    writers = [threading.Thread(target=cache.save, args=(key, f"code for {key}")) for key, cache in caches.items()]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    read = IndexDataCacheFile(str(tmp_path), "kernel", "1")
    assert {key: read.load(key) for key in caches} == {key: f"code for {key}" for key in caches}
