#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_open
short_description: Verify a bundle, and unpack what is asked for
version_added: 0.1.0
description:
  - Refuses a bundle that is missing, cut off, changed, or signed by another key than the one that is trusted. Every file in it is read.
options:
  path:
    description: The bundle.
    type: path
    required: true
  fingerprint:
    description: Of the key whose bundles are trusted.
    type: str
    default: ""
  files:
    description: The files to unpack, by their names in the bundle.
    type: list
    elements: str
  directory:
    description: Where to.
    type: path
attributes:
  check_mode:
    description: In check mode the bundle is verified, and nothing is unpacked.
    support: full
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Trust it or stop
  gpu.fleet.bundle_open:
    path: /srv/fleet.tar
    fingerprint: 0123456789ABCDEF0123456789ABCDEF01234567
"""

RETURN = r"""
manifest:
  description: What the bundle holds.
  type: dict
  returned: success
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.archive import extract, verify
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OPTIONS = {
    "path": {"type": "path", "required": True},
    "fingerprint": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "str"},
    "directory": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, required_together=[("files", "directory")])
    given = module.params
    path, files = Path(given["path"]), set(given["files"] or [])
    try:
        manifest = verify(path, given["fingerprint"])
        if files and not module.check_mode:
            extract(path, manifest, files, Path(given["directory"]))
    except (Refusal, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(files), manifest=json.loads(manifest.dump()))


if __name__ == "__main__":
    main()
