"""Remove secrets and terminal control characters from text before it is shown.

Used for everything that people read: error messages, log lines, the tables ``runs`` and ``fetch_attempts``, the report
and MLflow. :func:`redact` removes secrets from free text, :func:`redact_value` from a configuration value whose
name is known; :func:`printable` escapes control characters; :func:`shown` does both for output.

Removed are: user information, query and fragment of every URL; values whose names indicate a secret; tokens of
known formats; values of secret environment variables; Spark settings that are not on the list of harmless ones.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: Replaces each removed text.
LEFT_OUT = "(left out)"

#: Text that spreadsheets interpret as a formula: it begins with one of these signs (also full-width, also after
#: whitespace), a tab or a line end.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_KEY = r"(?:api|access|account|private|shared|storage|encryption|master|subscription|signing)[-_. ]?key"
#: Names whose values are secret; ``token_lifetime``, ``token_limit`` and similar names are not.
_WORDS = (
    r"secret|passw(?:or)?d|passphrase|credential|token(?![-_. ]?(?:lifetime|type|url|endpoint|limit|count))|"
    r"(?<!time_)(?<!key_)signature"
    rf"|(?<![a-z])sas(?![a-z])|{_KEY}|sharedaccess|authorization|set-cookie|hmac|hdnea|(?<![a-z])sig(?![a-z])"
)
_SECRET_NAME = re.compile(rf"{_WORDS}|(?<![a-z])pwd(?![a-z])", re.IGNORECASE)
#: Secret environment variables. ``pwd`` is not among them: PWD is the working directory.
_SECRET_VARIABLE = re.compile(_WORDS, re.IGNORECASE)

#: URL scheme of at most four parts (jdbc:postgresql): without a limit, matching a byte dump such as aa:bb:cc would
#: take quadratic time.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*(?::[A-Za-z0-9+.-]+){0,3}"
_ADDRESS = re.compile(rf"(?<![\w+.-])({_SCHEME})://([^\s\"'<>]*)")
#: Schemes where the part before @ is the name of a container.
_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")
_PORT = re.compile(r"[^:]*(?::\d*)?|\[[^\]]*\](?::\d*)?")
#: ``user:password@host`` without a scheme, as in proxy settings, and Oracle's ``thin:user/password@``.
_BARE_USER = re.compile(r"(?<![\w.%+/@-])[\w.%+-]+:[^\s/@:\"'<>]+@(?=[\w\[])")
_ORACLE = re.compile(r"(jdbc:oracle:\w+:)[^@\s\"']*/[^@\s\"']*@", re.IGNORECASE)

_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_PLAIN = r"[^\s,;&\"'<>)\]}]+"
#: ``name=value`` and ``"name": "value"``. The length of names is bounded to bound the matching time. ``_COLON``
#: matches ``name: value`` for the few names that do not occur so in prose.
_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<name>[\w.-]{{0,100}}(?:{_WORDS}|(?<![a-z])pwd(?![a-z]))[\w.-]{{0,100}})"
    rf"(?P<sign>[\"']?\s*=\s*|[\"']\s*:\s*)(?P<value>{_QUOTED}|{_PLAIN})",
    re.IGNORECASE,
)
_COLON = re.compile(
    rf"(?P<name>\b(?:passw(?:or)?d|passphrase|pwd|x-[\w-]*(?:key|token)))(?P<sign>\s*:\s*)(?P<value>{_QUOTED}|{_PLAIN})",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic|digest|negotiate|token)\s+)?[^\s\"',;)}\]]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]{12,}", re.IGNORECASE)
#: Tokens of known formats.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bdapi[0-9a-f]{32}(?:-\d+)?\b|\bdkea[0-9a-f]{32}\b|\bdose[0-9a-f]{32}\b"
    r"|\bAIza[\w-]{35}|\bya29\.[\w.-]{20,}|\bGOCSPX-[\w-]{20,}"
    r"|\bxox[abeprs]-[\w-]{10,}|\bhf_\w{20,}|\bpypi-[\w-]{30,}|\bsk-[\w-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    re.DOTALL,
)

#: Spark settings whose values are shown: names, or beginnings of names that end in a point. Everything else may be a
#: key (``spark.hadoop.fs.s3a.secret.key``) or hold one (``spark.driver.extraJavaOptions``).
_SPARK_SHOWN = (
    "spark.app.name", "spark.default.parallelism", "spark.jars", "spark.jars.packages", "spark.log.level",
    "spark.locality.wait", "spark.master", "spark.network.timeout", "spark.rpc.message.maxSize", "spark.serializer",
    "spark.speculation", "spark.submit.deployMode", "spark.pyspark.python", "spark.pyspark.driver.python",
    "spark.driver.memory", "spark.driver.memoryOverhead", "spark.driver.cores", "spark.driver.maxResultSize",
    "spark.driver.host", "spark.driver.bindAddress",
    "spark.executor.memory", "spark.executor.memoryOverhead", "spark.executor.memoryOverheadFactor",
    "spark.executor.cores", "spark.executor.instances", "spark.executor.pyspark.memory",
    "spark.executorEnv.OMP_NUM_THREADS", "spark.executorEnv.OPENBLAS_NUM_THREADS", "spark.executorEnv.MKL_NUM_THREADS",
    "spark.executorEnv.NUMBA_NUM_THREADS", "spark.ui.enabled", "spark.ui.port", "spark.ui.showConsoleProgress",
    "spark.sql.catalog.spark_catalog", "spark.sql.extensions", "spark.sql.warehouse.dir",
    "spark.sql.ansi.enabled", "spark.sql.caseSensitive", "spark.sql.session.timeZone", "spark.sql.shuffle.partitions",
    "spark.sql.adaptive.", "spark.sql.autoBroadcastJoinThreshold", "spark.sql.broadcastTimeout", "spark.sql.codegen.",
    "spark.sql.execution.", "spark.sql.files.", "spark.sql.inMemoryColumnarStorage.", "spark.sql.join.",
    "spark.sql.legacy.", "spark.sql.optimizer.", "spark.sql.parquet.", "spark.sql.sources.",
    "spark.databricks.delta.", "spark.delta.logStore.", "spark.dynamicAllocation.", "spark.cleaner.", "spark.eventLog.",
    "spark.memory.", "spark.python.", "spark.scheduler.", "spark.shuffle.", "spark.speculation.", "spark.stage.",
    "spark.task.",
)  # fmt: skip

#: Control characters except tab and line feed, bidirectional controls, invisible characters and lone surrogates.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def shown(text: object) -> str:
    """Convert to text for output: secrets removed, control characters escaped."""
    return printable(redact(str(text)))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would interpret a CSV cell as a formula."""
    return _FORMULA.match(text) is not None


