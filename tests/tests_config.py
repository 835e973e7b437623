"""Configurations with some keys changed."""

from genreatlas.config import Config


def with_sections(config: Config, **sections: dict) -> Config:
    """Return a copy with other values in the named sections, validated again."""
    changed = {
        name: type(getattr(config, name))(**(dict(getattr(config, name)) | values)) for name, values in sections.items()
    }
    return config.model_copy(update=changed)
