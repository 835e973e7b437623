"""A notebook that ran, as one HTML file: nothing is fetched, and no script runs."""

from html import escape
from importlib.resources import files

from genreatlas.notebook.running import Ran, Shown


def render(ran: Ran) -> str:
    """The page."""
    style = (files("genreatlas.notebook") / "notebook.css").read_text(encoding="utf-8")
    title = next((c.cell.source.lstrip("# ").splitlines()[0] for c in ran.cells if c.cell.language == "md"), "")
    widgets = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v) or '–'}</dd></div>" for k, v in ran.widgets.items())
    parameters = f"<dl class=widgets>{widgets}</dl>" if widgets else ""
    body = [_cell(shown) for shown in ran.cells]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title or ran.path.stem)}</title><style>{style}</style></head><body>"
        f"<header><p class=file>{escape(ran.path.name)}</p>{parameters}</header><main>{''.join(body)}</main>"
        "</body></html>\n"
    )


def _cell(shown: Shown) -> str:
    if shown.cell.language == "md":
        return f"<section class=words>{_markdown(shown.cell.source)}</section>"
    outputs = "".join(f"<div class=output>{output}</div>" for output in shown.outputs)
    error = f"<pre class=error>{escape(shown.error)}</pre>" if shown.error else ""
    seconds = f"<small>{shown.seconds:.1f} s</small>" if shown.seconds >= 1 else ""
    return (
        f"<section class=cell><div class=source>{_code(shown.cell.source, shown.cell.language)}{seconds}</div>"
        f"{outputs}{error}</section>"
    )


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable("table").render(text))


def _code(source: str, language: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    return str(highlight(source, get_lexer_by_name(language), HtmlFormatter(nowrap=False, cssclass="code")))
