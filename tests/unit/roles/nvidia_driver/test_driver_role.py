"""The role's steps and their order, through ansible-playbook. What would change this machine, and what looks at it, is a double."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[4]
# Tasks that change a node, each replaced by one that writes down that it ran.
CHANGES = ("files", "install_apt", "disk", "activate")
# What looks at a node or changes it: each writes down that it ran and what it was asked, and answers from a list, whose last answer stays.
# It is an action, which Ansible calls; a module would be a program of its own, and take a quarter of a second each time.
DOUBLE = """
import json
from pathlib import Path
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        folder, asked = Path({folder!r}), self._task.args
        with (folder / "steps").open("a") as steps:
            steps.write(" ".join(["{name}", *([asked["state"]] if "state" in asked else [])]) + chr(10))
        with (folder / "{name}.asked").open("a") as log:
            log.write(json.dumps(asked) + chr(10))
        answers = json.loads((folder / "{name}.json").read_text())
        (folder / "{name}.json").write_text(json.dumps(answers[1:] or answers))
        return answers[0]
"""
NEW, OLD = "535.309.01", "535.261.03"
AS_IT_SHOULD_BE = {"converged": True, "version": NEW, "had": NEW, "loaded": NEW, "libraries": [NEW], "units": [], "kernels": ["6.1"]}
BARE = {**AS_IT_SHOULD_BE, "converged": False, "had": "", "loaded": "", "libraries": []}
OTHER = {**BARE, "loaded": OLD, "libraries": [OLD]}
NOT_REBOOTED = {**AS_IT_SHOULD_BE, "loaded": OLD}
JOB = {"pid": 4711, "name": "python", "user": "alice", "nodes": ["/dev/nvidia0"]}


class Node:
    """A node that is as its doubles say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = folder / "ansible_collections" / "gpu" / "fleet"
        (ours / "plugins" / "action").mkdir(parents=True)
        for name in ("filter", "module_utils"):
            (ours / "plugins" / name).symlink_to(ROOT / "plugins" / name)
        for name in ("galaxy.yml", "meta"):
            (ours / name).symlink_to(ROOT / name)
        role = ours / "roles" / "nvidia_driver"
        shutil.copytree(ROOT / "roles" / "nvidia_driver", role)
        steps = (*CHANGES, "compile", "nvlink5")
        for name in steps:
            (role / "tasks" / f"{name}.yml").write_text(yaml.safe_dump([{"name": name, f"gpu.fleet.{name}": {}}]))
        for name in (*steps, "nvidia_driver_plan", "gpu_users", "node_lock"):
            (ours / "plugins" / "action" / f"{name}.py").write_text(DOUBLE.format(folder=str(folder), name=name))
            self.answers(name, {})
        self.answers("gpu_users", {"users": []})

    def answers(self, module: str, *answers: dict[str, Any]) -> None:
        (self.folder / f"{module}.json").write_text(json.dumps(answers))

    def plans(self, *plans: dict[str, Any]) -> None:
        self.answers("nvidia_driver_plan", *({"plan": plan} for plan in plans))

    def run(self, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        facts = {"distribution": "Debian", "distribution_major_version": "12", "pkg_mgr": "apt", "kernel": "6.1", "cacheable": True}
        tasks = [{"ansible.builtin.set_fact": facts}, {"import_role": {"name": "gpu.fleet.nvidia_driver"}}]
        play = {"hosts": "all", "gather_facts": False, "vars": {"nvidia_driver_version": NEW, **variables}, "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        (self.folder / "ansible.cfg").write_text("[defaults]\n")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment |= {"ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(self.folder)}
        environment |= {"ANSIBLE_HOME": str(self.folder / "home"), "ANSIBLE_LOCALHOST_WARNING": "0"}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "gpu-01,", "-c", "local", "play.yml", *arguments]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120)

    @property
    def steps(self) -> list[str]:
        return (self.folder / "steps").read_text().splitlines()

    @property
    def versions(self) -> list[str]:
        """What the nodes had agreed on when each plan was asked for."""
        return [json.loads(line)["fleet_version"] for line in (self.folder / "nvidia_driver_plan.asked").read_text().splitlines()]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize(
    ("plan", "variables"),
    [
        (OTHER, {}),
        (NOT_REBOOTED, {}),
        ({**OTHER, "loaded": NEW}, {"nvidia_driver_kernel_module": False}),
    ],
    ids=["another version", "not rebooted yet", "another version in a container"],
)
def test_a_driver_that_somebody_uses_is_not_replaced(node: Node, plan: dict[str, Any], variables: dict[str, Any]) -> None:
    node.plans(plan)
    node.answers("gpu_users", {"users": [JOB]})
    result = node.run(**variables)
    said = " ".join(result.stdout.split())
    assert result.returncode == 2, said
    assert "Found the GPUs in use by process 4711 (python, of alice). Expected nobody" in said
    assert f"is to take the place of {OLD}. Next step: run playbooks/upgrade_driver.yml with -e nvidia_driver_version={NEW}" in said
    assert not {*CHANGES} & {*node.steps}


