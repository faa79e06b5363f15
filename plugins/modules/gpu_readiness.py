#!/usr/bin/python
# Copyright: the GPU fleet toolkit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_readiness
short_description: Measure whether a GPU node is ready to train
version_added: 0.1.0
description:
  - Reads the node's GPUs (through NVML, the PCI bus, the kernel log, the device nodes), judges what it read against what the
    inventory and NVIDIA's published figures say it should be, and gives one verdict with the findings that it rests on.
  - At every level but V(passive) it also measures, with the PyTorch of the fleet's image (O(runtime=container)) or of the node
    (O(runtime=native)) - matrix products (bf16, and fp8 where the GPU has it), memory bandwidth, copies between host and GPU and
    between GPUs, and collectives between them - and whether each result is right. NVML is asked meanwhile for clocks, power,
    temperature and what holds clocks down.
  - What could not be measured is a finding with status V(error), and the verdict is then never V(ready). A node that is not ready is a
    result and not a failure of this module, which fails for bad arguments only.
  - It changes nothing on the node but its own history (O(history)), pulls no image, and kills nobody's process.
options:
  level:
    description:
      - V(passive) reads, in less than a second on most nodes.
      - V(quick) also measures, in about 15 seconds. V(standard) measures longer, in about a minute, so that heat shows, and more
        sizes. V(active) is another word for V(standard).
      - V(burn_in) measures as V(standard) does, and then again and again for O(burn_in_s).
      - Measuring uses the GPUs fully, so run it where no job is running. Where a process uses a GPU, nothing is measured.
    type: str
    choices: [passive, active, quick, standard, burn_in]
    default: passive
  expectation:
    description:
      - What the node should be. Every key is optional; what is not given is judged by the reference table of GPUs, by the
        GPU's own limits, or by the node's other GPUs.
      - An unknown key, a wrong type and a contradiction are refused before anything is measured.
    type: dict
    suboptions:
      gpu_model:
        description: The model of every GPU, as NVML names it; the maker's name may be left out, as in V(H100 80GB HBM3).
        type: str
      gpu_count:
        description: How many GPUs the node has. Without it PCI bus, NVML and device nodes must agree with each other on at least one.
        type: int
      driver_version:
        description: The driver's version, exact (V("535.261.03")) or a branch (V("535")). Quote it, or YAML makes a number of it.
        type: str
      persistence_mode:
        description: Whether persistence mode must be on. Without this key it must; V(false) is no opinion.
        type: bool
      kernel_module:
        description:
          - Whether the node has an NVIDIA kernel module of its own. V(true) requires it in C(/proc/driver/nvidia/version).
          - V(false) is for a node without a kernel of its own, such as a container. Where the file is there, it is checked in any case.
        type: bool
      nvlink_links:
        description: How many NVLinks are up on each GPU. Without it, as many as the reference table says of the model.
        type: int
      pcie_width:
        description: The number of PCIe lanes of each GPU. Without it, as many as GPU and slot allow.
        type: int
      temperature_max:
        description: The highest temperature of a GPU, in degrees Celsius. Without it, 5 below the GPU's own slowdown threshold.
        type: float
      gate_fraction:
        description:
          - The part of a published measured figure (matrix product, all-reduce) that a measured one must reach, from 0.3 to 1.
            Without it 0.9.
        type: float
      probe_device:
        description:
          - What the probe must run on. Without it V(cuda).
          - V(cpu) is for nodes whose GPUs are simulated; it proves the path (image, container, processes), and says so.
        type: str
        choices: [cuda, cpu]
      torch_version:
        description: The PyTorch version that the probe must find, exact (V("2.7.1")) or its beginning (V("2.7")).
        type: str
      pcie_generation:
        description:
          - The generation of PCIe that GPU and slot allow together. Without it, whatever they allow. It falls when a GPU is idle, so what
            the link runs at is judged only while the GPU works.
        type: int
      power_limit:
        description: The power limit of each GPU, in watts, for a fleet that caps it on purpose. Without it, the GPU's default limit.
        type: float
      mig_mode:
        description: Whether each GPU is partitioned (MIG). Without it, either is right.
        type: bool
      compute_mode:
        description:
          - The compute mode of each GPU. Without it, whatever lets a job start.
        type: str
        choices: [default, exclusive_process]
      idle:
        description: Whether the node is idle, so that any process on a GPU is left over. Without it, a process that has ended is.
        type: bool
      cuda_version:
        description: The CUDA version that the fleet's image was built with, such as V("12.6"). The driver must be able to run it.
        type: str
      cpu_count:
        description: How many logical processors are online in the machine. Without it they are recorded and not judged.
        type: int
      memory_gib:
        description:
          - The memory that is installed, in GiB. 3 percent and half a GiB less pass, since a kernel keeps some for itself. Without
            it, not judged.
        type: float
      hugepages:
        description: How many huge pages of the default size are set aside. Without it, not judged.
        type: int
      memlock_unlimited:
        description:
          - V(true) requires that containers inherit no limit of locked memory, as jobs over InfiniBand need that do not lift it
            themselves.
        type: bool
      nofile:
        description: How many open files containers must at least be allowed. Without it, not judged.
        type: int
      shm_gib:
        description: The least size of C(/dev/shm), in GiB. Without it, it must be there and have 64 MiB free.
        type: float
      image_store_free_gib:
        description: The room that must be free where the container engine keeps images, in GiB. Without it 1, below which containers fail.
        type: float
      container_runtime:
        description:
          - V(true) requires a container engine that can hand GPUs to containers, V(false) is for a node without containers. Without
            it, an engine that is set up for GPUs must work.
        type: bool
      infiniband_ports:
        description: How many InfiniBand or RoCE ports are active at least. Without it, those that were up since the machine's start.
        type: int
      infiniband_rate_gb_s:
        description: The least rate of each active port, in Gb/s. Without it, an InfiniBand link of one lane fails and nothing else.
        type: float
      gpudirect_rdma:
        description:
          - Whether adapters must reach the GPUs' memory (C(nvidia_peermem) or dma-buf). Without it they must where InfiniBand ports
            are active; V(true) also means RoCE.
        type: bool
      peer_to_peer:
        description:
          - V(false) is for a node whose GPUs and adapters need not reach each other over PCI Express, and does not judge access
            control (ACS) and the IOMMU.
        type: bool
      straggler_percent:
        description:
          - How much slower than the median of the node's GPUs one of them may be, in percent, from 1 to 50 (matrix product and memory
            bandwidth). Without it 5.
        type: float
      peak_fraction:
        description:
          - The part of a physical peak (memory bandwidth, PCI Express link, NVLinks through NVSwitches) that a measured rate must
            reach, from 0.3 to 0.95. Without it 0.7.
        type: float
  runtime:
    description:
      - Where the probe finds PyTorch. V(container) runs O(image) with C(docker run), without a network.
      - V(native) uses the first Python of the node that has PyTorch (Ansible's own, then C(python3) in the path).
    type: str
    choices: [container, native]
    default: container
  image:
    description:
      - The image that the probe runs in, by tag or by digest. It must be on the node.
      - Needed when O(runtime=container), at every level but V(passive).
    type: str
  burn_in_s:
    description:
      - How long V(burn_in) measures again and again, in seconds. Its samples are written to C(burn_in.jsonl) beside O(history).
      - One that was stopped is an V(error), judged by what it measured, and goes on where it was when asked for again within a week, on
        the same GPUs. O(recovered) starts it anew.
    type: float
    default: 3600
  timeout_s:
    description:
      - The time for everything but the burn-in, in seconds. Whatever has not answered by then, a hung driver included, is a finding with
        status V(error).
    type: float
    default: 120
  history:
    description:
      - The file on the node in which it remembers its checks, so that counters are judged by their change and a failure is not forgotten
        at once. It is small and bounded, replaced as a whole, and set aside (C(.foreign)) when it holds something else.
      - Where it cannot be read or written, as without root, a finding says so and the verdict does not depend on it.
      - Empty keeps none.
    type: str
    default: /var/lib/gpu-fleet/history.json
  flap_window_s:
    description:
      - How long a node that would have killed a job is V(degraded) though it passes now, in seconds since then. V(0) is not at all.
      - What failed under another version of the driver, or by the inventory's own expectation, does not count.
    type: float
    default: 3600
  recovered:
    description:
      - Says that what failed before has been repaired. Errors in the kernel log until now, and failures in the history, count no more.
      - Whatever is still wrong is found all the same.
    type: bool
    default: false
attributes:
  check_mode:
    description: It does the same in check mode, and does not add to the history.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
notes:
  - The node needs Python 3.9 or later and nothing else. NVML's bindings, the reference tables and the probe are brought from the
    controller by the action plugin of the same name, which needs the Python package C(nvidia-ml-py) there.
  - It loads the C(libnvidia-ml.so.1) that the node's loader finds.
  - What the probe is doing it writes to C(/run/gpu-fleet/progress) on the node, for who waits.
  - The probe ends with this module, whether that is told to end (SIGTERM, SIGINT, SIGHUP), is killed, or loses its connection; what
    was measured by then is judged, and the rest has status V(error).
  - It runs without root. What root alone may read, such as the kernel log on many systems, is then a finding with status V(error).
  - The variable C(gpu_readiness_reference_table) may name a reference table of GPUs of your own on the controller, a copy of the role's
    C(files/gpu_reference.csv) with your rows.
seealso:
  - module: ansible.builtin.assert
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Read a node's GPUs
  gpu.fleet.gpu_readiness:
    expectation:
      gpu_model: H100 80GB HBM3
      gpu_count: 8
      driver_version: "570"
  register: passive

- name: Stop where the node is not ready
  ansible.builtin.assert:
    that: passive.readiness.verdict == "ready"
    fail_msg: "{{ passive.readiness.findings | selectattr('status', 'in', ['fail', 'error']) | map(attribute='message') | join('; ') }}"

- name: Measure the GPUs with the fleet's image
  gpu.fleet.gpu_readiness:
    level: standard
    image: registry.example:5000/pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime
    expectation:
      torch_version: "2.7.1"
    timeout_s: 180

- name: Measure the GPUs with the node's own PyTorch
  gpu.fleet.gpu_readiness:
    level: quick
    runtime: native
"""

RETURN = r"""
readiness:
  description: The verdict, and what it rests on.
  returned: success
  type: dict
  contains:
    verdict:
      description:
        - V(ready), V(degraded) (usable, with a named limit), V(not_ready) (a job would die or stall) or V(unknown) (something that is
          needed could not be measured).
      type: str
      returned: success
      sample: not_ready
    findings:
      description:
        - What each check concluded, in a fixed order. A check that all GPUs pass is one finding for the node; else there is one for
          each GPU that does not pass. A measured figure is one finding per GPU.
      type: list
      elements: dict
      returned: success
      contains:
        check:
          description: The check's name.
          type: str
          returned: success
          sample: gpu_answers
        subject:
          description:
            - What it is about, with C(kind) (V(node), V(gpu), V(link), V(pair)), C(id) (a GPU's PCI bus id), and C(index) for a GPU.
          type: dict
          returned: success
          sample: {kind: gpu, id: "00000000:3b:00.0", index: 3}
        status:
          description: V(pass), V(fail), V(skip) (does not apply, with the reason) or V(error) (could not be measured).
          type: str
          returned: success
          sample: fail
        observed:
          description: What was found; a measured figure is a dictionary of C(value) and C(unit).
          type: raw
          returned: success
          sample: lost
        expected:
          description:
            - What it is held against; for a measured figure a dictionary of C(minimum) or C(maximum) and C(unit). Null without a gate.
          type: raw
          returned: success
          sample: answers
        source:
          description: Where the expectation comes from.
          type: str
          returned: success
          sample: NVML
        action:
          description: What to do; V(none), V(restart_app), V(reset_gpu), V(reboot), V(replace) or V(investigate).
          type: str
          returned: success
          sample: reboot
        kills_job:
          description: Whether a training job would die or stall from it.
          type: bool
          returned: success
          sample: true
        message:
          description: What was found, what was expected, and the next step.
          type: str
          returned: success
          sample: "found GPU 3 lost: it has fallen off the bus, expected it to answer: read the kernel log for its Xid, reboot, ..."
    observation:
      description:
        - All that was read, without judgement. Each reading is a dictionary with exactly one of C(value), C(unsupported) (with the
          reason) and C(unreadable) (with the reason).
      type: dict
      returned: success
      sample: {schema: 1, device_nodes: {value: [0, 1]}, kernel_module: {unsupported: "/proc/driver/nvidia/version does not exist"}}
    duration_s:
      description: How long it took, in seconds.
      type: float
      returned: success
      sample: 0.31
"""

from pathlib import Path
from zipfile import BadZipFile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.archive import compile_once

compile_once()
from ansible_collections.gpu.fleet.plugins.module_utils import expectation as expectations
from ansible_collections.gpu.fleet.plugins.module_utils.kit import unpack
from ansible_collections.gpu.fleet.plugins.module_utils.readiness import BURN_IN_S, LEVELS, PASSIVE, Memory, Request, measure

OPTIONS = {
    "level": {"type": "str", "choices": list(LEVELS), "default": PASSIVE},
    "expectation": {
        "type": "dict",
        "options": {
            "gpu_model": {"type": "str"},
            "gpu_count": {"type": "int"},
            "driver_version": {"type": "str"},
            "persistence_mode": {"type": "bool"},
            "kernel_module": {"type": "bool"},
            "nvlink_links": {"type": "int"},
            "pcie_width": {"type": "int"},
            "temperature_max": {"type": "float"},
            "gate_fraction": {"type": "float"},
            "probe_device": {"type": "str", "choices": ["cuda", "cpu"]},
            "torch_version": {"type": "str"},
            "pcie_generation": {"type": "int"},
            "power_limit": {"type": "float"},
            "mig_mode": {"type": "bool"},
            "compute_mode": {"type": "str", "choices": ["default", "exclusive_process"]},
            "idle": {"type": "bool"},
            "cuda_version": {"type": "str"},
            "cpu_count": {"type": "int"},
            "memory_gib": {"type": "float"},
            "hugepages": {"type": "int"},
            "memlock_unlimited": {"type": "bool"},
            "nofile": {"type": "int"},
            "shm_gib": {"type": "float"},
            "image_store_free_gib": {"type": "float"},
            "container_runtime": {"type": "bool"},
            "infiniband_ports": {"type": "int"},
            "infiniband_rate_gb_s": {"type": "float"},
            "gpudirect_rdma": {"type": "bool"},
            "peer_to_peer": {"type": "bool"},
            "straggler_percent": {"type": "float"},
            "peak_fraction": {"type": "float"},
        },
    },
    "runtime": {"type": "str", "choices": ["container", "native"], "default": "container"},
    "image": {"type": "str"},
    "burn_in_s": {"type": "float", "default": BURN_IN_S},
    "timeout_s": {"type": "float", "default": 120},
    "history": {"type": "str", "default": "/var/lib/gpu-fleet/history.json"},
    "flap_window_s": {"type": "float", "default": 3600},
    "recovered": {"type": "bool", "default": False},
}
# Not an option: the action plugin hands over what the node needs.
KIT = {"_kit": {"type": "str", "no_log": True}}


def main() -> None:
    module = AnsibleModule(argument_spec={**OPTIONS, **KIT}, supports_check_mode=True)
    given = module.params
    if not given["_kit"]:
        module.fail_json(msg="found no kit, expected the one that the action plugin brings: call this module as gpu.fleet.gpu_readiness")
    if given["level"] != PASSIVE and given["runtime"] == "container" and not given["image"]:
        module.fail_json(msg="image: found none, expected the image to run the probe in (runtime container)")
    if not given["timeout_s"] > 0:
        module.fail_json(msg=f"timeout_s: found {given['timeout_s']}, expected more than 0 seconds")
    if not given["burn_in_s"] > 0:
        module.fail_json(msg=f"burn_in_s: found {given['burn_in_s']}, expected more than 0 seconds")
    if not given["flap_window_s"] >= 0:
        module.fail_json(msg=f"flap_window_s: found {given['flap_window_s']}, expected 0 seconds or more")
    if given["history"] and not Path(given["history"]).is_absolute():
        module.fail_json(msg=f"history: found {given['history']!r}, expected a path from the root, or nothing")
    try:
        kit = unpack(given["_kit"], Path(module.tmpdir) / "kit")
        tables = kit.tables()
        expectation = expectations.parse(given["expectation"] or {})
        expectations.check_against(expectation, tables)
    except (ValueError, BadZipFile) as error:
        module.fail_json(msg=str(error))
    memory = Memory(
        path=Path(given["history"]) if given["history"] else None,
        flap_window_s=given["flap_window_s"],
        keep=not module.check_mode,
        recovered=given["recovered"],
    )
    request = Request(
        given["level"], given["runtime"], given["image"] or "", given["timeout_s"], expectation, memory, burn_in_s=given["burn_in_s"]
    )
    module.exit_json(changed=False, readiness=measure(request, kit.bindings, tables, kit.probe))


if __name__ == "__main__":
    main()
