"""What is the fleet's own in JupyterHub: who is let in, what a user's container is, and why the proxy is told nothing."""

from __future__ import annotations

import asyncio
import html
import subprocess
from typing import Any, ClassVar

import docker
import gpus
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from dockerspawner import DockerSpawner
from jupyterhub.auth import Authenticator
from jupyterhub.proxy import Proxy
from tornado import web
from traitlets import Dict, Unicode

# Who has which GPUs is read off the containers themselves, so that it holds whatever happens to the hub or its database.
USER, GPUS = "gpu.fleet.hub.user", "gpu.fleet.hub.gpus"


class FixedRoutes(Proxy):
    """Every user's container has an address of its own, which nginx was told beforehand: nothing is to be done while the hub runs."""

    def __init__(self, **kwargs: Any) -> None:
        """Begin without routes. The hub adds those of the servers that run."""
        super().__init__(**kwargs)
        self.should_start = False
        self.routes: dict[str, dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Note it, for the hub to find it again."""
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        """Forget it."""
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """Return what was noted."""
        return dict(self.routes)


class InventoryAuthenticator(Authenticator):
    """Accounts of the inventory: the hub knows the Argon2 hash of each one's password, and nothing else."""

    accounts = Dict(config=True, help="Name and hash.")
    # For a name that there is not, so that the answer takes as long.
    _nobody = PasswordHasher().hash("nobody")

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:  # noqa: ARG002 - JupyterHub's signature
        """Return the name of who knows the password."""
        name = self.normalize_username(data["username"])
        known = await asyncio.to_thread(self._knows, self.accounts.get(name, self._nobody), data["password"])
        return name if known and name in self.accounts else None

    @staticmethod
    def _knows(hashed: str, password: str) -> bool:
        try:
            return PasswordHasher().verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False


class WorkspaceSpawner(DockerSpawner):
    """A container of the workspace image, with the user's home, the user's number, GPUs that nobody else has, and no privilege."""

    fleet = Dict(config=True, help="What the role wrote: users, profiles, datasets, shm_size and so on.")
    chosen = Unicode(help="The name of the profile that the user chose.")
    # Those of servers whose containers are not made yet. One hub process starts all servers, one choice at a time.
    _starting: ClassVar[dict[str, list[str]]] = {}
    _one_at_a_time: ClassVar[asyncio.Lock] = asyncio.Lock()
    _devices: list[gpus.Device]

    @property
    def account(self) -> dict[str, Any]:
        """Return what the inventory says of this user."""
        return self.fleet["users"][self.user.name]

    async def node_devices(self) -> list[gpus.Device]:
        """Ask the node what it has now."""
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                ["nvidia-smi", "-L"],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        return gpus.parse(done.stdout if done.returncode == 0 else "")

    async def taken(self) -> list[str]:
        """Return the UUIDs that other users' servers have."""
        containers = await self.docker("containers", filters={"label": USER})
        labels = [container["Labels"] for container in containers]
        have = {label[USER]: label[GPUS].split(",") for label in labels} | self._starting
        return [uuid for name, uuids in have.items() if name != self.user.name for uuid in uuids]

    def limit(self, devices: list[gpus.Device]) -> int:
        """Return how many GPUs or slices the user may have."""
        limit = self.account["gpus"]
        return len(devices) if limit is None else int(limit)

    async def profiles_form(self) -> str:
        """Return the choice that a user sees at the start: what the node has and the user may have."""
        devices, taken = await self.node_devices(), set(await self.taken())
        rows = []
        for number, profile in enumerate(gpus.offered(self.fleet["profiles"], devices, self.limit(devices))):
            kind = gpus.of_kind(profile, devices)
            free = sum(device.uuid not in taken for device in kind)
            state = "" if profile["gpus"] == 0 else f" ({free} of {len(kind)} free)"
            name = html.escape(profile["name"], quote=True)
            rows.append(
                f'<div class="form-check"><label><input type="radio" name="profile" value="{name}" required'
                f"{' checked' if not number else ''}> {name}{state}</label></div>"
            )
        return "\n".join(rows)

    @staticmethod
    def chosen_from_form(form: dict[str, list[str]]) -> dict[str, str]:
        """Return what the user chose."""
        return {"profile": form.get("profile", [""])[0]}

    def profile(self) -> dict[str, Any]:
        """Return the profile that was chosen, or the first one where nothing was."""
        name = self.chosen or self.fleet["profiles"][0]["name"]
        for profile in self.fleet["profiles"]:
            if profile["name"] == name:
                return profile
        raise gpus.NoGpusError(f"There is no profile {name}. Choose one of {', '.join(p['name'] for p in self.fleet['profiles'])}.")

    async def start(self) -> tuple[str, int]:
        """Claim GPUs, and start the container with them."""
        name = self.user.name
        try:
            async with self._one_at_a_time:
                devices = await self.node_devices()
                self._devices = gpus.choose(self.profile(), devices, await self.taken(), self.limit(devices))
                self._starting[name] = [device.uuid for device in self._devices]
            return await super().start()
        except gpus.NoGpusError as refusal:
            # JupyterHub shows the user what comes as an error of HTTP, in these words.
            answer = web.HTTPError(409, str(refusal))
            answer.jupyterhub_message = str(refusal)
            raise answer from refusal
        finally:
            self._starting.pop(name, None)

    async def create_object(self) -> Any:
        """Make the container."""
        info = await self.docker("info")
        account, profile = self.account, self.profile()
        # By UUID: an index is looked up anew at every start, and may be another GPU or slice by then.
        names = [f"nvidia.com/gpu={device.uuid}" for device in self._devices]
        self.environment = {"HOME": f"/home/{self.user.name}", "USER": self.user.name, "SHELL": "/bin/bash"}
        # PyTorch's image asks for all GPUs, which NVIDIA's runtime gives where it is the engine's default.
        self.environment["NVIDIA_VISIBLE_DEVICES"] = "void"
        # NCCL from 2.24 to 2.26.2, which PyTorch 2.7 has, would exchange by way of the host with calls that Docker denies it.
        self.environment["NCCL_CUMEM_HOST_ENABLE"] = "0"
        self.extra_create_kwargs = {
            "hostname": self.user.name,
            "user": f"{account['uid']}:{account['gid']}",
            # What keeps a workspace keeps a user's server, too.
            "entrypoint": ["python", "/usr/local/lib/workspace/workspace.py", "jupyterhub-singleuser"],
            "working_dir": f"/home/{self.user.name}",
            "labels": {USER: self.user.name, GPUS: ",".join(device.uuid for device in self._devices)},
            "networking_config": {"EndpointsConfig": {self.network_name: {"IPAMConfig": {"IPv4Address": account["address"]}}}},
        }
        self.extra_host_config = {
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "group_add": [str(group) for group in account["groups"]],
            "shm_size": self.fleet["shm_size"],
            "tmpfs": {
                "/tmp": "exec,mode=1777",  # noqa: S108 - in the container
                "/var/tmp": "mode=1777",  # noqa: S108
                f"/run/user/{account['uid']}": f"uid={account['uid']},gid={account['gid']},mode=0700",
            },
        }
        self.mem_limit = profile.get("memory")
        self.cpu_limit = profile.get("cpus")
        if names and info.get("CDISpecDirs"):
            request = docker.types.DeviceRequest(driver="cdi", device_ids=names)
            self.extra_host_config["device_requests"] = [request]
        elif names:
            # An engine without CDI has NVIDIA's runtime, which does by these names what the specification says; the role
            # nvidia_container_toolkit saw to both.
            self.extra_host_config["runtime"] = "nvidia"
            self.environment["NVIDIA_VISIBLE_DEVICES"] = ",".join(names)
        return await super().create_object()
