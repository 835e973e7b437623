"""Where clips of songs come from: one module per provider, behind one small interface."""

from genreatlas.sources.previews.provider import Preview, PreviewOf, Provider, open_provider, terms

__all__ = ["Preview", "PreviewOf", "Provider", "open_provider", "terms"]
