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
  - Where they are not all there, of one version and held, it tries in a scratch copy of apt's or dnf's state what would be installed.
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
    description: Where the driver comes from.
    type: str
    choices: [archive, nvidia, runfile, preinstalled]
    required: true
  version:
    description: The wanted version, exact or a branch. Empty is the one that the node has, or the newest that all packages have.
    type: str
    default: ""
  fleet_version:
    description: The exact version that all nodes which are asked for the same have agreed on. A node that has another is refused.
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
  kernels:
    description: The kernels for which the node has the module. None are the running one, and the one that the next boot starts.
    type: list
    elements: str
    default: []
  build_once:
    description: Whether a module that another node compiled is as good as one that is compiled here.
    type: bool
    default: false
  prebuilt:
    description:
      - Such modules, one for each kernel, as M(gpu.fleet.nvidia_module_package) describes them. Where they fit, the node gets them, at
        their version. Those without a C(vermagic) are not compiled yet, and taken to fit.
    type: list
    elements: dict
    default: []
  fabric:
    description: What links the GPUs, which decides whether fabric manager, NSCQ and IMEX belong to the driver. V(auto) looks.
    type: str
    choices: [auto, none, nvswitch, nvlink5]
    default: auto
  archive_origin:
    description: How the distribution's archive names itself in its Release file, where that is not as usual.
    type: str
    default: ""
  repository_url:
    description: NVIDIA's repository or a mirror of it, under which are the folders of the distributions.
    type: str
    default: https://developer.download.nvidia.com/compute/cuda/repos
  key_url:
    description: Where the key is that signs it, if not in the repository as usual.
    type: str
    default: ""
  key_fingerprint:
    description: The key's fingerprint, if not the usual one.
    type: str
    default: ""
  remove_leftovers:
    description: Whether other sources for NVIDIA's repository, and its former key, are to go. If not, they are refused.
    type: bool
    default: false
  signing_key:
    description: On the node, the key with which modules that are compiled there are signed.
    type: str
    default: ""
  signing_certificate:
    description: On the node, its certificate.
    type: str
    default: ""
  runfile:
    description: NVIDIA's installer, a path on the node or an address.
    type: str
    default: ""
  runfile_checksum:
    description: What it must be, V(sha256:) and 64 hexadecimal digits.
    type: str
    default: ""
  files:
    description: Files without which the node is not as it should be.
    type: list
    elements: path
    default: []
  bare:
    description: Whether to plan as for a node of its kind that has nothing of the driver, to know what one takes.
    type: bool
    default: false
  root:
    description: Where the node's file system is looked at.
    type: path
    default: /
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
    source: archive
    version: "535"
  register: planned
"""

RETURN = r"""
plan:
  description:
    - RV(plan.loaded) is the version of the kernel's module now, V(nouveau) or nothing. RV(plan.converged) is whether nothing is to be done.
    - RV(plan.asked) is what was asked for, in a word that is the same on all nodes that should agree on a version.
    - RV(plan.libraries) are the versions of the driver's libraries now, which a change of version replaces.
    - RV(plan.kernels) are the kernels for which it has the module, and RV(plan.module_names) the names that its file can have.
    - RV(plan.units) are the services to run, and RV(plan.fabric) is what links the GPUs.
    - RV(plan.error) says what stops the plan.
    - Otherwise RV(plan.version) and RV(plan.flavour) are what the node has, or gets, and RV(plan.had) the version that it had. Where it is
      not converged, RV(plan.available) are the versions that it can have, RV(plan.files) what to write and RV(plan.disable) the sources and
      keys to rename away, RV(plan.first) and RV(plan.packages) what to install, RV(plan.local) the packages of O(prebuilt)
      with it, RV(plan.remove) what the version has no longer or goes for it, RV(plan.hold) what to hold, and RV(plan.changes) what the
      package manager would do. RV(plan.interrupted) is whether dpkg was stopped half-way before. RV(plan.misfit) is why O(prebuilt) does
      not do.
    - With apt, RV(plan.places) are the addresses of the sources that have the driver, without which nothing can be installed.
    - With dnf, RV(plan.stream) is the module stream to enable where another or none is, and RV(plan.hold) and RV(plan.release) are lines of
      the plug-in versionlock to add before and to delete after the installation.
    - With O(build_once), RV(plan.modules) are the files of modules that the node would have to compile, by kernel, RV(plan.compilers) the
      packages that do that, RV(plan.compiles) whether the node has begun to, and RV(plan.unsigned) why it may not.
  type: dict
  returned: always
  sample: {"asked": "535", "loaded": "535.261.03", "converged": true, "version": "535.261.03", "had": "535.261.03", "flavour": "open"}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import Provenance
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import answer
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan_found import library_versions
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import REPOSITORY_URL, Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.runfile import RunFile
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import Signing
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System

OPTIONS = {
    "system": {"type": "str", "required": True},
    "data": {"type": "dict", "required": True},
    "source": {"type": "str", "choices": ["archive", "nvidia", "runfile", "preinstalled"], "required": True},
    "version": {"type": "str", "default": ""},
    "fleet_version": {"type": "str", "default": ""},
    "extra_packages": {"type": "list", "elements": "str", "default": []},
    "flavour": {"type": "str", "choices": ["", "auto", "open", "proprietary"], "default": ""},
    "kernels": {"type": "list", "elements": "str", "default": []},
    "build_once": {"type": "bool", "default": False},
    "prebuilt": {"type": "list", "elements": "dict", "default": []},
    "persistence": {"type": "bool", "default": True},
    "fabric": {"type": "str", "choices": ["auto", "none", "nvswitch", "nvlink5"], "default": "auto"},
    "archive_origin": {"type": "str", "default": ""},
    "repository_url": {"type": "str", "default": REPOSITORY_URL},
    "key_url": {"type": "str", "default": "", "no_log": False},
    "key_fingerprint": {"type": "str", "default": "", "no_log": False},
    "remove_leftovers": {"type": "bool", "default": False},
    "signing_key": {"type": "str", "default": "", "no_log": False},  # a path
    "signing_certificate": {"type": "str", "default": ""},
    "runfile": {"type": "str", "default": ""},
    "runfile_checksum": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "path", "default": []},
    "bare": {"type": "bool", "default": False},
    "root": {"type": "path", "default": "/"},
}


def fetch(url: str) -> bytes:
    """Get what is at an address."""
    with open_url(url, timeout=60) as response:
        content: bytes = response.read()
    return content


def requested(given: dict[str, Any]) -> Request:
    """Say in our words what is asked for; raises Refusal."""
    taken = ("data", "root", "prebuilt", "system", "signing_key", "signing_certificate", "runfile", "runfile_checksum")
    simple: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name not in taken
    }
    return Request(
        system=System.parse(given["system"], given["data"]),
        signing=Signing(given["signing_key"], given["signing_certificate"]),
        prebuilt=tuple(map(Provenance.parse, given["prebuilt"])),
        runfile=RunFile(given["runfile"], given["runfile_checksum"]) if given["runfile"] or given["runfile_checksum"] else None,
        **simple,
    )


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        request = requested(module.params)
    except Refusal as refusal:
        module.exit_json(changed=False, plan={"converged": False, "loaded": "", "asked": "", "error": str(refusal)})
    except (KeyError, TypeError, ValueError) as error:
        module.fail_json(msg=f"data of {module.params['system']}: {error}")
    root = Path(module.params["root"])
    module.exit_json(changed=False, plan={"libraries": library_versions(root), **answer(request, root, fetch)})


if __name__ == "__main__":
    main()
