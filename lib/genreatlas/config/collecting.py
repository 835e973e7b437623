"""Sections of what is fetched from the outside world: how politely, by whom, and under which terms."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from genreatlas.config.sections import Positive, Section


class HostLimit(Section):
    """What one host (or all hosts under one pattern, together) may be asked, by the whole run."""

    requests: int = Field(0, ge=0, description="Requests in any window; 0: no limit.")
    window_s: float = Field(1.0, gt=0.0, description="Length of the rolling window.")
    concurrency: Positive = Field(4, description="Requests at the same time.")


#: What the services publish, or less where they publish nothing. Loopback is this machine alone.
HOSTS = {
    "*": HostLimit(requests=5, window_s=1.0, concurrency=4),
    "127.0.0.1": HostLimit(concurrency=32),
    "[::1]": HostLimit(concurrency=32),
    "localhost": HostLimit(concurrency=32),
    "everynoise.com": HostLimit(requests=1, window_s=1.0, concurrency=1),
    "accounts.spotify.com": HostLimit(requests=10, window_s=30.0, concurrency=1),
    "api.spotify.com": HostLimit(requests=90, window_s=30.0, concurrency=8),
    "p.scdn.co": HostLimit(requests=10, window_s=1.0, concurrency=8),
    "api.deezer.com": HostLimit(requests=50, window_s=5.0, concurrency=8),
    "*.dzcdn.net": HostLimit(requests=10, window_s=1.0, concurrency=8),
}


def _over_defaults(given: dict[str, HostLimit]) -> dict[str, HostLimit]:
    return HOSTS | {host.lower(): limit for host, limit in given.items()}


class FanOutSection(Section):
    """How the outside world is asked: rates are the total of the run, whoever does the work."""

    runner: Literal["driver", "executors"] = Field(
        "driver", description="driver: a pool of threads here (Connect, serverless); executors: Spark tasks."
    )
    hosts: Annotated[dict[str, HostLimit], AfterValidator(_over_defaults)] = Field(
        HOSTS,
        description="Host, host:port, or *.domain (all its hosts together) = its limit; * is each other host. "
        "What is given here is laid over the defaults.",
    )
    threads: Positive = Field(16, description="Keys that the driver works on at the same time.")
    partitions: int = Field(0, ge=0, description="Tasks of the runner executors; 0: as many as there are cores.")
    tries: Positive = Field(4, description="Requests that one fetch may cost when the outcome is transient.")
    backoff_s: float = Field(1.0, ge=0.0, description="First wait of the full-jitter back-off; it doubles.")
    backoff_cap_s: float = Field(30.0, ge=0.0, description="Its longest wait.")
    retry_after_cap_s: float = Field(
        120.0, ge=0.0, description="Longest Retry-After that is waited for; above it the provider is left for later."
    )
    max_attempts: Positive = Field(5, description="How often a key is fetched, over all runs, before it is given up.")
    retry_delay_s: float = Field(600.0, ge=0.0, description="A failed key is due after this; it doubles.")
    breaker_failures: Positive = Field(10, description="Failures in a row after which a host is left alone.")
    breaker_wait_s: float = Field(30.0, ge=0.0, description="For so long; then one request probes it.")
    breaker_probes: Positive = Field(4, description="Failed probes after which its provider is left for later.")
    pause_s: float = Field(900.0, ge=0.0, description="How much later, where the provider does not say itself.")
    max_pause_days: float = Field(
        7.0, gt=0.0, le=366.0, description="Longest pause in days; what a server asks for beyond it is cut to this."
    )
    connect_s: float = Field(10.0, gt=0.0, description="Longest wait for a connection.")
    read_s: float = Field(20.0, gt=0.0, description="Longest silence within a response.")
    total_s: float = Field(120.0, gt=0.0, description="Longest time of one request and its whole body.")
    max_body_mb: Positive = Field(64, description="Longest body.")
    max_redirects: int = Field(5, ge=0, description="Redirects that are followed.")
    chunk_rows: Positive = Field(500, description="Keys in one commit; a crash repeats at most this many.")
    chunk_mb: Positive = Field(128, description="Bytes in one commit of the driver, at most about this much.")
    private_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts on this machine or in a private network that may be asked, with plain http too: host, "
        "host:port or *.domain. Hosts of configured addresses (spotify.api_url, every_noise.map, ...), of http.hosts "
        "and of deezer.hosts need no entry; everything else is fetched by https from public addresses only.",
    )
    refuse_unresolved: bool = Field(
        False,
        description="Through a proxy, refuse hosts that this machine cannot look up itself, unless private_hosts or "
        "another section names them; off: where such a name leads is the proxy's to decide.",
    )
    user_agent: str = Field("", description="Who is asking; empty: genreatlas and its version.")
