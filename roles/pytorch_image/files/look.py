"""Print what decides which PyTorch image this node gets, as one line of JSON.

Usage: python3 - REPOSITORY STATE_FILE < look.py

Printed: `gpus` (NVML's driver version and each GPU's compute capability, or the problem), `images` (those of the repository that the engine
has), `names` (of all images that it has, for roles that build on this one) and `verified` (what the role wrote down when it last looked
inside one). Nothing on the node is changed; whatever cannot be read is left out, so that a node without driver or engine can be looked at
too.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path


def read_gpus() -> dict:
    """Ask NVML. One GPU that does not answer hides nothing of the others."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        nvml.nvmlErrorString.restype = ctypes.c_char_p
        status = nvml.nvmlInit_v2()
    except (OSError, AttributeError) as problem:
        return {"capabilities": [], "problem": str(problem)}
    if status:
        return {"capabilities": [], "problem": f"NVML: {nvml.nvmlErrorString(status).decode()}"}
    driver = ctypes.create_string_buffer(80)
    nvml.nvmlSystemGetDriverVersion(driver, len(driver))
    count = ctypes.c_uint()
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    capabilities = []
    problem = ""
    for index in range(count.value):
        device, major, minor = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
        status = nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) or nvml.nvmlDeviceGetCudaComputeCapability(
            device, ctypes.byref(major), ctypes.byref(minor)
        )
        if status:
            problem = f"GPU {index}: {nvml.nvmlErrorString(status).decode()}"
        else:
            capabilities.append(f"{major.value}.{minor.value}")
    nvml.nvmlShutdown()
    return {"driver_version": driver.value.decode(), "capabilities": sorted(set(capabilities)), "problem": problem}


def parse_images(listing: str) -> list[dict]:
    """Read `docker image ls --digests --no-trunc --format '{{json .}}'`."""
    columns = (("repository", "Repository"), ("tag", "Tag"), ("id", "ID"), ("digest", "Digest"))
    rows = [json.loads(line) for line in listing.splitlines() if line.strip()]
    return [{name: "" if row[column] == "<none>" else row[column] for name, column in columns} for row in rows]


def read_images() -> list[dict]:
    """List the images that the engine has."""
    command = ["docker", "image", "ls", "--digests", "--no-trunc", "--format", "{{json .}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_images(done.stdout) if done.returncode == 0 else []


def read_verified(path: str) -> dict:
    """Read what was written down at the last verification."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    repository, state_file = sys.argv[1:]
    images = read_images()
    seen = {
        "gpus": read_gpus(),
        "images": [image for image in images if image["repository"] == repository],
        "names": sorted({f"{image['repository']}:{image['tag']}" for image in images if image["tag"]}),
        "verified": read_verified(state_file),
    }
    print(json.dumps(seen))  # noqa: T201
