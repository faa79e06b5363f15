"""Where PyTorch is on a node: in an image that the Docker engine has, or with a Python of the node itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_container import gpu_options
from ansible_collections.gpu.fleet.plugins.module_utils.observe import cdi
from ansible_collections.gpu.fleet.plugins.module_utils.observe.container_engine import CDI_FOLDERS

CONTAINER, NATIVE = "container", "native"
INFO = ("docker", "info", "--format", "{{json .}}")

_LIMIT_S = 15.0
_FIND_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
_PYTHONS = ("python3", "/opt/conda/bin/python3", "/opt/venv/bin/python3")


def python_with_torch(deadline: Deadline) -> str:
    """Find a Python of this node that has PyTorch; raises ValueError."""
    for python in (sys.executable, *_PYTHONS):
        if run([python, "-c", _FIND_TORCH], deadline.at_most(_LIMIT_S)).complaint == "":
            return python
    tried = ", ".join((sys.executable, *_PYTHONS))
    raise ValueError(f"found no Python with PyTorch (tried {tried}), expected one: put it first in PATH, or use runtime container")


def engine_gpus(deadline: Deadline, root: Path = Path("/")) -> list[str]:
    """Ask the Docker engine how it hands GPUs to a container: options of `docker run`; raises ValueError."""
    info = run(INFO, deadline.at_most(_LIMIT_S))
    if info.complaint:
        raise ValueError(f"the Docker engine does not answer: {info.complaint}")
    engine = json.loads(info.stdout)
    return gpu_options(engine, described=cdi.observe(root, engine.get("CDISpecDirs") or CDI_FOLDERS).is_known)
