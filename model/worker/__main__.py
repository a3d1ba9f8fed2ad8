"""Entry point of the worker process: ``python -m expnet.model.worker``, or this file as a script."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any


def _server() -> Any:
    """Import ``server`` as a module of ``expnet``, independent of the name and place of the package's folder."""
    if __package__:
        from . import server

        return server
    here = Path(__file__).resolve()
    root = here.parents[2]
    # For a script, Python puts worker/ first on the path, where these modules would shadow others of the same name.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here.parent]
    spec = importlib.util.spec_from_file_location(
        "expnet", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["expnet"] = package
    spec.loader.exec_module(package)
    return importlib.import_module("expnet.model.worker.server")


if __name__ == "__main__":
    status = _server().main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for threads that still decode or read stdin
