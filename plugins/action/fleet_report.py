"""Face of module_utils/report/: gathers what this run knows of its hosts, and writes, prints and gates, on the controller."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.gpu.fleet.plugins.module_utils import tables
from ansible_collections.gpu.fleet.plugins.module_utils.compare import nodes as compared
from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import NAMES as TRAITS
from ansible_collections.gpu.fleet.plugins.module_utils.report import collect, publish, redact, store, terminal
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleet import About, assemble
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
    "may_differ": {"type": "list", "elements": "str", "default": [], "choices": list(TRAITS)},
    "table_rows": {"type": "int", "default": 40},
}
COLLECTION = Path(__file__).resolve().parents[2]
_FILES = COLLECTION / "roles" / "gpu_readiness" / "files"


class ActionModule(ActionBase):
    """One report of the whole fleet: run it once, for whichever host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the report, print the table, and return the hosts that the gate refuses."""
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
        nodes = compared.compare(nodes, self._known_gpus(variables), options["may_differ"])
        about = About(
            title=options["title"],
            notice=redact.text(options["notice"]),
            now=now,
            made_by=f"{socket.gethostname()}, gpu.fleet {toolkit_version(COLLECTION)}, ansible-core {ansible_version}",
        )
        fleet = assemble(about, nodes, {node.name: judge(node, options["accept"]) for node in nodes if node.in_run}, warnings)
        place = f"Report: {directory / 'report.html'}" if write else "Check mode: the report was not written."
        lines = [*table(fleet, width=terminal.width(), rows=options["table_rows"]), (place, "")]
        try:
            if write:
                publish.publish(fleet, directory)
        except OSError as error:
            terminal.show(lines[:-1])
            raise AnsibleActionFail(
                f"found that the report cannot be written to {directory} ({error}), expected a directory that this user may write to: "
                "free it or set fleet_report_directory"
            ) from error
        if terminal.shown_at_the_end():
            result["table"] = lines
        else:
            terminal.show(lines)
        result.update(
            changed=False,
            counts=fleet.counts,
            html=str(directory / "report.html"),
            json=str(directory / "report.json"),
            junit=str(directory / "report.xml"),
            refused={node.name: fleet.gates[node.name].message for node in fleet.refused},
        )
        return result

    def _known_gpus(self, variables: dict[str, Any]) -> Callable[[str], bool]:
        """Say which GPUs the reference table knows: the site's own table, where it has one that can be read, else the role's."""
        own = self._templar.template(variables.get("gpu_readiness_reference_table") or "")
        errors = [(_FILES / name).read_text(encoding="utf-8") for name in (tables.XID_TABLE, tables.NVLINK_TABLE)]
        for path in (*([Path(self._loader.path_dwim(own))] if own else []), _FILES / tables.GPU_TABLE):
            try:
                known = tables.load(path.read_text(encoding="utf-8"), *errors)
            except (OSError, ValueError):
                continue  # the measurement of each node has said so
            return lambda name: known.gpu_named(name) is not None
        return lambda _name: False


def _heard(hostvars: Any, name: str) -> collect.Heard:
    """Read only what is needed of a host's variables: templating all of them takes ten times as long."""
    raw = hostvars.raw_get(name)

    def look(key: str) -> Any:
        value = raw.get(key)
        return hostvars[name][key] if isinstance(value, str) and "{{" in value else value

    return collect.Heard(
        readiness=look("gpu_readiness_result"),
        fabric=look("fabric_readiness_findings"),
        unreachable=look("fleet_unreachable"),
        failed=look("fleet_failed"),
        expected_verdict=str(look("fleet_report_expected_verdict") or ""),
    )
