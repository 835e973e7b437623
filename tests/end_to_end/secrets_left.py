"""Search for secrets in all files of a run: tables with all their versions, staging, logs and Spark's event logs."""

import contextlib
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

#: Credentials of runs with the sandbox world, which accepts any.
CREDENTIALS = {"SPOTIFY_CLIENT_ID": "sandbox-client", "SPOTIFY_CLIENT_SECRET": "nobody-may-see-me"}
#: The secret in plain text and in base64, tokens in headers and bodies, and signatures of URLs.
_SECRET = re.compile(
    r"nobody-may-see-me|bm9ib2R5LW1heS1zZWUtbW|Bearer [\w-]{20}|access_token.{1,5}[\w-]{40}|hmac=|hdnea="
)


def assert_no_secret_in(text: str, where: object) -> None:
    """Fail if a text contains a secret."""
    found = _SECRET.search(text)
    assert found is None, f"{where}: {text[max(found.start() - 80, 0) : found.end() + 20]}"


def assert_no_secret_below(home: Path) -> int:
    """Fail if any file below a folder contains a secret, in its bytes or, for Parquet, in its values.

    Returns
    -------
    Number of files searched.
    """
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    for path in files:
        assert_no_secret_in(path.read_bytes().decode("latin-1"), path)
        if path.suffix == ".parquet":
            with contextlib.suppress(pa.ArrowInvalid):  # incomplete file left by a killed run
                assert_no_secret_in(str(pq.read_table(path).to_pylist()), path)
    return len(files)
