"""Parse the markup of Every Noise's pages: boxes with position, colour and size, links, and table rows.

Every genre and artist is a ``div`` with ``id=item7`` (``nearbyitem7`` and ``mirroritem7`` in the two boxes
of a genre's page) and the classes ``genre`` or ``genre scanme``. Attributes may be quoted or not.

The parser is the standard library's, and no tree is built. Measured on saved pages of 2022, in milliseconds of one
core:

======================================  ===================  ====================  ============
parser                                  a genre's page       the map               6,300 pages
                                        (104 KB, 203 items)  (2.7 MB, 5,800)
======================================  ===================  ====================  ============
this module                             7.5                  218                   0.8 min
BeautifulSoup 4.15 with html.parser     19.8                 630                   2.1 min
BeautifulSoup 4.15 with lxml 6.1        15.2                 606                   1.6 min
lxml.html 6.1                           2.2                  92                    0.2 min
======================================  ===================  ====================  ============

All of them are fast compared with the requests. But pages may be truncated or damaged, and a tree hides this. A tree
closes all open elements, so a page that was cut in half appears complete. An unclosed item contains all following items
(its name becomes the text of all genres); lxml stops at 256 levels and finds 254 of 6,291 genres in a map without
``</div>``. Neither tree keeps the source of a start tag, which is needed to repair ``title="e.g. A "B""``. The code
needed on top of a tree would be as long as the parser below.
"""

import codecs
import email
import email.policy
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

Attributes = Mapping[str, str]

