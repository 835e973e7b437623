"""How a worker gets ready: where numba keeps what it compiled."""

import os
import subprocess
import sys

from genreatlas.audio.librosa_loading import numba_cache_folder


def test_numba_keeps_its_own_choice_where_it_can_write(monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert numba_cache_folder() is None


def test_a_folder_that_the_user_chose_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert numba_cache_folder() is None


def test_where_packages_are_read_only_compiled_code_goes_to_a_private_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = numba_cache_folder()
    assert folder == tmp_path / f"genreatlas-numba-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_naming_feature_sets_imports_neither_librosa_nor_numba():
    late = "{'librosa', 'numba', 'scipy', 'pyspark'}"
    code = f"import sys, genreatlas.audio.worker; print(sorted({late} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
