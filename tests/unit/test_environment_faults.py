"""Faults of a worker's surroundings are told from those of a file, wherever a worker meets them."""

import errno
import io
import os
import stat
import zipfile

import numpy as np
import pyarrow as pa
import pytest

import genreatlas
from genreatlas import session
from genreatlas.audio import inspection, whole_files, worker
from genreatlas.audio.probe import probe
from genreatlas.audio.worker import ExtractRequest
from genreatlas.config import ClipSection, FanOutSection, LimitsSection
from genreatlas.errors import EnvironmentFaultError, environment_fault
from genreatlas.fanout.work import Task, work_on
from genreatlas.models.engines import task_fits
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
from genreatlas.models.types import FoldTask
from matrix_factory import make_matrix, make_trial


def chained(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'soxr'"), "No module named 'soxr'. Install"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files"),
        (PermissionError(errno.EACCES, "Permission denied", "/cache"), "no permission"),
        (OSError("cannot load library 'libsndfile.so': not found"), "a library cannot be loaded"),
        (RuntimeError("cannot cache function 'f': no locator available for file 'x.py'"), "NUMBA_CACHE_DIR"),
        (chained(ValueError("odd"), ImportError("libomp.so: cannot open shared object file")), "libomp"),
    ],
)
def test_what_every_file_needs_is_told_from_a_fault_of_one(error, words):
    assert words in environment_fault(error)


@pytest.mark.parametrize("error", [ValueError("odd"), ZeroDivisionError(), OSError(errno.EIO, "Input/output error")])
def test_other_exceptions_may_be_a_files_fault(error):
    assert environment_fault(error) is None


@pytest.mark.parametrize(
    ("error", "extracted", "inspected"),
    [
        (ModuleNotFoundError("No module named 'soxr'"), "environment_fault", "environment_fault"),
        (ZeroDivisionError("odd"), "features_failed", "inspection_failed"),
    ],
)
def test_every_worker_names_it(error, extracted, inspected, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    for module in (worker, inspection, whole_files):
        monkeypatch.setattr(module, "run_isolated", fail)
    copy = {"clip_id": "c", "song_id": "s", "uri": "file:///x", "path": "x", "bytes": 1, "modified_ns": 1}
    row = {"audio_id": "a", "sha256": "", "start_s": 0.0, "length_s": 1.0, "feature_sets": ["loudness"]}
    batches = iter([pa.RecordBatch.from_pylist([row | {"copies": [copy]}])])
    (batch,) = worker.extract_batches(ExtractRequest(ClipSection()), batches)
    assert batch.to_pylist()[0]["reason"] == extracted
    file = {"uri": "file:///x", "version": "v", "bytes": 1, "modified_ns": 1}
    request = inspection.InspectRequest(ClipSection(), LimitsSection())
    (batch,) = inspection.inspect_batches(request, iter([pa.RecordBatch.from_pylist([file])]))
    assert batch.to_pylist()[0]["reason"] == inspected
    recipe = whole_files.Recipe("loudness", ClipSection(), LimitsSection(), ())
    item = {"item_id": "i", "uri": "file:///x", "path": "x", "bytes": 1, "modified_ns": 1}
    (batch,) = whole_files.window_batches(recipe, iter([pa.RecordBatch.from_pylist([item])]))
    assert batch.to_pylist()[0]["reason"] == extracted


def test_a_library_that_cannot_be_loaded_is_not_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    import soundfile

    def fail(*_):
        raise OSError("cannot load library 'libsndfile.so'")

    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    monkeypatch.setattr(soundfile, "SoundFile", fail)
    with pytest.raises(OSError, match="cannot load library"):
        probe(tmp_path / "a.wav")
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EMFILE, "Too many open files")))
    with pytest.raises(OSError, match="Too many open files"):
        probe(tmp_path / "a.wav")


def test_a_fetch_ends_at_a_fault_of_its_environment_and_counts_other_exceptions():
    def fetch(row, provider):
        raise row["error"]

    def attempts(error):
        return work_on(Task("k", {"error": error}), ["p"], fetch, FanOutSection(), {}).attempts

    assert [one.reason for one in attempts(ZeroDivisionError("odd"))] == ["fetch_failed"]
    with pytest.raises(EnvironmentFaultError, match="nothing can be fetched: No module named 'x'"):
        attempts(ImportError("No module named 'x'"))


def test_a_candidate_is_not_blamed_for_what_its_worker_lacks(tmp_path, monkeypatch):
    matrix = make_matrix(tmp_path)
    files = MatrixFiles(matrix.dataset_id, matrix.n_classes, matrix.multi, str(matrix.folder))
    settings, trial = GridSettings("macro_f1", calibrate=True, weights=False), make_trial("linear_svc")

    def reasons(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(task_fits, "fit", fail)
        (refitted,) = task_fits.refit_rows(trial, files, settings)
        return task_fits.score_fold(FoldTask("e", trial, 2), files, settings).reason, refitted["reason"]

    assert reasons(OSError(errno.ENOSPC, "No space left on device")) == ("environment_fault",) * 2
    assert reasons(ValueError("odd")) == ("fit_failed",) * 2


def test_the_zip_for_workers_lies_where_nobody_else_can_put_one(tmp_path, monkeypatch):
    path = session.package_zip()
    folder = path.parent.stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o700, os.getuid())
    content = path.read_bytes()
    path.write_bytes(b"planted")
    assert session.package_zip().read_bytes() == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("genreatlas/__init__.py").decode() == (
            session.Path(genreatlas.__file__).read_text(encoding="utf-8")
        )
