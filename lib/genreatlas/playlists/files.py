"""Files of playlists: M3U, XSPF and CSV are written, M3U and XSPF are read, whoever wrote them."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes
from xml.etree import ElementTree

from genreatlas.config.recipes import Format
from genreatlas.errors import InputError
from genreatlas.ids import stable_id
from genreatlas.sources.tabular import open_text

_NAMESPACE = "http://xspf.org/ns/0/"
#: What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Signs with which a spreadsheet takes a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]+://")
_LONGEST_NAME = 80
_MOST_MB = 64


@dataclass(frozen=True)
class Line:
    """A song as files of playlists list it.

    Attributes
    ----------
    path : absolute path of the song's file; None where it has none.
    link : address of the song, where there is no file.
    title, artist, album, reason : texts, empty where not known.
    seconds : length of what is played; None where it is not known.
    song_id, isrc : identifiers.
    facts : further columns of the CSV.
    """

    path: bytes | None
    link: str
    title: str
    artist: str
    album: str
    reason: str
    seconds: float | None
    song_id: str
    isrc: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def called(self) -> str:
        """Artist and title in one line."""
        return " - ".join(part for part in (_line(self.artist), _line(self.title)) if part) or self.song_id


def file_name(name: str, taken: Sequence[str] = ()) -> str:
    """A name that every file system takes, without its ending: letters, digits, blanks, ``-`` and ``_`` of the name.

    Parameters
    ----------
    taken : other playlists' file names, of which it has to differ in any case of letters.
    """
    plain = unicodedata.normalize("NFC", name)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in " -_" else " " for c in plain)
    kept = " ".join(kept.split())
    while len(kept.encode()) > _LONGEST_NAME:
        kept = kept[:-1]
    kept = kept.strip(" -") or "playlist"
    reserved = re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", kept)
    if kept != plain or reserved or kept.casefold() in {one.casefold() for one in taken}:
        kept = f"{kept} {stable_id('playlist file', name, length=8)}"
    return kept


def write(folder: Path, name: str, file: str, lines: Sequence[Line], formats: Sequence[Format]) -> list[Path]:
    """Write a playlist in some formats; each file is whole or not there. A file that is the same is left as it is.

    Parameters
    ----------
    name : of the playlist.
    file : name of the files without ending.

    Returns
    -------
    The files, in the order of the formats.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for kind in formats:
        content = {"m3u8": m3u8, "xspf": xspf, "csv": as_csv}[kind](name, lines, os.fsencode(folder.absolute()))
        target = folder / f"{file}.{kind}"
        if not target.is_file() or target.read_bytes() != content:
            partly = folder / f".{file}.{kind}.part"
            partly.write_bytes(content)
            partly.replace(target)
        made.append(target)
    return made


