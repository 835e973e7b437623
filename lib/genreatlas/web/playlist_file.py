"""Write songs as an M3U8 playlist; line breaks in names are removed."""

from collections.abc import Iterable

from genreatlas.values import RowView


def m3u8(songs: Iterable[RowView], base: str) -> str:
    """Format songs as M3U8; songs without a clip become comments.

    Parameters
    ----------
    songs : songs of the extract.
    base : address of the site, with a trailing slash.
    """
    lines = ["#EXTM3U"]
    for song in songs:
        name = _line(" - ".join(one for one in (song["artist"], song["title"]) if one) or song["song_id"])
        if song["clip"]:
            lines += [f"#EXTINF:{round(song['clip']['length_s'])},{name}", base + song["clip"]["url"].lstrip("/")]
        else:
            lines.append(f"# {name} (no clip)")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """Remove line breaks and NUL from a text."""
    return " ".join(part for part in text.split() if part).replace("\x00", "")
