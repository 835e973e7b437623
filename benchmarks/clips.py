"""Clips for benchmarks: reproducible composed clips, and clips of real music if available."""

from pathlib import Path

from genreatlas.config.sections import SandboxSection
from genreatlas.sandbox import GENRES, plan_library, write_library


def clip_paths(work: Path, data: Path, count: int) -> tuple[str, ...]:
    """Up to ``count`` composed clips of 30 s and up to ``count`` clips of ``data/music``, spread over their folders."""
    section = SandboxSection(
        path=work / "library", artists_per_genre=2, songs_per_artist=1, broken_files=False, genres=tuple(GENRES)[:10]
    )
    write_library(section)
    composed = [str(section.path / file.path) for file in plan_library(section)]
    music = sorted(str(path) for path in (data / "music").glob("*/*.mp3"))
    return (*_spread(composed, count), *_spread(music, count))


def _spread(paths: list[str], count: int) -> list[str]:
    step = max(1, len(paths) / count) if count else 1
    return [paths[int(i * step)] for i in range(min(count, len(paths)))]
