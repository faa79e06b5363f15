"""Face of module_utils/report/: gathers what this run knows of its hosts, and writes, prints and gates, on the controller."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils import color
from ansible.utils.display import Display

from ansible_collections.gpu.fleet.plugins.module_utils.report import collect, publish, redact, store
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleet import About, Fleet, assemble
from ansible_collections.gpu.fleet.plugins.module_utils.report.gate import judge
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import VERDICTS, never_measured
from ansible_collections.gpu.fleet.plugins.module_utils.report.table import table
from ansible_collections.gpu.fleet.plugins.module_utils.report.toolkit import toolkit_version

SPEC: dict[str, dict[str, Any]] = {
    "directory": {"type": "path", "required": True},
    "title": {"type": "str", "default": "GPU fleet"},
    "notice": {"type": "str", "default": ""},
    "group": {"type": "str", "default": "gpu_nodes"},
    "hosts": {"type": "list", "elements": "str"},
    "accept": {"type": "list", "elements": "str", "default": ["ready"], "choices": list(VERDICTS)},
    "table_rows": {"type": "int", "default": 40},
}
COLLECTION = Path(__file__).resolve().parents[2]
COLUMNS_WITHOUT_TERMINAL = 120
# Verdicts and the notice in the colours in which Ansible itself says ok, changed, failed and warning.
COLOURS = {
    "ready": constants.COLOR_OK,
    "degraded": constants.COLOR_CHANGED,
    "not_ready": constants.COLOR_ERROR,
    "unknown": constants.COLOR_WARN,
    "notice": constants.COLOR_WARN,
}

display = Display()


class ActionModule(ActionBase):
    """One report of the whole fleet: run it once, for whichever host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the report, print the table, and return the gate's word on every host of this run."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _, options = self.validate_argument_spec(argument_spec=SPEC)
        hosts = options["hosts"] if options["hosts"] is not None else variables["ansible_play_hosts_all"]
        in_run = set(hosts)
        directory = Path(options["directory"]).expanduser().absolute()
        write = not self._task.check_mode

        now = datetime.now(timezone.utc)
        nodes, warnings = [], []
        for name in dict.fromkeys([*variables["groups"].get(options["group"], []), *hosts]):
            if name in in_run:
                nodes.append(collect.node(name, _heard(variables["hostvars"], name), now.isoformat(timespec="seconds")))
                continue
            stored, warning = store.load(directory / store.NODES, name, set_aside=write)
            nodes.append(stored or never_measured(name))
            warnings += [warning] if warning else []
        about = About(
            title=options["title"],
            notice=redact.text(options["notice"]),
            now=now,
            made_by=f"{socket.gethostname()}, gpu.fleet {toolkit_version(COLLECTION)}, ansible-core {ansible_version}",
        )
        fleet = assemble(about, nodes, {node.name: judge(node, options["accept"]) for node in nodes if node.in_run}, warnings)
        try:
            if write:
                publish.publish(fleet, directory)
        except OSError as error:
            raise AnsibleActionFail(
                f"found that the report cannot be written to {directory} ({error}), expected a directory that this user may write to: "
                "free it or set fleet_report_directory"
            ) from error
        finally:
            _show(fleet, options["table_rows"], directory if write else None)
        result.update(
            changed=False,
            counts=fleet.counts,
            html=str(directory / "report.html"),
            json=str(directory / "report.json"),
            junit=str(directory / "report.xml"),
            gate={name: gate.as_dict() for name, gate in fleet.gates.items()},
        )
        return result


def _heard(hostvars: Any, name: str) -> collect.Heard:
    """Read only what is needed of a host's variables: templating all of them takes ten times as long."""
    raw = hostvars.raw_get(name)

    def look(key: str) -> Any:
        value = raw.get(key)
        return hostvars[name][key] if isinstance(value, str) and "{{" in value else value

    return collect.Heard(
        readiness=look("gpu_readiness_result"),
        unreachable=look("fleet_unreachable"),
        failed=look("fleet_failed"),
        expected_verdict=str(look("fleet_report_expected_verdict") or ""),
    )


def _show(fleet: Fleet, rows: int, directory: Path | None) -> None:
    """Print the table; the log, where there is one, gets it without colours."""
    said = f"Report: {directory / 'report.html'}" if directory else "Check mode: the report was not written."
    for paint, where in ((_colour, {"screen_only": True}), (_plain, {"log_only": True})):
        display.display("\n".join([*table(fleet, width=_width(), limit=rows, paint=paint), said]), **where)


def _width() -> int:
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"])
    known = color.ANSIBLE_COLOR or display.columns > 79  # noqa: PLR2004 - what Ansible assumes where there is no terminal
    return display.columns if known else COLUMNS_WITHOUT_TERMINAL


def _colour(text: str, style: str) -> str:
    return color.stringc(text, COLOURS[style]) if style in COLOURS else text


def _plain(text: str, _style: str) -> str:
    return text

