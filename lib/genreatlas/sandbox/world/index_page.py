"""The world's front page, for people: what there is, what was asked, and what goes wrong."""

import html
from collections.abc import Mapping
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #999; font-weight: 600; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
code { background: #f3f3f0; padding: 0 .25rem; } a { color: #0b6; } .bad { color: #b00; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } code { background: #2a2a2a; } }
"""


def index_page(about: Mapping[str, Any], examples: list[tuple[str, str]], counts: list[dict[str, Any]]) -> str:
    """Write the page.

    Parameters
    ----------
    about : what :meth:`~genreatlas.sandbox.world.server.Server.about` says.
    examples : addresses to look at, with what they are.
    counts : requests so far, by service, path, status and fault.
    """
    world = about["world"]
    kind = f"{world['genres']:,} made-up genres" if world["genres"] else "the composed library"
    addresses = "".join(f"<tr><td>{name}<td><code>{url}</code></tr>" for name, url in about["addresses"].items())
    links = "".join(
        f'<tr><td><a href="{html.escape(url)}">{html.escape(url)}</a><td>{html.escape(text)}</tr>'
        for url, text in examples
    )
    rows = "".join(
        f"<tr><td>{row['service']}<td><code>{html.escape(str(row['path']))}</code><td class=n>{row['status']}"
        f"<td class=bad>{row['fault']}<td class=n>{row['requests']:,}</tr>"
        for row in counts
    )
    faults = about["faults"]
    weather = f"{faults['share']:.0%} of requests go wrong, and {len(faults['rules'])} rules are set"
    return f"""<!doctype html>
<html lang=en><head>
<meta charset=utf-8><title>Genre Atlas: the sandbox world</title><style>{_STYLE}</style></head><body>
<h1>The sandbox world</h1>
<p>{kind}, {about["songs"]:,} songs by {about["artists"]:,} artists, seed {world["seed"]}. Spotify answers as it does to
an app of the kind <b>{world["app"]}</b>. {weather}.</p>
<h2>Where it listens</h2><table>{addresses}</table>
<h2>To look at</h2><table>{links}</table>
<h2>What was asked</h2>
<table><tr><th>service<th>path<th>status<th>fault<th>requests</tr>{rows}</table>
<p>In full: <a href="/_log">/_log</a> (<code>?service=spotify&amp;path=playlists</code>), sums:
<a href="/_counts">/_counts</a>, most requests in any window: <code>/_busiest?service=deezer&amp;window_s=5</code>.</p>
<h2>To change</h2>
<p>POST JSON to <code>/_control</code>: <code>{{"faults": {{"share": 0.3}}}}</code>,
<code>{{"faults": {{"rules": [{{"kind": "paused", "service": "deezer"}}]}}}}</code>,
<code>{{"change": ["PLAYLIST ID"]}}</code>, <code>{{"end_tokens": true}}</code>, <code>{{"clear_log": true}}</code>.</p>
</body></html>
"""
