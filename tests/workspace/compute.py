"""Give a kernel a cell that computes for some seconds and then writes a file, and do not wait for it.

Usage: python - KERNEL SECONDS < compute.py      (in a workspace's container, as its user)
"""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient

CELL = """
import pathlib, time
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    time.sleep(1)
pathlib.Path("computed").write_text("to the end")
"""


def main(kernel: str, seconds: int) -> None:
    """Send the cell, and return when the kernel has begun with it."""
    (file,) = Path("/run/user").glob(f"*/jupyter/kernel-{kernel}.json")
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    sent = client.execute(CELL.format(seconds=seconds))
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == sent and message["msg_type"] == "execute_input":
            break
    client.stop_channels()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
