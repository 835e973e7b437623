"""Selection of faults: at a random rate, or by rules that match requests."""

import random
import re
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from genreatlas.errors import ConfigError
from genreatlas.values import JsonObject, JsonView

Service = Literal["everynoise", "spotify", "deezer", "cdn"]
FaultKind = Literal[
    "throttled",  # 429 with Retry-After
    "paused",  # 429 with a Retry-After of a day
    "quota",  # 429 with "reason": "QUOTA_EXCEEDED"
    "error_500",
    "error_502",
    "error_503",
    "reset",  # the connection is reset before a response
    "stall",  # no response, then the connection is closed
    "truncated",  # the body ends before its stated length
    "cut",  # half of the body, with a matching length
    "empty",  # 200 without a body
    "swapped",  # the body of another genre, playlist, track or clip
    "wrong_type",  # the correct body with a wrong content type
    "html",  # an HTML page instead of the content
    "redirect_loop",
    "unauthorized",  # 401: the token is invalid from now on
    "forbidden",  # 403 without a message
    "not_found",
    "expired",  # an expired preview link
    "changed",  # the playlist changes between two of its pages
]
SERVICES: tuple[Service, ...] = get_args(Service)
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

#: Transient faults, which a retry resolves.
PASSING: tuple[FaultKind, ...] = tuple(
    kind for kind in KINDS if kind not in ("paused", "quota", "forbidden", "not_found")
)
#: Services in which a kind occurs; kinds not listed occur in all services.
_WHERE: dict[FaultKind, tuple[Service, ...]] = {
    "quota": ("spotify",),
    "unauthorized": ("spotify",),
    "changed": ("spotify",),
    "expired": ("deezer", "cdn"),
}


@dataclass(frozen=True)
class Rule:
    """A scripted fault.

    Parameters
    ----------
    kind : the fault.
    path : regular expression searched in path and query of a request.
    service : the service; empty: any.
    times : number of affected requests; -1: all.
    skip : number of matching requests that succeed first.
    """

    kind: FaultKind
    path: str = ""
    service: Service | Literal[""] = ""
    times: int = 1
    skip: int = 0


@dataclass(frozen=True)
class Faults:
    """All faults of a world.

    Parameters
    ----------
    share : share of requests with a random fault. It depends on the seed, the address and the number of requests to the
        address, not on the order of requests.
    kinds : kinds of random faults.
    services : services with random faults.
    rules : scripted faults. The first matching rule takes precedence over random faults.
    seed : seed of random faults.
    retry_after_s : ``Retry-After`` of throttled requests, in seconds.
    stall_s : time until the connection of a stalled request is closed, in seconds.
    """

    share: float = 0.0
    kinds: tuple[FaultKind, ...] = PASSING
    services: tuple[Service, ...] = SERVICES
    rules: tuple[Rule, ...] = ()
    seed: int = 7
    retry_after_s: float = 1.0
    stall_s: float = 30.0

    @classmethod
    def of(cls, values: JsonView) -> "Faults":
        """Create faults from the result of :meth:`values`.

        Raises
        ------
        ConfigError : a kind or key is unknown.
        """
        try:
            rules = tuple(Rule(**rule) for rule in values.get("rules", ()))
            lists = {key: tuple(values[key]) for key in ("kinds", "services") if key in values}
            faults = cls(**{**values, **lists, "rules": rules})
        except TypeError as error:
            raise ConfigError(f"faults: {error}") from None
        unknown = {*faults.kinds, *(rule.kind for rule in rules)} - set(KINDS)
        if unknown:
            raise ConfigError(f"faults: unknown kind {min(unknown)!r}. Kinds: {', '.join(KINDS)}.")
        return faults

    def values(self) -> JsonObject:
        """The faults as JSON values."""
        return asdict(self)


@dataclass
class Weather:
    """Decides for each request whether a fault occurs."""

    faults: Faults = field(default_factory=Faults)
    _asked: Counter[str] = field(default_factory=Counter)
    _fitted: Counter[int] = field(default_factory=Counter)

    def change(self, faults: Faults) -> None:
        """Replace the faults."""
        self.faults = faults
        self._asked.clear()
        self._fitted.clear()

    def fault(self, service: Service, path: str) -> FaultKind | None:
        """Fault of the next request to a path; None for success."""
        for place, rule in enumerate(self.faults.rules):
            if rule.service in ("", service) and re.search(rule.path, path):
                self._fitted[place] += 1
                turn = self._fitted[place] - rule.skip
                if turn > 0 and (rule.times < 0 or turn <= rule.times):
                    return rule.kind
        if not self.faults.share or service not in self.faults.services:
            return None
        self._asked[path] += 1
        draw = random.Random(f"{self.faults.seed}:{service}:{path}:{self._asked[path]}")
        kinds = [kind for kind in self.faults.kinds if service in _WHERE.get(kind, SERVICES)]
        return draw.choice(kinds) if kinds and draw.random() < self.faults.share else None


def storm(share: float, **settings: Any) -> Faults:
    """All transient faults at a rate."""
    return replace(Faults(share=share), **settings)
