#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_seal
short_description: Sign what was gathered for a bundle, and pack it
version_added: 0.1.0
description:
  - Signs each repository of packages and the manifest with one key, and writes everything as one tar file, which is at its place only when
    it is whole.
options:
  directory:
    description: A folder whose files go into the bundle, under the names that they have in it.
    type: path
    required: true
  path:
    description: The bundle.
    type: path
    required: true
  signing_key:
    description: The secret key, as C(gpg --armor --export-secret-keys) writes it, without a passphrase. It is made where there is none.
    type: path
    required: true
  toolkit:
    description: The version of the toolkit that makes it.
    type: str
    required: true
  systems:
    description: >-
      For each system and architecture C(repository), C(has), C(pins) and C(keys) of the manifest, C(versions) of the packages, and
      C(answering), the variables that the version of a package answers.
    type: dict
    required: true
  image:
    description: C(archive), C(id), C(digests) and C(has) of the image. Empty is none.
    type: dict
    default: {}
attributes:
  check_mode:
    description: In check mode nothing is written.
    support: partial
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Sign and pack
  gpu.fleet.bundle_seal:
    directory: /srv/gathered
    path: /srv/fleet.tar
    signing_key: /root/bundle_key.asc
    toolkit: 0.1.0
    systems: "{{ gathered }}"
"""

RETURN = r"""
fingerprint:
  description: Of the key that signed.
  type: str
  returned: success
  sample: 0123456789ABCDEF0123456789ABCDEF01234567
size:
  description: Of the bundle, in bytes.
  type: int
  returned: success
  sample: 4123456789
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Image, SystemPart
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.seal import Gathered, seal, with_versions
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OPTIONS = {
    "directory": {"type": "path", "required": True},
    "path": {"type": "path", "required": True},
    "signing_key": {"type": "path", "required": True, "no_log": False},
    "toolkit": {"type": "str", "required": True},
    "systems": {"type": "dict", "required": True},
    "image": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True, fingerprint="", size=0)
    systems = {
        name: with_versions(
            SystemPart(part["repository"], part["has"], tuple(part["pins"]), part["keys"], ()), part["versions"], part["answering"]
        )
        for name, part in given["systems"].items()
    }
    image = Image(**{**given["image"], "digests": tuple(given["image"]["digests"])}) if given["image"] else None
    path = Path(given["path"])
    try:
        _, fingerprint = seal(Gathered(given["toolkit"], Path(given["directory"]), systems, image), Path(given["signing_key"]), path)
    except (Refusal, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, fingerprint=fingerprint, size=path.stat().st_size)


if __name__ == "__main__":
    main()
