"""What there is to measure."""

from __future__ import annotations

from typing import Any


def count_gpus(torch: Any) -> int:
    """Start CUDA and count what it lets a process use: PyTorch's own count is NVML's, also of GPUs in slices, of which CUDA shows one."""
    torch.cuda.init()
    count: int = torch._C._cuda_getDeviceCount()  # noqa: SLF001 - it has no public name
    return count
