#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the GPU fleet toolkit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_module_package
short_description: Make a package of the NVIDIA kernel modules that DKMS installed
version_added: 0.1.0
description:
  - Makes a Debian package of the modules of one kernel that DKMS compiled and installed on this node, so that others with the same kernel
    need no compiler. It needs what the other packages of the driver give, says where it comes from in
    C(/usr/share/doc/NAME/provenance.json), and conflicts with what would compile the modules again.
  - It changes nothing on the node but its folder. What cannot be packed is in the answer, and is no failure of this module.
options:
  kernel:
    description: The kernel, as C(uname -r) has it.
    type: str
    required: true
  version:
    description: The driver's version, which all modules must have.
    type: str
    required: true
  flavour:
    description: Their flavour.
    type: str
    choices: [open, proprietary]
    required: true
  compilers:
    description: The packages that compile such modules, of which one is installed.
    type: list
    elements: str
    required: true
  folder:
    description: Where the package is written.
    type: path
    required: true
attributes:
  check_mode:
    description: Nothing is done.
    support: none
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Make a package of what was compiled
  gpu.fleet.nvidia_module_package:
    kernel: 6.1.0-56-cloud-amd64
    version: 535.261.03
    flavour: open
    compilers: [nvidia-open-kernel-dkms, nvidia-kernel-dkms]
    folder: /var/cache/gpu-fleet/modules
"""

RETURN = r"""
package:
  description:
    - RV(package.file) and RV(package.sha256) are the package, the rest is its provenance; RV(package.error) says why there is none.
  type: dict
  returned: always
  sample:
    name: nvidia-modules-open-6.1.0-56-cloud-amd64
    file: /var/cache/gpu-fleet/modules/nvidia-modules-open-6.1.0-56-cloud-amd64_535.261.03_amd64.deb
    sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    kernel: 6.1.0-56-cloud-amd64
    version: 535.261.03
    flavour: open
    vermagic: 6.1.0-56-cloud-amd64 SMP preempt mod_unload modversions
    compiler: gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0
    signer: DKMS module signing key
    signing_key: 34d1c1ae
    source: nvidia-open-kernel-dkms 535.261.03-1
    built_on: gpu-01
    built_at: "2026-11-23T12:00:00Z"
"""

import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_build import Build, pack
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OPTIONS = {
    "kernel": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "flavour": {"type": "str", "choices": ["open", "proprietary"], "required": True},
    "compilers": {"type": "list", "elements": "str", "required": True},
    "folder": {"type": "path", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS)
    given = module.params
    build = Build(given["kernel"], given["version"], given["flavour"], tuple(given["compilers"]))
    try:
        module.exit_json(changed=True, package=pack(build, Path(given["folder"])))
    except (Refusal, OSError, subprocess.TimeoutExpired) as error:
        module.exit_json(changed=False, package={"error": str(error)})


if __name__ == "__main__":
    main()
