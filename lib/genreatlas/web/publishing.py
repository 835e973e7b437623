"""Replace the current extract atomically: readers see either the old or the new extract.

The site's folder contains ``extracts/<id>`` and the file ``current`` with the id of the current extract. The previous
extract is kept for requests in progress; older ones are removed.
"""

import shutil
from pathlib import Path

from genreatlas.web.extract import CHARTS, OF_GENRES, build
from genreatlas.web.site_data import SiteData

CURRENT, EXTRACTS = "current", "extracts"


def current(path: Path) -> Path | None:
    """Folder of the current extract; None if nothing was published."""
    try:
        name = (path / CURRENT).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    folder = path / EXTRACTS / name
    return folder if name and Path(name).name == name and folder.is_dir() else None


def publish(data: SiteData, path: Path, extract_id: str) -> Path:
    """Build an extract and make it the current one; charts of earlier months are copied from the previous extract.

    Parameters
    ----------
    data : data of the extract.
    path : the site's folder.
    extract_id : name of the extract; an existing extract of this name is replaced.

    Returns
    -------
    Folder of the extract.
    """
    before = current(path)
    folder = path / EXTRACTS / extract_id
    half = path / EXTRACTS / f".{extract_id}.part"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    build(data, half)
    for kind in (CHARTS, OF_GENRES):
        for month in sorted((before / kind).glob("*.parquet")) if before else ():
            if not (half / kind / month.name).exists():
                shutil.copyfile(month, half / kind / month.name)
    if folder.exists():
        old = path / EXTRACTS / f".{extract_id}.old"
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    half.rename(folder)
    pointer = path / f".{CURRENT}.part"
    pointer.write_text(extract_id, encoding="ascii")
    pointer.replace(path / CURRENT)
    kept = {folder, before}
    for other in (path / EXTRACTS).iterdir():
        if other not in kept:
            shutil.rmtree(other, ignore_errors=True)
    return folder
