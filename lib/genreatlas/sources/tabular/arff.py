"""The header of ARFF, the format of Weka and openSMILE: names of attributes before rows of a delimited text.

References: Weka's description of ARFF, https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/.
"""

import re
from collections.abc import Iterator

from genreatlas.errors import InputError
from genreatlas.sources.tabular.delimited import Dialect

#: Rows of ARFF: values are quoted by ' and a backslash escapes.
DIALECT = Dialect(",", quoting=True, backslash=True, blanks=True, quote="'")
_ATTRIBUTE = re.compile(r"""\s*@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"([^"]*)"|(\S+))\s""", re.IGNORECASE)


def read_header(name: str, lines: Iterator[str]) -> tuple[list[str], int]:
    """Names of the columns, and the number of the line after ``@data``.

    Raises
    ------
    InputError : there are no attributes or no data, or an attribute cannot be read.
    """
    columns: list[str] = []
    for number, line in enumerate(lines, start=1):
        word = line.strip().lower()
        if word.startswith("@attribute"):
            found = _ATTRIBUTE.match(line)
            if not found:
                raise InputError(f"{name} line {number}: an attribute without a name or a type.")
            columns.append(next(group for group in found.groups() if group is not None))
        elif word.startswith("@data"):
            if not columns:
                raise InputError(f"{name}: ARFF without attributes.")
            return columns, number + 1
    raise InputError(f"{name}: ARFF without @data.")


def without_comments(lines: Iterator[str]) -> Iterator[str]:
    """Lines of which those that are comments are blank, so that all keep their numbers."""
    return ("\n" if line.startswith("%") else line for line in lines)