def test_daemons_are_no_users_and_the_same_for_an_upgrade(node: Node) -> None:
    tasks = yaml.safe_load((ROOT / "roles/nvidia_driver/tasks/in_use.yml").read_text())
    upgrade = yaml.safe_load((ROOT / "roles/driver_upgrade/defaults/main.yml").read_text())
    assert tasks[0]["vars"]["__nvidia_driver_daemons"] == upgrade["driver_upgrade_unit_processes"]
    node.plans(OTHER)
    assert node.run(driver_upgrade_unit_processes=["ours"]).returncode == 0
    assert json.loads((node.folder / "gpu_users.asked").read_text())["but_not"] == ["ours"]


def test_who_would_be_waited_for_is_said_in_check_mode(node: Node) -> None:
    node.plans(OTHER)
    node.answers("gpu_users", {"users": [JOB]})
    result = node.run("--check")
    assert result.returncode == 0, result.stdout
    assert "Found the GPUs in use by process 4711" in result.stdout


def test_nobody_is_asked_about_a_version_that_stays(node: Node) -> None:
    node.plans({**AS_IT_SHOULD_BE, "converged": False})  # such as one that is not held
    node.answers("gpu_users", {"users": [JOB]})
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan", "node_lock", "nvidia_driver_plan", *CHANGES[:-1], "node_lock free"]


def test_other_controllers_are_away_until_the_module_is_in_the_kernel(node: Node) -> None:
    node.plans(OTHER)
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan", "node_lock", "nvidia_driver_plan", "gpu_users", *CHANGES, "node_lock free"]


def test_they_are_away_from_a_reboot_too(node: Node) -> None:
    node.plans(NOT_REBOOTED)
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan", "node_lock", "nvidia_driver_plan", "gpu_users", "disk", "activate", "node_lock free"]


def test_what_another_controller_has_done_meanwhile_is_not_done_again(node: Node) -> None:
    node.plans(BARE, AS_IT_SHOULD_BE)
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan", "node_lock", "nvidia_driver_plan", "disk", "node_lock free"]


def test_a_kernel_that_comes_along_gets_what_its_module_needs_before_it_is_booted(node: Node) -> None:
    along = {**BARE, "changes": ["Kernel 6.2 comes along, and starts at the next boot; now 6.1 is running"]}
    node.plans(along, along, {**BARE, "had": NEW, "libraries": [NEW], "kernels": ["6.1", "6.2"], "flavour": "open"})
    assert node.run().returncode == 0
    assert node.steps[2:] == [
        "nvidia_driver_plan",
        *CHANGES[:2],
        "nvidia_driver_plan",
        *CHANGES[:2],
        "compile",
        *CHANGES[2:],
        "node_lock free",
    ]


def test_a_plan_that_is_no_longer_good_changes_nothing_and_keeps_nobody_away(node: Node) -> None:
    node.plans(BARE, {"converged": False, "loaded": "", "libraries": [], "asked": NEW, "error": "Found another driver meanwhile."})
    result = node.run()
    assert (result.returncode, node.steps[2:]) == (2, ["nvidia_driver_plan", "node_lock free"])
    assert "Found another driver meanwhile." in result.stdout


def test_within_a_run_that_has_the_node_already_the_lock_is_left_to_it(node: Node) -> None:
    node.plans(BARE)
    node.answers("node_lock", {"holder": {"owner": "this run"}, "mine": True})
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan", "node_lock", *CHANGES]


def test_nothing_but_the_look_where_nothing_is_to_be_done(node: Node) -> None:
    node.plans(AS_IT_SHOULD_BE)
    assert node.run().returncode == 0
    assert node.steps == ["nvidia_driver_plan"]


def test_a_first_installation_asks_nobody_and_a_branch_stays_at_what_the_nodes_agreed_on(node: Node) -> None:
    node.plans({**BARE, "asked": "535", "available": [NEW], "fabric": "nvlink5"})
    assert node.run(nvidia_driver_version="535").returncode == 0
    assert node.steps[-2:] == ["nvlink5", "node_lock free"]
    assert node.versions == ["", NEW]
    assert "gpu_users" not in node.steps


@pytest.mark.parametrize(
    ("version", "variables", "options"),
    [
        ("580.95.05", {}, ["--dkms", "--kernel-module-type=open"]),
        ("550.54.15", {}, ["--dkms", "-m=kernel-open"]),
        (
            "550.54.15",
            {"nvidia_driver_signing_key": "/k", "nvidia_driver_signing_certificate": "/c"},
            ["--dkms", "-m=kernel-open", "--module-signing-secret-key=/k", "--module-signing-public-key=/c"],
        ),
    ],
)
def test_the_installer_is_told_to_sign_and_to_have_later_kernels_compiled(
    version: str, variables: dict[str, str], options: list[str]
) -> None:
    role = yaml.safe_load((ROOT / "roles/nvidia_driver/vars/main.yml").read_text())
    names = ("__nvidia_driver_runfile_module", "__nvidia_driver_runfile_options")
    plan = {"flavour": "open", "version": version}
    given = {"nvidia_driver_signing_key": "", **variables, "__nvidia_driver_plan": plan, **{name: role[name] for name in names}}
    templar = Templar(DataLoader(), {name: trust_as_template(value) if isinstance(value, str) else value for name, value in given.items()})
    assert templar.template(trust_as_template("{{ __nvidia_driver_runfile_options }}")) == ["--silent", "--no-x-check", *options]
