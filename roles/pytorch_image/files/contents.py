"""Print what a PyTorch image has inside, as one line of JSON. Runs in the image, and needs no GPU."""

import json

import torch


def dotted(number: int) -> str:
    """Write cuDNN's number as a version: 90501 is 9.5.1, and 8907 was 8.9.7."""
    scale = 10000 if number >= 10000 else 1000  # noqa: PLR2004
    return f"{number // scale}.{number % scale // 100}.{number % 100}"


cuda = torch.version.cuda
cudnn = torch.backends.cudnn.version() if cuda else None
contents = {
    "torch": torch.__version__,
    "cuda": cuda,
    "cudnn": dotted(cudnn) if cudnn else None,
    "nccl": ".".join(map(str, torch.cuda.nccl.version())) if cuda else None,
}
print(json.dumps(contents))  # noqa: T201
