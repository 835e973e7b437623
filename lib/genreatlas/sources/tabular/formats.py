"""Detect format, compression and encoding of a file from its content.

Unsupported formats are refused with their name, so that no web page or partial table is used for training.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from genreatlas.errors import ConfigError, InputError

Kind = Literal["text", "arff", "parquet", "arrow"]

#: First bytes of unsupported formats, and their names.
_REFUSED = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"FEA1", "a Feather file of version 1"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (b"RDX", "an R workspace"),
    (b"X\n\0\0\0", "an R object (.rds)"),
    (b"%PDF-", "a PDF"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself (run `git lfs pull`)"),
)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_ARFF = re.compile(rb"(?:\s*%[^\n]*\n|\s*\n)*\s*@relation\b", re.IGNORECASE)
_ADVICE = "Give a CSV, a Parquet file, or a folder of either"
_BLOCK = 1 << 20
_DECOMPRESSION_ERRORS = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile)
#: A UTF-8 character of two to four bytes.
_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}",
)
#: Encodings that may be suggested in messages; with others, short texts are often misclassified.
_OTHERS = [
    "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
_UNDEFINED_IN_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True)
class Encoding:
    """Codec of a text; ``mixed`` means that some bytes are not UTF-8 and are decoded as lone surrogates."""

    codec: str
    mixed: bool = False
    note: str = ""


def open_file(path: bytes | Path) -> IO[bytes]:
    """Open a file and decompress gzip, bzip2, xz, zstd, or a zip of one file.

    Raises
    ------
    InputError : a zip has several files, is encrypted or damaged.
    OSError : the file does not exist or cannot be read.
    """
    file = open(path, "rb")  # noqa: PTH123, SIM115 - a path of bytes; closed by the caller
    head = file.read(8)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(file)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        return io.BytesIO(pa.input_stream(file, compression="zstd").read())
    if head.startswith(b"PK\x03\x04"):
        return _open_zip(shown(path), file)
    return file


def kind_of(name: str, file: IO[bytes]) -> Kind:
    """Format of the content.

    Raises
    ------
    InputError : the format is not supported; the message names it if known.
    """
    head = _start(name, file)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    for first, what in _REFUSED:
        if head.startswith(first):
            raise InputError(f"{name}: {what}. {_ADVICE}.")
    if head[257:262] == b"ustar":
        raise InputError(f"{name}: a tar archive. Unpack it. {_ADVICE}.")
    text = _plain(head)
    if _HTML.match(text):
        raise InputError(f"{name}: a web page, not a table. Download the table itself.")
    if text.lstrip()[:1] in (b"{", b"[") and re.match(rb'\s*(?:\{\s*"|\[\s*[\[{])', text):
        raise InputError(f"{name}: JSON. {_ADVICE}.")
    if text.lstrip()[:1] == b"<":
        raise InputError(f"{name}: XML. {_ADVICE}.")
    if _ARFF.match(text):
        return "arff"
    if sum(byte < 9 or 13 < byte < 27 for byte in text) > len(text) // 10:
        raise InputError(f"{name}: binary data of an unknown kind. {_ADVICE}.")
    return "text"


def find_encoding(name: str, file: IO[bytes], wanted: str = "auto", key: str = "encoding") -> Encoding:
    """Detect the encoding of a text: UTF-8, UTF-16 or UTF-32, otherwise Windows-1252, which includes Latin-1.

    A text is also UTF-8 if most of its non-ASCII characters are UTF-8 but some bytes are not. Other 8-bit and East
    Asian encodings are refused, with the likely encoding in the message.

    Parameters
    ----------
    file : file, read to its end.
    wanted : codec to be used, or "auto".
    key : name of the setting for messages.

    Raises
    ------
    ConfigError : there is no such codec.
    InputError : the text has no supported encoding, or not the wanted one.
    """
    if wanted != "auto":
        return Encoding(_check(name, file, wanted, key))
    head = _start(name, file)
    file.seek(0)
    if (mark := _mark(head)) and mark != "utf-8-sig":
        return Encoding(mark)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(name, file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
        return Encoding("utf-8")
    except UnicodeDecodeError:
        file.seek(0)
    characters = strange = runs = undefined = 0
    sample = bytearray()
    for line in _lines(name, file):
        if line.isascii():
            continue
        rest = _CHARACTER.sub(b"", line)
        high = [len(run) for run in re.findall(rb"[\x80-\xff]+", rest)]
        characters += (len(line) - len(rest)) // 2
        strange += sum(high)
        runs += sum(length for length in high if length > 2)
        undefined += len(_UNDEFINED_IN_1252.findall(rest))
        if len(sample) < 1 << 16:
            sample += line
    if characters > strange:
        note = "some bytes are not UTF-8 and are read as Windows-1252"
        return Encoding("utf-8", mixed=True, note=note)
    if runs > 0.3 * strange or undefined > 0.05 * strange:
        likely = _likely(bytes(sample))
        hint = f'it may be {likely}. Set {key} = "{likely}"' if likely else f"set {key} (cp1251, shift_jis, ...)"
        raise InputError(f"{name}: the text is neither UTF-8 nor Windows-1252 (Latin-1); {hint}, or save it as UTF-8.")
    codec = "latin-1" if undefined else "cp1252"
    return Encoding(codec, note=f"not UTF-8; read as Windows-1252 (Latin-1). Set {key} if names look wrong")


def text_lines(name: str, file: IO[bytes], encoding: Encoding) -> Iterator[str]:
    """Lines of a text, with unchanged line ends.

    Raises
    ------
    InputError : compressed data are truncated, or the text is not in the encoding.
    """
    errors = "surrogateescape" if encoding.mixed else "strict"
    codec = "utf-8-sig" if encoding.codec == "utf-8" else encoding.codec
    text = io.TextIOWrapper(file, encoding=codec, errors=errors, newline="")
    number = 0
    try:
        for number, line in enumerate(text, start=1):  # noqa: B007 - the number is for the message
            yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{name} after line {number}: not {encoding.codec}: {error.reason}.") from None
    except _DECOMPRESSION_ERRORS as error:
        raise _cut(name, error) from None
    finally:
        text.close()


def read_all(name: str, file: IO[bytes]) -> bytes:
    """Complete content of a file.

    Raises
    ------
    InputError : compressed data are truncated.
    """
    return b"".join(_blocks(name, file))


def repaired(text: str) -> str:
    """Replace lone surrogates, so that tables can store the text: bytes that were not UTF-8 become Windows-1252."""
    if text.isascii():
        return text
    text = re.sub("[\udc80-\udcff]", lambda found: _from_1252(ord(found[0]) - 0xDC00), text)
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def shown(path: bytes | Path) -> str:
    """Path as text for messages."""
    return path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path)


def _from_1252(byte: int) -> str:
    return bytes([byte]).decode("cp1252", "ignore") or chr(byte)


def _start(name: str, file: IO[bytes]) -> bytes:
    file.seek(0)
    try:
        return file.read(1 << 14)
    except (*_DECOMPRESSION_ERRORS, OSError) as error:
        raise _cut(name, error) from None
    finally:
        file.seek(0)


def _plain(head: bytes) -> bytes:
    """Start of a text for tests of ASCII content: UTF-16 and UTF-32 are converted to ASCII, other bytes unchanged."""
    mark = _mark(head)
    if mark is None:
        return head
    return head[: len(head) // 4 * 4].decode(mark, "replace").lstrip("\ufeff").encode("ascii", "replace")


def _mark(head: bytes) -> str | None:
    """Codec by byte order mark, or UTF-16 without a mark by the positions of zero bytes; otherwise None."""
    for codec, mark in (
        ("utf-8-sig", codecs.BOM_UTF8),
        ("utf-32", codecs.BOM_UTF32_LE),
        ("utf-32", codecs.BOM_UTF32_BE),
        ("utf-16", codecs.BOM_UTF16_LE),
        ("utf-16", codecs.BOM_UTF16_BE),
    ):
        if head.startswith(mark):
            return codec
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 8 and min(even, odd) < max(even, odd) // 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _check(name: str, file: IO[bytes], wanted: str, key: str) -> str:
    try:
        "".encode(wanted)  # raises for codecs that are not text encodings
        codec = codecs.lookup(wanted).name
        decoder = codecs.getincrementaldecoder(codec)()
    except (LookupError, TypeError):
        raise ConfigError(f"{key} = {wanted!r}: no such encoding. Valid: auto, or a name that Python knows.") from None
    file.seek(0)
    try:
        for block in _blocks(name, file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: the text is not {wanted} ({error.reason}). Set {key} to another encoding.") from None
    return codec


def _likely(sample: bytes) -> str | None:
    """Most likely encoding by charset_normalizer; None if it is not installed, or for texts of less than 200 bytes."""
    if len(sample) < 200:
        return None
    try:
        import charset_normalizer
    except ImportError:
        return None
    best = charset_normalizer.from_bytes(sample, cp_isolation=_OTHERS, enable_fallback=False).best()
    return best.encoding if best else None


def _blocks(name: str, file: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := file.read(_BLOCK):
            yield block
    except _DECOMPRESSION_ERRORS as error:
        raise _cut(name, error) from None


def _lines(name: str, file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in _blocks(name, file):
        whole, end, rest = (rest + block).rpartition(b"\n")
        yield from (whole + end).splitlines()
    yield rest


def _cut(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: the compressed data cannot be unpacked ({error}). Fetch the file again.")


def _open_zip(name: str, file: IO[bytes]) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise _cut(name, error) from None
    members = [one.filename for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MAC")]
    if any(member.startswith(("xl/", "word/")) for member in members):
        raise InputError(f"{name}: an Excel workbook or another office document. Save the sheet as CSV UTF-8.")
    if "content.xml" in members:
        raise InputError(f"{name}: an OpenDocument file. Save the sheet as CSV UTF-8.")
    if members and all(member.endswith(".npy") for member in members):
        raise InputError(f"{name}: NumPy arrays (.npz). {_ADVICE}.")
    if len(members) != 1:
        found = ", ".join(sorted(members)[:5])
        raise InputError(f"{name}: a zip of {len(members)} files ({found}). Unpack it and name one of them.")
    try:
        return archive.open(members[0])
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(f"{name}: {members[0]} in the zip cannot be read: {error}.") from None