def printable(text: str) -> str:
    """Escape control characters of terminals and of text direction, as in ``\\x1b`` and ``\\u202e``."""
    return _STEERING.sub(lambda found: _escaped(found.group()), text)


def redact(text: str) -> str:
    """Remove secrets from free text; the module docstring lists what is removed."""
    for secret in _environment_secrets():
        text = text.replace(secret, LEFT_OUT)
    text = _ORACLE.sub(r"\1", text)
    text = _ADDRESS.sub(lambda found: _without_user(found.group(1), found.group(2)), text)
    text = _BARE_USER.sub("", text)
    text = _HEADER.sub(rf"\1{LEFT_OUT}", text)
    text = _BEARER.sub(rf"\1{LEFT_OUT}", text)
    text = _ASSIGNED.sub(_assignment, text)
    text = _COLON.sub(_assignment, text)
    return _SHAPES.sub(LEFT_OUT, text)


def redact_url(url: str) -> str:
    """Remove user information, query and fragment from a URL: they may contain secrets and signatures."""
    scheme, sign, rest = url.partition("://")
    return _without_user(scheme, rest) if sign else redact(url)


def redact_value(name: str, value: Any) -> Any:
    """Remove secrets from a configuration value; numbers and booleans are kept.

    Parameters
    ----------
    name : dotted key, such as ``mlflow.tracking_uri``; name of a section; or empty for the whole configuration.
    value : value of the key, or the section or its ``model_dump``.
    """
    if name == "spark.settings" and isinstance(value, Mapping):
        return {redact(str(key)): _spark_setting(str(key), item) for key, item in value.items()}
    if name.startswith("spark.settings."):
        return _spark_setting(name.removeprefix("spark.settings."), value)
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return {redact(str(key)): redact_value(f"{name}.{key}".lstrip("."), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(name, item) for item in value]
    if isinstance(value, str | Path):
        secret = value and _SECRET_NAME.search(name.rpartition(".")[2])
        return LEFT_OUT if secret else redact(str(value))
    return value


def is_secret_name(name: str) -> bool:
    """Whether a name indicates that its value is secret."""
    return _SECRET_NAME.search(name) is not None


class _ShownFilter(logging.Filter):
    """Applies :func:`shown` to log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = shown(record.getMessage()), None
        return True


def shown_log(name: str) -> logging.Logger:
    """The logger of a module, with :func:`shown` applied to its records."""
    log = logging.getLogger(name)
    if not any(isinstance(known, _ShownFilter) for known in log.filters):
        log.addFilter(_ShownFilter())
    return log


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_user(scheme: str, rest: str) -> str:
    """Remove user, query and fragment from a URL; the password may contain characters that end an authority."""
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    user, at, _ = authority.rpartition("@")
    if at and (scheme.lower() not in _CONTAINERS or ":" in user):
        rest = rest.rpartition("@")[2] if ":" in user else rest[len(user) + 1 :]
    elif not at and "@" in rest and not _PORT.fullmatch(authority):
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{rest if scheme.lower() == 'file' else re.split(r'[?#]', rest, maxsplit=1)[0]}"


def _assignment(found: re.Match[str]) -> str:
    value = found["value"]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found['name']}{found['sign']}{quote}{LEFT_OUT}{quote}"


def _spark_setting(name: str, value: object) -> object:
    harmless = any(name == one or (one.endswith(".") and name.startswith(one)) for one in _SPARK_SHOWN)
    return redact(str(value)) if harmless and not is_secret_name(name) else LEFT_OUT


@cache
def _is_secret_variable(name: str) -> bool:
    return _SECRET_VARIABLE.search(name) is not None


def _environment_secrets() -> list[str]:
    """Values of secret environment variables, longest first, except short values (words) and existing paths."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= 8 and _is_secret_variable(name) and not os.path.exists(value)  # noqa: PTH110 Path raises on odd ones
    }
    return sorted(found, key=len, reverse=True)