def m3u8(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """Extended M3U in UTF-8, with paths relative to the folder it lies in.

    A path whose bytes are no UTF-8, or hold a line break, is written as a ``file:`` address, which keeps every byte.
    A song without file and link is a comment.
    """
    out = ["#EXTM3U", "#EXTENC:UTF-8", f"#PLAYLIST:{_line(name)}"]
    for line in lines:
        place = _m3u_place(line, folder)
        if place is None:
            out.append(f"# no file: {line.called}")
            continue
        seconds = -1 if line.seconds is None else max(0, round(line.seconds))
        out += [f"#EXTINF:{seconds},{line.called}", place]
    return ("\n".join(out) + "\n").encode("utf-8", "replace")


def xspf(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """XSPF 1: locations are relative addresses, percent-encoded from the bytes of the path."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": _NAMESPACE})
    _element(root, "title", name)
    tracks = ElementTree.SubElement(root, "trackList")
    for line in lines:
        track = ElementTree.SubElement(tracks, "track")
        if line.path is not None:
            _element(track, "location", _address(_relative(line.path, folder)))
        elif line.link:
            _element(track, "location", quote(line.link, safe=":/?#[]@!$&'()*+,;=%~"))
        if line.isrc:
            _element(track, "identifier", f"urn:isrc:{quote(line.isrc)}")
        for tag, text in (("title", line.title), ("creator", line.artist), ("annotation", line.reason),
                          ("album", line.album)):  # fmt: skip
            if text:
                _element(track, tag, text)
        if line.seconds is not None:
            _element(track, "duration", str(max(0, round(line.seconds * 1000))))
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def as_csv(name: str, lines: Sequence[Line], folder: bytes) -> bytes:
    """CSV in UTF-8 with a byte order mark, for spreadsheets, in which no cell begins like a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    further = [key for key, _ in lines[0].facts] if lines else []
    writer.writerow(
        ["playlist", "position", "artist", "title", "album", "seconds", "reason", *further, "song_id", "isrc", "place"]
    )
    for number, line in enumerate(lines, 1):
        place = line.link if line.path is None else _relative(line.path, folder).decode("utf-8", "replace")
        seconds = "" if line.seconds is None else f"{line.seconds:.0f}"
        texts = [_cell(name), str(number), *map(_cell, (line.artist, line.title, line.album)), seconds]
        figures = [value for _, value in line.facts]
        writer.writerow([*texts, _cell(line.reason), *figures, line.song_id, line.isrc, _cell(place)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


@dataclass(frozen=True)
class Listed:
    """An entry of somebody's playlist: a path or address as it stands, and what is said of it."""

    place: bytes
    called: str = ""


def read_m3u(path: Path, key: str, encoding: str = "auto") -> list[Listed]:
    """Read an M3U or M3U8 file: UTF-8, UTF-16 or Windows-1252, whatever its name, with or without EXTINF.

    Parameters
    ----------
    key : the setting that names the file, for messages.

    Raises
    ------
    InputError : it cannot be read, or lists nothing.
    """
    text, _ = open_text(path, key, encoding)
    entries: list[Listed] = []
    called = ""
    for raw in text():
        for line in raw.split("\r"):
            line = line.strip("\n\0\ufeff ")
            if line.upper().startswith("#EXTINF:"):
                called = line.partition(",")[2].strip()
            elif line and not line.startswith("#"):
                entries.append(Listed(_bytes(line), called))
                called = ""
    if not entries:
        raise InputError(f"{path}: lists no songs. Set {key}.")
    return entries


def read_xspf(path: Path, key: str) -> list[Listed]:
    """Read an XSPF file.

    Raises
    ------
    InputError : it is no XSPF, or lists nothing.
    """
    try:
        if path.stat().st_size > _MOST_MB << 20:
            raise InputError(f"{path}: larger than {_MOST_MB} MB. Set {key}.")
        parser = ElementTree.XMLParser(target=_NoDoctype())
        root = ElementTree.fromstring(path.read_bytes(), parser)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Set {key}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not XSPF: {error}. Set {key}.") from None
    entries = []
    for track in root.iter():
        if _tag(track) == "track":
            texts = {_tag(child): (child.text or "").strip() for child in track}
            called = " - ".join(part for part in (texts.get("creator", ""), texts.get("title", "")) if part)
            location = texts.get("location", "").encode()
            place = location if _SCHEME.match(location) else unquote_to_bytes(location)
            if place or called:
                entries.append(Listed(place, called))
    if not entries:
        raise InputError(f"{path}: lists no songs. Set {key}.")
    return entries


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses what no XSPF has: the entities of a document type can grow without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type")


def _bytes(line: str) -> bytes:
    """A path as UTF-8; bytes of the file that are none stay as they are."""
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _line(text: str) -> str:
    """A text on one line, without what ends one or steers a terminal."""
    return " ".join("".join(" " if _breaks(c) else c for c in text).split())


def _breaks(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")


def _m3u_place(line: Line, folder: bytes) -> str | None:
    if line.path is None:
        return _line(line.link) or None
    below = _relative(line.path, folder)
    try:
        text = below.decode("utf-8")
    except UnicodeDecodeError:
        return f"file://{quote_from_bytes(line.path)}"
    if any(_breaks(letter) for letter in text) or text != text.strip():
        return f"file://{quote_from_bytes(line.path)}"
    return f"./{text}" if text.startswith("#") or ":" in text.split("/")[0] else text


def _relative(path: bytes, folder: bytes) -> bytes:
    return os.path.relpath(path, folder)


def _address(below: bytes) -> str:
    """A relative address: its first part may not look like a scheme."""
    made = quote_from_bytes(below, safe="/")
    return f"./{made}" if ":" in made.split("/")[0] else made


def _element(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = _NOT_XML.sub("\ufffd", text)


def _cell(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
