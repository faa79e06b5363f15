#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Report the readiness of the whole fleet
description:
  - Gathers what this run knows of every host, adds the stored results of the hosts that are not part of this run, prints a table,
    and writes one self-contained HTML page, JSON and JUnit XML. Every file is written whole or not at all.
  - Of a host it reads the variables C(gpu_readiness_result) (what M(gpu.fleet.gpu_readiness) returned), C(fleet_unreachable) (what SSH
    said), C(fleet_failed) (a dictionary C(task), C(message) and optionally C(role) of the provisioning step that failed) and
    C(fleet_report_expected_verdict). A host of this run with none of them is C(unknown).
  - Nodes that were measured in this run are held against each other. What is discrete (driver, kernel, VBIOS, image digest and so on) must
    agree between nodes with the same GPUs; a measured rate must not be far below the median of the GPUs of its model. For GPUs that
    no reference table knows this is the gate. What is found so is a finding of a check C(fleet_*), counts for the node's verdict, and makes
    a node V(degraded) at most.
  - Passwords, tokens and keys in messages are replaced before anything is stored or shown.
  - Runs on the controller only, connects to nothing, and never fails because of a verdict. Use it with C(run_once), and gate
    on the returned RV(refused).
options:
  directory:
    description: >-
      Where the report goes: C(report.html), C(report.json), C(report.xml), and C(nodes/), which holds the latest result of every node.
      Relative paths start where ansible-playbook was started.
    type: path
    required: true
  title:
    description: What stands above the report.
    type: str
    default: GPU fleet
  notice:
    description: A sentence shown prominently in every form of the report, such as that the GPUs are simulated.
    type: str
    default: ""
  group:
    description: The inventory group whose hosts are the fleet.
    type: str
    default: gpu_nodes
  hosts:
    description: The hosts that are part of this run. By default those that the play is for.
    type: list
    elements: str
  accept:
    description: The verdicts that the gate accepts, where the inventory expects no other of a host.
    type: list
    elements: str
    choices: [not_ready, unknown, degraded, ready]
    default: [ready]
  may_differ:
    description:
      - What may differ between nodes with the same GPUs, where that is meant, such as V(kernel) while nodes are updated one by one.
        Everything else that the nodes of this run have in common must agree, or follow from what the inventory expects of each.
    type: list
    elements: str
    choices: [driver, kernel_module, kernel, gpu_count, vbios, adapter_firmware, ecc_mode, image, pytorch, nvlink, memory_size, pcie_width]
    default: []
  table_rows:
    description: How many nodes the table in the terminal shows; the worst are in front.
    type: int
    default: 40
author:
  - The GPU fleet toolkit authors
attributes:
  check_mode:
    description: In check mode nothing is written; the table is printed.
    support: full
"""

EXAMPLES = r"""
- name: Report
  gpu.fleet.fleet_report:
    directory: reports
    title: Cluster west
  run_once: true
  delegate_to: localhost
  register: fleet

- name: Gate
  ansible.builtin.assert:
    that: inventory_hostname not in fleet.refused
    fail_msg: "{{ fleet.refused[inventory_hostname] | default('') }}"
"""

RETURN = r"""
counts:
  description: How many nodes of the fleet have which verdict.
  type: dict
  returned: always
  sample: {ready: 7, degraded: 0, not_ready: 1, unknown: 0}
table:
  description: >-
    The lines of the terminal's table, each with its style, where the callback plugin P(gpu.fleet.fleet_report#callback) prints them at the
    end of the run.
  type: list
  elements: list
  returned: when the callback plugin is enabled
html:
  description: The path of the HTML page.
  type: str
  returned: always
json:
  description: The path of the JSON document.
  type: str
  returned: always
junit:
  description: The path of the JUnit XML document.
  type: str
  returned: always
refused:
  description: The hosts of this run whose verdict is not accepted, each with a sentence that says why.
  type: dict
  returned: always
  sample:
    gpu-01: "gpu-01 is not ready, expected ready. gpu_count (node): found 7 GPUs, expected 8 [reboot]"
"""
