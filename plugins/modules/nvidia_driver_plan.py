#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the GPU fleet toolkit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_driver_plan
short_description: Plan what brings a node's NVIDIA driver to one held version
version_added: 0.1.0
description:
  - Looks at the packages, the GPUs on the PCI bus and the running kernel of a node, and says which packages make its driver there.
  - Where they are not all there, of one version and held, it tries in a scratch copy of apt's state what would be installed.
  - It changes nothing. What cannot be is in the answer, with the next step, and is no failure of this module.
options:
  system:
    description: The system's name in the data, such as V(Debian-12).
    type: str
    required: true
  data:
    description: What the system has of the driver, by source, as the files in C(roles/nvidia_driver/vars) say it.
    type: dict
    required: true
  source:
    description: The source of the driver's packages. Only V(archive) is planned for so far.
    type: str
    choices: [archive]
    default: archive
  version:
    description: The wanted version, exact or a branch. Empty is the newest that all packages have.
    type: str
    default: ""
  extra_packages:
    description: Packages of the driver's version besides those of the data.
    type: list
    elements: str
    default: []
  flavour:
    description: The kernel module's flavour, where V(auto) is what the GPUs can run. Empty where the module is not managed.
    type: str
    choices: ["", auto, open, proprietary]
    default: ""
  persistence:
    description: Whether the persistence daemon is wanted with the kernel module.
    type: bool
    default: true
  origin:
    description: How the distribution's archive names itself in its Release file.
    type: str
    required: true
  components:
    description: The archive's components that the node's package sources must have.
    type: list
    elements: str
    default: []
  files:
    description: Files without which the node is not as it should be.
    type: list
    elements: path
    default: []
  pci_devices:
    description: Where the kernel lists the PCI devices.
    type: path
    default: /sys/bus/pci/devices
attributes:
  check_mode:
    description: Nothing is changed, so check mode is the same.
    support: full
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: See what the driver's packages are and plan what they should be
  gpu.fleet.nvidia_driver_plan:
    system: Debian-12
    data: "{{ __nvidia_driver_data }}"
    version: "535"
    origin: Debian
    components: [contrib, non-free, non-free-firmware]
  register: planned
"""

RETURN = r"""
plan:
  description:
    - RV(plan.loaded) is the version of the kernel's module now, V(nouveau) or nothing. RV(plan.converged) is whether nothing is to be done.
    - RV(plan.error) says what stops the plan.
    - Otherwise RV(plan.version) and RV(plan.flavour) are what the node has, or gets. Where it is not converged, RV(plan.sources) are the
      files to write, RV(plan.packages) what to install, RV(plan.hold) what to hold, and RV(plan.changes) what apt would do.
  type: dict
  returned: always
  sample: {"loaded": "535.261.03", "converged": true, "version": "535.261.03", "flavour": "open"}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import Request, answer
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System

OPTIONS = {
    "system": {"type": "str", "required": True},
    "data": {"type": "dict", "required": True},
    "source": {"type": "str", "choices": ["archive"], "default": "archive"},
    "version": {"type": "str", "default": ""},
    "extra_packages": {"type": "list", "elements": "str", "default": []},
    "flavour": {"type": "str", "choices": ["", "auto", "open", "proprietary"], "default": ""},
    "persistence": {"type": "bool", "default": True},
    "origin": {"type": "str", "required": True},
    "components": {"type": "list", "elements": "str", "default": []},
    "files": {"type": "list", "elements": "path", "default": []},
    "pci_devices": {"type": "path", "default": "/sys/bus/pci/devices"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    try:
        system = System.parse(given["system"], given["data"])
    except (KeyError, TypeError, ValueError) as error:
        module.fail_json(msg=f"data of {given['system']}: {error}")
    request = Request(
        system=system,
        source=given["source"],
        version=given["version"],
        extra_packages=tuple(given["extra_packages"]),
        flavour=given["flavour"],
        persistence=given["persistence"],
        origin=given["origin"],
        components=tuple(given["components"]),
        files=tuple(given["files"]),
    )
    module.exit_json(changed=False, plan=answer(request, Path(given["pci_devices"])))


if __name__ == "__main__":
    main()
