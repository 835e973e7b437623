"""Songs as an M3U8 playlist; whatever stands in a name stays inside its line."""

from collections.abc import Iterable

from genreatlas.values import RowView


def m3u8(songs: Iterable[RowView], base: str) -> str:
    """Write songs that can be played; others are comments.

    Parameters
    ----------
    base : address of the site, with a slash at its end.
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
    """A text without what would end its line."""
    return " ".join(part for part in text.split() if part).replace("\x00", "")
