"""What goes wrong, and when: at a rate, or by a script that names requests."""

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
    "reset",  # the connection is reset before an answer
    "stall",  # no answer, then the connection ends
    "truncated",  # the body breaks off before its stated length
    "cut",  # half a body that claims to be whole
    "empty",  # 200 without a body
    "swapped",  # the body of another genre, playlist, track or clip
    "wrong_type",  # the right body under a wrong content type
    "html",  # a page where something else belongs
    "redirect_loop",
    "unauthorized",  # 401: the token is dead from now on
    "forbidden",  # 403 without a message
    "not_found",
    "expired",  # a preview link that is dead
    "changed",  # the playlist changes between two of its pages
]
SERVICES: tuple[Service, ...] = get_args(Service)
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

#: What a storm is made of: all that another request can mend.
PASSING: tuple[FaultKind, ...] = tuple(
    kind for kind in KINDS if kind not in ("paused", "quota", "forbidden", "not_found")
)
#: Services in which a kind means anything; elsewhere it does not happen.
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
    kind : what happens.
    path : regular expression that is searched in the path and query of a request.
    service : of which service; empty: any.
    times : to so many requests; -1: to all, for ever.
    skip : after so many that go well.
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
    share : share of requests that go wrong; which and how follows from the seed, the address, and how often
        the address was asked for, not from the order of requests.
    kinds : how they go wrong.
    services : where.
    rules : scripted faults; the first that fits a request counts, before the share.
    retry_after_s : what a throttled request is told.
    stall_s : how long a stalled request gets no answer.
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
        """Faults as :meth:`values` wrote them.

        Raises
        ------
        ConfigError : a kind or key that does not exist.
        """
        try:
            rules = tuple(Rule(**rule) for rule in values.get("rules", ()))
            lists = {key: tuple(values[key]) for key in ("kinds", "services") if key in values}
            faults = cls(**{**values, **lists, "rules": rules})
        except TypeError as error:
            raise ConfigError(f"faults: {error}") from None
        unknown = {*faults.kinds, *(rule.kind for rule in rules)} - set(KINDS)
        if unknown:
            raise ConfigError(f"faults: no kind is called {min(unknown)!r}. Kinds: {', '.join(KINDS)}.")
        return faults

    def values(self) -> JsonObject:
        """The same as plain values, fit for JSON."""
        return asdict(self)


@dataclass
class Weather:
    """Decides for each request whether it goes well."""

    faults: Faults = field(default_factory=Faults)
    _asked: Counter[str] = field(default_factory=Counter)
    _fitted: Counter[int] = field(default_factory=Counter)

    def change(self, faults: Faults) -> None:
        """Let other faults happen from now on."""
        self.faults = faults
        self._asked.clear()
        self._fitted.clear()

    def fault(self, service: Service, path: str) -> FaultKind | None:
        """What happens to the next request for this path; None when it goes well."""
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
    """Faults of every kind that passes, at a rate."""
    return replace(Faults(share=share), **settings)
