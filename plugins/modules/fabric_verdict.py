#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name, which concludes on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fabric_verdict
short_description: Say what a measurement across nodes means for each node
version_added: 0.1.0
description:
  - Takes what each agent said, and returns findings for each node. Where the search came to its end, these are its own.
  - Where nobody could meet, it says whose fault that is as far as it can be known, and who should try again at another meeting place.
options:
  nodes:
    description: The nodes of this attempt. All were to meet at the first.
    type: list
    elements: str
    required: true
  where:
    description: The address and port at which they were to meet.
    type: str
    required: true
  attempt:
    description: How many attempts there were before.
    type: int
    default: 0
  said:
    description: What M(gpu.fleet.fabric_agent) returned on each node; nothing where it returned nothing.
    type: dict
    required: true
attributes:
  check_mode:
    description: It does the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: gpu.fleet.fabric_agent
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Conclude
  gpu.fleet.fabric_verdict:
    nodes: "{{ ansible_play_hosts }}"
    where: 10.0.0.1:29500
    said: "{{ said }}"
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
findings:
  description: Findings by node, as M(gpu.fleet.gpu_readiness) writes them.
  returned: success
  type: dict
  sample: {}
again:
  description: The nodes of the next attempt, the first of which is where they meet. Empty where this was the last one.
  returned: success
  type: list
  elements: str
  sample: []
"""
