"""The package as a zip that a Spark session can send to its workers."""

import io
import zipfile
from pathlib import Path

import genreatlas
from genreatlas.ids import stable_id
from genreatlas.scratch import scratch_folder

#: The earliest time that a zip can hold, so that equal files make equal zips.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def package_zip() -> Path:
    """Write the package's own files to a zip in a folder that nobody else can enter; return its path.

    Workers execute it, so none that lies about is taken for it; the folder goes with this process.
    """
    root = Path(genreatlas.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    contents = [(path.relative_to(root.parent).as_posix(), path.read_bytes()) for path in files]
    name = stable_id(*(part for item in contents for part in (item[0], item[1].hex())), length=12)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for arcname, data in contents:
            archive.writestr(zipfile.ZipInfo(arcname, _EPOCH), data)
    target = scratch_folder("sent") / f"genreatlas-{name}.zip"
    if not target.exists() or target.read_bytes() != written.getvalue():
        target.write_bytes(written.getvalue())
    return target
