#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_image
short_description: Fetch an image from a registry as an archive that docker load reads
version_added: 0.1.0
description:
  - Speaks the registry's HTTP interface itself, so that no container engine is needed. What comes is held against its digests.
  - Trusts the system's authorities and, as Docker does, C(/etc/docker/certs.d/<registry>/ca.crt).
options:
  registry:
    description: The registry, such as C(registry.example:5000). Empty is Docker Hub.
    type: str
    default: ""
  repository:
    description: The image's name there.
    type: str
    required: true
  tag:
    description: Its tag.
    type: str
    required: true
  digest:
    description: Its digest, which wins over the tag. Empty takes what the tag stands for.
    type: str
    default: ""
  architecture:
    description: The nodes' architecture, as C(uname -m) has it.
    type: str
    default: x86_64
  username:
    description: An account at the registry. Empty is none.
    type: str
    default: ""
  password:
    description: The account's password.
    type: str
    default: ""
  tls:
    description: Whether the registry speaks TLS.
    type: bool
    default: true
  archive:
    description: The file to write.
    type: path
    required: true
attributes:
  check_mode:
    description: In check mode nothing is fetched.
    support: partial
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Fetch the image
  gpu.fleet.bundle_image:
    repository: pytorch/pytorch
    tag: 2.7.1-cuda12.6-cudnn9-runtime
    archive: /tmp/pytorch.tar
"""

RETURN = r"""
image:
  description: RV(image.id) is the image's id in an engine, RV(image.digests) are those by which the registry knows it.
  type: dict
  returned: success
  sample: {"id": "sha256:0123", "digests": ["sha256:4567"]}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.image import fetch
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.registry import DOCKER_HUB, Repository
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OPTIONS = {
    "registry": {"type": "str", "default": ""},
    "repository": {"type": "str", "required": True},
    "tag": {"type": "str", "required": True},
    "digest": {"type": "str", "default": ""},
    "architecture": {"type": "str", "default": "x86_64"},
    "username": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "tls": {"type": "bool", "default": True},
    "archive": {"type": "path", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True, image={})
    host = given["registry"] if given["registry"] not in {"", "docker.io"} else DOCKER_HUB
    repository = Repository(host, given["repository"], given["username"], given["password"], given["tls"])
    name = "/".join(part for part in (given["registry"], f"{given['repository']}:{given['tag']}") if part)
    try:
        image = fetch(repository, given["digest"] or given["tag"], given["architecture"], name, Path(given["archive"]))
    except (Refusal, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, image=image)


if __name__ == "__main__":
    main()
