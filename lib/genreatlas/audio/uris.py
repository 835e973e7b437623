"""Conversion of file names in any encoding to ASCII URIs and back, without loss."""

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

_SCHEME = "file://"
#: Prefix of URIs of clips whose bytes are in the table ``clip_audio``, followed by the clip's id.
FETCHED = "clip_audio:"


def path_bytes(path: str | bytes | os.PathLike[str]) -> bytes:
    """Bytes of a path, the same under every locale.

    ``os.fsencode`` fails on ``é`` in the locale ``C``. Names listed by the file system have undecodable bytes as lone
    surrogates, names from a configuration are valid text; both are converted to the bytes on the disk.
    """
    raw = os.fspath(path)
    return raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")


def path_to_uri(path: str | bytes | os.PathLike[str]) -> str:
    """Percent-encode an absolute path: ``/a b`` is ``file:///a%20b``.

    Raises
    ------
    ValueError : the path is relative.
    """
    raw = path_bytes(path)
    if not raw.startswith(b"/"):
        raise ValueError(f"{readable(raw)}: a relative path has no URI")
    return _SCHEME + quote_from_bytes(raw, safe="/")


def uri_to_path(uri: str) -> bytes:
    """Inverse of :func:`path_to_uri`. Accepts other forms of ``file:`` URIs of this host too.

    Raises
    ------
    ValueError : not a ``file:`` URI.
    """
    if not uri.startswith("file:/"):
        raise ValueError(f"{uri}: not a file: URI")
    rest = uri.removeprefix("file:")
    if rest.startswith("//"):
        host, slash, rest = rest.removeprefix("//").partition("/")
        if host not in ("", "localhost"):
            raise ValueError(f"{uri}: names another host")
        rest = slash + rest
    return unquote_to_bytes(rest)


def readable(path: bytes) -> str:
    """Path as text for display. Bytes that are not UTF-8 are replaced by U+FFFD."""
    return path.decode("utf-8", "replace")