_ITEM = re.compile(r"(nearby|mirror|)item(\d+)", re.IGNORECASE)
_LENGTH = re.compile(r"(?<![\w-])(top|left|font-size)\s*:\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_COLOUR = re.compile(r"(?<![\w-])color\s*:\s*(#[0-9a-f]{3,6}|rgb\([^)]*\))", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MARKS = " \t\r\n\xa0»"
#: Maximum unpacked size in bytes. A page of 6,291 genres has 3 MB.
_LARGEST = 256 << 20
#: Lengths in pixels or per cent above this are treated as damaged.
_LONGEST = 1e6
#: Headers at the start of a page that a browser saved as one file (MHTML).
_MHTML = re.compile(rb"(?:From|MIME-Version|Snapshot-Content-Location|Subject|Content-Type)\s*:", re.IGNORECASE)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True)
class Link:
    """A link outside items and rows."""

    href: str
    text: str
    title: str


@dataclass
class Item:
    """A box of a page with its raw attributes and texts."""

    box: str  #: "" for the page's own canvas, "nearby", "mirror"
    number: int
    attributes: Attributes
    text: str = ""
    link_text: str = ""
    href: str | None = None

    @property
    def name(self) -> str:
        """Text outside the link, or the link's text if there is no other."""
        return _plain(self.text) or _plain(self.link_text)

    @property
    def key(self) -> str | None:
        """First argument of ``playx(...)``: the key of the example track."""
        found = re.search(r"playx?\(\s*[\"']([^\"']*)", self.attributes.get("onclick", ""))
        return found.group(1) if found else None

    @property
    def preview_url(self) -> str | None:
        """URL of the example's preview; None if there is none."""
        url = self.attributes.get("preview_url", "").strip()
        return url if url.lower() not in ("", "none", "null", "undefined") else None

    @property
    def colour(self) -> str | None:
        """Colour as #rrggbb; None if there is none."""
        return colour_of(self.attributes.get("style"))

    def style(self, name: str) -> float | None:
        """Value of ``top`` or ``left`` in pixels, or of ``font-size`` in per cent; None if missing or implausible."""
        lengths = {key.lower(): float(value) for key, value in _LENGTH.findall(self.attributes.get("style", ""))}
        found = lengths.get(name)
        return found if found is not None and abs(found) < _LONGEST else None


@dataclass
class Row:
    """A row of the list: texts of its cells, and its links."""

    cells: list[str] = field(default_factory=list)
    links: list[tuple[Attributes, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Markup:
    """Elements of a page, in their order."""

    items: tuple[Item, ...]
    rows: tuple[Row, ...]
    links: tuple[Link, ...]
    heading: str  #: text of the element with class ``title``
    title: str
    text: str  #: all text outside items, rows and scripts
    complete: bool  #: whether the end of the page was found
    listed: bool  #: whether the end of the table was found


def colour_of(style: str | None) -> str | None:
    """Colour of a style attribute as #rrggbb; None if there is none."""
    found = _COLOUR.search(style or "")
    return _hexadecimal(found.group(1)) if found else None


def read_markup(page: str | bytes) -> Markup:
    """Parse a page; bytes are decoded with :func:`decode_page`."""
    reader = _Reader()
    reader.feed(page if isinstance(page, str) else decode_page(page))
    reader.close()
    return reader.markup()


def unpacked(page: bytes) -> bytes:
    """Unpack a page that was saved with gzip or as MHTML. Of a truncated file, the available part is returned."""
    pieces, size = [], 0
    while page.startswith(b"\x1f\x8b"):
        packed = zlib.decompressobj(31)
        try:
            pieces.append(packed.decompress(page, _LARGEST - size))
        except zlib.error:
            break
        size += len(pieces[-1])
        page = packed.unused_data
        if not page or size >= _LARGEST:
            page = b"".join(pieces)
            break
    if _MHTML.match(page) and b"multipart/related" in page[:4096].lower():
        message = email.message_from_bytes(page, policy=email.policy.compat32)
        parts = (part for part in message.walk() if part.get_content_type() == "text/html")
        return next((bytes(part.get_payload(decode=True) or b"") for part in parts), b"")
    return page


def decode_page(page: bytes) -> str:
    """Decode a page, without changing line ends.

    UTF-16 is recognised by its byte order mark. A page is UTF-8 if it is valid UTF-8, if it declares UTF-8, or if most
    of its non-ASCII bytes are UTF-8; invalid bytes are decoded as Windows-1252. Other pages are decoded with their
    declared encoding, or with Windows-1252.
    """
    page = unpacked(page)
    if page.startswith((b"\xff\xfe", b"\xfe\xff")):
        return page.decode("utf-16", "replace")
    page = page.removeprefix(b"\xef\xbb\xbf")
    try:
        return page.decode()
    except UnicodeDecodeError:
        pass
    found = _CHARSET.search(page[:4096])
    declared = found.group(1).decode().lower() if found else ""
    good = len(_MULTIBYTE.findall(page))
    strange = sum(byte > 0x7F for byte in _MULTIBYTE.sub(b"", page))
    if good > strange or (declared in ("utf-8", "utf8") and good):
        return page.decode(errors="genreatlas.windows-1252")
    try:
        return page.decode(declared or "windows-1252")
    except (UnicodeDecodeError, LookupError):
        return page.decode("windows-1252", "replace")


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("windows-1252", "replace"), error.end


codecs.register_error("genreatlas.windows-1252", _as_windows)


class _Reader(HTMLParser):
    """Collects items, rows and links. Unclosed cells, rows and items end where the next one begins."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._items: list[Item] = []
        self._rows: list[Row] = []
        self._links: list[Link] = []
        self._text: list[str] = []
        self._heading: list[str] = []
        self._title: list[str] = []
        self._item: Item | None = None
        self._row: Row | None = None
        self._anchor: tuple[Attributes, list[str]] | None = None
        self._depth = 0  #: open divs, within the item or within the heading
        self._heading_depth = 0
        self._in: str | None = None
        self._listed = False
        self._complete = False  #: whether the end of the page was found, without items or rows after it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = _mended({name: value or "" for name, value in attrs}, self.get_starttag_text() or "")
        match tag:
            case "div":
                self._start_div(attributes)
            case "a":
                self._end_anchor()
                self._anchor = (attributes, [])
            case "tr":
                self._end_row()
                self._row = Row()
                self._complete = self._listed = False
            case "td" | "th" if self._row is not None:
                self._end_anchor()
                self._row.cells.append("")
            case "script" | "style" | "title":
                self._in = tag
        # Tools that minify a page remove closing tags; these two elements are at the end of every page.
        if attributes.get("id") == "spotifyplayer" or "sigil" in attributes.get("class", "").split():
            self._complete = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "div":
                self._end_div()
            case "a":
                self._end_anchor()
            case "tr" | "table":
                self._end_row()
                self._listed = tag == "table"
            case "body" | "html":
                self._complete = True
            case "script" | "style" | "title":
                self._in = None

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            return
        if self._in == "title":
            self._title.append(data)
        elif self._item is not None:
            if self._anchor is not None:
                self._anchor[1].append(data)
            else:
                self._item.text += data
        else:
            if self._anchor is not None:
                self._anchor[1].append(data)
            if self._row is not None and self._row.cells:
                self._row.cells[-1] += data
            elif self._heading_depth and self._anchor is None:
                self._heading.append(data)
            self._text.append(data)

    def markup(self) -> Markup:
        self._end_anchor()
        self._end_row()
        return Markup(
            items=tuple(self._items),
            rows=tuple(self._rows),
            links=tuple(self._links),
            heading=_plain(" ".join(self._heading)),
            title=_plain(" ".join(self._title)),
            text=" ".join("".join(self._text).split()),
            complete=self._complete,
            listed=self._listed,
        )

    def _start_div(self, attributes: Attributes) -> None:
        found = _ITEM.fullmatch(attributes.get("id", ""))
        if found or "genre" in attributes.get("class", "").split():
            self._end_item()
            box, number = found.groups() if found else ("", "0")
            self._item, self._depth = Item(box.lower(), int(number) if len(number) < 8 else 0, attributes), 1
            self._complete = False
        elif self._item is not None:
            self._depth += 1
        elif self._heading_depth or "title" in attributes.get("class", "").split():
            self._heading_depth += 1

    def _end_div(self) -> None:
        if self._item is not None:
            self._depth -= 1
            if self._depth == 0:
                self._end_item()
        elif self._heading_depth:
            self._heading_depth -= 1

    def _end_item(self) -> None:
        self._end_anchor()
        if self._item is not None:
            self._items.append(self._item)
        self._item = None

    def _end_anchor(self) -> None:
        if self._anchor is None:
            return
        (attributes, texts), self._anchor = self._anchor, None
        text = "".join(texts)
        if self._item is not None:
            self._item.href = self._item.href or attributes.get("href")
            self._item.link_text += text
        elif self._row is not None:
            self._row.links.append((attributes, _plain(text)))
        else:
            self._links.append(Link(attributes.get("href", ""), _plain(text), attributes.get("title", "")))

    def _end_row(self) -> None:
        self._end_anchor()
        if self._row is not None:
            self._row.cells = [_plain(cell) for cell in self._row.cells]
            self._rows.append(self._row)
        self._row = None


def _mended(attributes: dict[str, str], tag: str) -> dict[str, str]:
    """Parse attributes such as ``title="e.g. A "B""`` again, whose values contain unescaped quotation marks."""
    if not any('"' in name or "'" in name for name in attributes):
        return attributes
    for name in ("id", "class", "style", "href", "preview_url", "title", "onclick"):
        found = re.search(rf'\s{name}=(["\'])(.*?)\1(?=\s+[\w-]+\s*=|\s*/?>$)', tag, re.IGNORECASE | re.DOTALL)
        if found:
            attributes[name] = unescape(found.group(2))
    return attributes


def _plain(text: str) -> str:
    """Text with single blanks, and without the arrow at the end of links."""
    return " ".join(text.split()).strip(_MARKS)


def _hexadecimal(colour: str) -> str | None:
    if colour.startswith("#"):
        digits = colour[1:].lower()
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        return f"#{digits}" if len(digits) == 6 else None
    parts = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    return "#" + "".join(f"{min(part, 255):02x}" for part in parts) if len(parts) == 3 else None
