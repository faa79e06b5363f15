#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name, which packs the command on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_command
short_description: Put the readiness check on a node as a command of its own
version_added: 0.1.0
description:
  - Copies one file to the node, which holds the code of M(gpu.fleet.gpu_readiness) at level V(passive), NVML's bindings and the reference
    tables, and runs with the node's Python 3.9 or later and nothing else.
  - The command prints one line with the verdict (what is not good follows below) and ends with the exit status of Nagios's convention,
    0 for V(ready), 1 for V(degraded), 2 for V(not_ready) and 3 for V(unknown) or any trouble of its own.
  - It reads C(/etc/gpu-fleet/readiness.json), where C(expectation), C(timeout_s), C(history), C(flap_window_s) and C(prometheus) mean
    what they mean to the role C(gpu_readiness). A mistake in that file is V(unknown), named by file and key.
options:
  path:
    description: Where the command goes on the node.
    type: str
    required: true
  interpreter:
    description: The node's Python that runs it.
    type: str
    default: /usr/bin/python3
  reference_table:
    description: The path of your own reference table of GPUs on the controller. Empty is the one of the role C(gpu_readiness).
    type: str
    default: ""
attributes:
  check_mode:
    description: In check mode nothing is copied.
    support: full
  diff_mode:
    description: It says whether the file differs; it is no text.
    support: partial
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Have the command
  gpu.fleet.readiness_command:
    path: /usr/local/sbin/gpu-fleet-readiness
    interpreter: "{{ ansible_facts['python']['executable'] }}"
"""

RETURN = r"""
dest:
  description: Where the command is.
  returned: success
  type: str
  sample: /usr/local/sbin/gpu-fleet-readiness
"""
