"""Look for secrets in everything that a run leaves: tables with all their versions, staging, logs, Spark's events."""

import contextlib
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

#: Credentials of runs against the sandbox world; it takes any.
CREDENTIALS = {"SPOTIFY_CLIENT_ID": "sandbox-client", "SPOTIFY_CLIENT_SECRET": "nobody-may-see-me"}
#: The secret, as it is and as HTTP sends it, tokens where a request carries one, and signatures of addresses.
_SECRET = re.compile(
    r"nobody-may-see-me|bm9ib2R5LW1heS1zZWUtbW|Bearer [\w-]{20}|access_token.{1,5}[\w-]{40}|hmac=|hdnea="
)


def assert_no_secret_in(text: str, where: object) -> None:
    """Fail where a text holds a secret."""
    found = _SECRET.search(text)
    assert found is None, f"{where}: {text[max(found.start() - 80, 0) : found.end() + 20]}"


def assert_no_secret_below(home: Path) -> int:
    """Fail where any file below a folder holds a secret, in its bytes or, of Parquet, in its values.

    Returns
    -------
    Number of files that were searched.
    """
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    for path in files:
        assert_no_secret_in(path.read_bytes().decode("latin-1"), path)
        if path.suffix == ".parquet":
            with contextlib.suppress(pa.ArrowInvalid):  # half a file that a killed run left
                assert_no_secret_in(str(pq.read_table(path).to_pylist()), path)
    return len(files)
