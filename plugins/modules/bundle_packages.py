#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_packages
short_description: Download packages with all they depend on, as a repository in a tar file
version_added: 0.1.0
description:
  - Works in a folder of its own with a scratch copy of apt's state in which nothing is installed. Nothing else on the node is changed, and
    it needs no root.
  - The tar file holds a flat repository with C(Packages) and C(Release), and the keys of the repositories that roles add. The release file
    is signed where the bundle is packed.
options:
  work:
    description: An empty folder.
    type: path
    required: true
  target:
    description: The tar file.
    type: path
    required: true
  packages:
    description: Lists of packages, as C(name) or C(name=version). What is in one list is installed together.
    type: list
    elements: list
    required: true
  files:
    description: The text of each sources file, and of keys that these name, by their paths on a node that the roles are done with.
    type: dict
    default: {}
  keys:
    description: Other keys that they name, by their paths on such a node, and where they are here.
    type: dict
    default: {}
  pin:
    description: The driver's version, which is preferred in whatever it needs besides the packages that are named.
    type: str
    default: ""
  mirrors:
    description: Folders under which the repository is found too, for who looks for a mirror of another.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: In check mode nothing is downloaded.
    support: partial
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Download what the container engine is made of
  gpu.fleet.bundle_packages:
    work: /tmp/gpu-fleet
    target: /tmp/Debian-12-x86_64.tar
    packages: [[docker.io]]
"""

RETURN = r"""
packages:
  description: The version of each package.
  type: dict
  returned: success
  sample: {docker.io: 20.10.24+dfsg1-1+deb12u1}
"""

import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.packages import Wanted, gather
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OPTIONS = {
    "work": {"type": "path", "required": True},
    "target": {"type": "path", "required": True},
    "packages": {"type": "list", "elements": "list", "required": True},
    "files": {"type": "dict", "default": {}},
    "keys": {"type": "dict", "default": {}, "no_log": False},
    "pin": {"type": "str", "default": ""},
    "mirrors": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True, packages={})
    wanted = Wanted(
        files=given["files"],
        keys={path: Path(place) for path, place in given["keys"].items()},
        packages=tuple(map(tuple, given["packages"])),
        pin=given["pin"],
        mirrors=tuple(given["mirrors"]),
    )
    try:
        packages = gather(wanted, Path(given["work"]), Path(given["target"]))
    except (Refusal, OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, packages=packages)


if __name__ == "__main__":
    main()
