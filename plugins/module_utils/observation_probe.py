"""What the probe measured on one node: plain data, no opinion. Rates are decimal GB/s and dense TFLOP/s."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

ENOUGH = 0.99  # of the time that was asked of a burn-in


@dataclass(frozen=True)
class Matmul:
    """A matrix product on one GPU (or on the CPU in its place). The speed is the median; `spread_percent` is nine tenths less one tenth."""

    tflops: float
    spread_percent: float
    tflops_over_time: tuple[float, ...]  # medians of equal parts of the time
    dtype: str
    size: int
    correct: bool
    worst_error: float  # in standard deviations of the result


@dataclass(frozen=True)
class Bandwidth:
    """The bandwidth of a GPU's own memory: what a copy in it reads and writes."""

    gb_s: float
    spread_percent: float
    bytes: int
    correct: bool


@dataclass(frozen=True)
class HostCopies:
    """Copies between pinned memory of the host and a GPU, from the NUMA node from which they are fastest (-1 where none is told)."""

    to_device_gb_s: float
    from_device_gb_s: float
    bytes: int
    numa_node: int
    correct: bool


@dataclass(frozen=True)
class Rank:
    """One process of the probe and what it measured."""

    rank: int
    uuid: str
    name: str
    matmul: Reading[Matmul]
    matmul_fp8: Reading[Matmul]
    memory: Reading[Bandwidth]
    host: Reading[HostCopies]


@dataclass(frozen=True)
class PeerCopy:
    """Copies from one GPU's memory to another's, by rank. `direct` is without the host in between."""

    source: int
    target: int
    gb_s: float
    direct: bool
    bytes: int
    correct: bool


@dataclass(frozen=True)
class Collective:
    """A collective between all processes of the probe: `all_reduce`, `reduce_scatter` or `all_gather`."""

    operation: str
    busbw_gb_s: float
    algbw_gb_s: float
    bytes: int
    dtype: str
    ranks: int
    correct: bool


@dataclass(frozen=True)
class Phase:
    """When a part of the measurement ran, in seconds since 1970."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True)
class Spread:
    """What samples of one quantity had between them."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Sampled:
    """What NVML told of one GPU again and again while a part of the measurement ran."""

    uuid: str
    phase: str
    samples: int
    clock_mhz: Reading[Spread]
    power_w: Reading[Spread]
    temperature_c: Reading[Spread]
    pcie_generation: Reading[Spread]
    event_reasons: Reading[dict[str, float]]  # by bit of the clock event reasons (`0x40`): the part of the samples that had it


@dataclass(frozen=True)
class BurnInGpu:
    """What all samples of a burn-in say of one GPU."""

    rank: int
    uuid: str
    tflops: Reading[Spread]
    wrong: int  # samples with a wrong product
    missing: str  # why a sample has no product, empty where each has
    temperature_c: Reading[Spread]
    power_w: Reading[Spread]
    clock_mhz: Reading[Spread]
    event_reasons: Reading[dict[str, float]]  # as of `Sampled`, from the sample that had most


@dataclass(frozen=True)
class BurnIn:
    """A burn-in, with what earlier checks did of it. `not_kept` is why it could not be written down, empty where it was."""

    asked_s: float
    done_s: float
    started_at: str  # UTC
    samples: int
    not_kept: str
    gpus: tuple[BurnInGpu, ...]
    allreduce_gb_s: Reading[Spread]
    allreduce_wrong: int
    allreduce_missing: str

    @property
    def whole(self) -> bool:
        """Whether it came to its end; the moments between samples are no lack."""
        return self.done_s >= ENOUGH * self.asked_s


@dataclass(frozen=True)
class Probe:
    """The measured workloads. `device` is `cuda` or `cpu`; on the CPU the figures prove the path and nothing about GPUs."""

    device: str
    device_reason: str
    backend: str
    torch_version: str
    cuda_version: str
    nccl_version: str
    gpus_seen: int
    level: str
    stopped: str  # why it ended before its time, or not well; empty where neither
    ranks: tuple[Rank, ...]
    peers: Reading[tuple[PeerCopy, ...]]
    collectives: Reading[tuple[Collective, ...]]
    phases: tuple[Phase, ...]
    measuring_s: float  # of `duration_s`: what its parts took
    duration_s: float
    image: Reading[str]  # the digest of the image that it ran in
    sampled: Reading[tuple[Sampled, ...]]
    burn_in: Reading[BurnIn]
