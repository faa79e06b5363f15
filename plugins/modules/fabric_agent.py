#!/usr/bin/python
# Copyright: the GPU fleet toolkit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: fabric_agent
short_description: Take part in a measurement across nodes
version_added: 0.1.0
description:
  - Runs this node's agent until the measurement is over. All agents meet at the first node of O(nodes) through PyTorch's own rendezvous,
    and measure all-reduces in the groups that a search chooses there, round by round, until it can name what is slow or hangs.
  - Start it on all nodes at once with C(async) and C(poll=0), since each waits for the others, and follow it with
    M(gpu.fleet.fabric_search), without which it ends by itself.
  - The role C(fabric_readiness) does all that.
  - It changes nothing on the node, pulls no image and leaves no process behind.
options:
  node:
    description: The name of this node, as in O(nodes).
    type: str
    required: true
  nodes:
    description: The nodes that take part. All meet at the first.
    type: list
    elements: str
    required: true
  address:
    description: The address of the first node, as the others reach it.
    type: str
    required: true
  port:
    description: The port at which they meet there. Rounds use further ports, which PyTorch and NCCL choose.
    type: int
    default: 29500
  interface:
    description: The network interface that the collectives use. Without it, NCCL's own choice, and Gloo the one towards O(address).
    type: str
    default: ""
  device:
    description: V(cuda), or V(cpu) for nodes whose GPUs are simulated, which proves the path and not the fabric.
    type: str
    choices: [cuda, cpu]
    default: cuda
  runtime:
    description: Where PyTorch is, V(container) (O(image)) or V(native) (the node's own Python).
    type: str
    choices: [container, native]
    default: container
  image:
    description: The image that the agent runs in, when O(runtime=container). It must be on the node.
    type: str
    default: ""
  token:
    description: What this run is called, the same on all nodes and different in each run.
    type: str
    required: true
  meet_s:
    description: How long nodes wait for each other at the meeting place, in seconds.
    type: float
    default: 60
  timeout_s:
    description: The time for everything, in seconds.
    type: float
    default: 600
  lease_s:
    description: The search ends when M(gpu.fleet.fabric_search) has not asked for it for that long, in seconds.
    type: float
    default: 30
  bytes:
    description: The bytes of one all-reduce.
    type: int
    default: 1073741824
  measure_s:
    description: How long one round measures, in seconds.
    type: float
    default: 2
  round_s:
    description: The most that one round may take, in seconds. A hang costs that much.
    type: float
    default: 60
  gate_gb_s:
    description:
      - The least bus bandwidth of an all-reduce, in GB/s (decimal). Without it, groups of nodes are held against those of like size in this
        run.
    type: float
  fraction:
    description: The part that a group must reach of what groups of like size give, where there is no O(gate_gb_s).
    type: float
    default: 0.9
attributes:
  check_mode:
    description: It cannot be run asynchronously in check mode.
    support: none
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: gpu.fleet.fabric_search
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Start the agents
  gpu.fleet.fabric_agent:
    node: "{{ inventory_hostname }}"
    nodes: "{{ ansible_play_hosts }}"
    address: "{{ hostvars[ansible_play_hosts[0]].ansible_host }}"
    image: registry.example:5000/pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime
    token: "{{ token }}"
  async: 700
  poll: 0
"""

RETURN = r"""
agent:
  description: How this node's agent ended, and where all met, what the search found.
  returned: success
  type: dict
  contains:
    end:
      description: How it ended.
      type: str
      returned: always
      sample: the search is over
    here:
      description: What the agent said of its node (C(ranks), C(model), C(interface), C(rails), C(torch_version)), once it could start.
      type: dict
      returned: when it could start
      sample: {node: gpu-01, ranks: 8, model: NVIDIA H100 80GB HBM3, interface: eth0, rails: [mlx5_0], torch_version: 2.7.1+cu126}
    met:
      description: The same of each node that came, where all meet.
      type: dict
      returned: where all meet
      sample: {}
    findings:
      description: The findings of each node that took part, as M(gpu.fleet.gpu_readiness) writes them.
      type: dict
      returned: where all meet, and the search came to its end
      sample: {}
    rounds:
      description: Each round with its groups and what came of them.
      type: list
      elements: list
      returned: where all meet, and the search came to its end
      sample: []
    conclusion:
      description: Whom the search accuses, and who is proven good.
      type: dict
      returned: where all meet, and the search came to its end
      sample: {}
    trouble:
      description: Why there was no search.
      type: str
      returned: where all meet, and there was none
      sample: only 1 of 4 nodes reached 10.0.0.1:29500
"""

import re
from pathlib import Path
from zipfile import BadZipFile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.lead import lead
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.node import Amounts, Request, take_part
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.status import Status
from ansible_collections.gpu.fleet.plugins.module_utils.kit import unpack

OPTIONS = {
    "node": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 29500},
    "interface": {"type": "str", "default": ""},
    "device": {"type": "str", "choices": ["cuda", "cpu"], "default": "cuda"},
    "runtime": {"type": "str", "choices": ["container", "native"], "default": "container"},
    "image": {"type": "str", "default": ""},
    "token": {"type": "str", "required": True, "no_log": False},
    "meet_s": {"type": "float", "default": 60},
    "timeout_s": {"type": "float", "default": 600},
    "lease_s": {"type": "float", "default": 30},
    "bytes": {"type": "int", "default": 1 << 30},
    "measure_s": {"type": "float", "default": 2},
    "round_s": {"type": "float", "default": 60},
    "gate_gb_s": {"type": "float"},
    "fraction": {"type": "float", "default": 0.9},
}
# Not an option: the action plugin hands over what the node needs.
KIT = {"_kit": {"type": "str", "no_log": True}}


def main() -> None:
    module = AnsibleModule(argument_spec={**OPTIONS, **KIT}, supports_check_mode=False)
    given = module.params
    if not given["_kit"]:
        module.fail_json(msg="found no kit, expected the one that the action plugin brings: call this module as gpu.fleet.fabric_agent")
    if given["node"] not in given["nodes"]:
        module.fail_json(msg=f"node: found {given['node']!r}, expected one of nodes ({', '.join(given['nodes'])})")
    if given["runtime"] == "container" and not given["image"]:
        module.fail_json(msg="image: found none, expected the image to run the agent in (runtime container)")
    if not re.fullmatch(r"[0-9a-zA-Z]{12,64}", given["token"]):
        module.fail_json(msg=f"token: found {given['token']!r}, expected 12 to 64 letters and digits")
    try:
        folder = unpack(given["_kit"], Path(module.tmpdir) / "kit").probe
    except (ValueError, BadZipFile) as error:
        module.fail_json(msg=str(error))
    request = Request(
        **{key: given[key] for key in ("node", "address", "port", "interface", "device", "runtime", "image", "token", "meet_s", "lease_s")},
        nodes=tuple(given["nodes"]),
        folder=folder,
        seconds=given["timeout_s"],
        amounts=Amounts(given["bytes"], given["measure_s"], given["round_s"]),
        gate_gb_s=given["gate_gb_s"],
        fraction=given["fraction"],
    )
    status, lines = Status(request.token), []

    def say(line: str) -> None:
        lines.append(line)
        status.tell(lines)

    status.begin()
    try:
        said = take_part(request, lambda talk: lead(talk, request, say))
        if request.leads:
            lines.append(said["end"])
    finally:
        status.end(lines if status.is_wanted(request.lease_s) else [])
    module.exit_json(changed=False, agent=said)


if __name__ == "__main__":
    main()
