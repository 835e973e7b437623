"""``python -m genreatlas.sandbox.world``: process of the server, with settings as JSON in the first argument."""

import json
import sys

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.world.scripted_faults import Faults


def main() -> None:
    """Serve the world described by the first argument."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    try:
        try:
            from genreatlas.sandbox.world.server import serve_for_parent
        except ModuleNotFoundError as error:
            raise ConfigError(f"the sandbox world needs {error.name}: pip install {error.name}") from None
        world = WorldSection.model_validate(given.get("world", {}))
        library = SandboxSection.model_validate(given.get("sandbox", {}))
        serve_for_parent(world, library, Faults.of(given.get("faults", {"share": world.fault_share})))
    except ConfigError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
