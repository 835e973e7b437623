"""The questions of docs/sql.md: heading and query."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "sql.md"


def questions() -> list[tuple[str, str]]:
    """Every ``##`` heading with the first SQL block below it."""
    return re.findall(r"^## (.*?)\n.*?^```sql\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
