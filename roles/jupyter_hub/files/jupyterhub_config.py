"""The hub's configuration: /etc/jupyterhub/settings.json, written by the role, put into JupyterHub's words."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hub

SETTINGS = json.loads(Path("/etc/jupyterhub/settings.json").read_text(encoding="utf-8"))
USERS = SETTINGS["users"]
# Of the systemd unit: for the hub's eyes only.
STATE = "/var/lib/jupyterhub"

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub's

# The hub hears the node's loopback. Containers reach it through jupyterhub-api.socket, browsers through nginx.
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{SETTINGS['port']}"
c.JupyterHub.public_url = SETTINGS["url"]
c.JupyterHub.proxy_class = hub.FixedRoutes
c.JupyterHub.db_url = f"sqlite:///{STATE}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{STATE}/cookie_secret"
# What runs goes on while the hub is restarted.
c.JupyterHub.cleanup_servers = False

# Who is not in the inventory is not let in, and forgotten with all cookies and tokens.
c.Authenticator.allowed_users = set(USERS)
c.Authenticator.admin_users = {name for name, user in USERS.items() if user["admin"]}
c.Authenticator.allow_existing_users = False
c.Authenticator.username_pattern = rf"(?:{'|'.join(map(re.escape, USERS))})\Z"
c.Authenticator.delete_invalid_users = True
if SETTINGS["authenticator"] == "native":
    c.JupyterHub.authenticator_class = hub.InventoryAuthenticator
    c.InventoryAuthenticator.accounts = SETTINGS["accounts"]
elif SETTINGS["authenticator"] == "pam":
    c.JupyterHub.authenticator_class = "pam"
    c.PAMAuthenticator.service = SETTINGS["pam_service"]
    c.PAMAuthenticator.open_sessions = False
else:
    options = dict(SETTINGS["oauth"])
    (provider,) = entry_points(group="jupyterhub.authenticators", name=options.pop("provider"))
    c.JupyterHub.authenticator_class = provider.load()
    c.OAuthenticator.oauth_callback_url = f"{SETTINGS['url']}hub/oauth_callback"
    c[c.JupyterHub.authenticator_class.__name__].update(options)

c.JupyterHub.spawner_class = hub.WorkspaceSpawner
spawner = c.WorkspaceSpawner
spawner.fleet = SETTINGS
spawner.image = SETTINGS["image"]
# The role has it on the node.
spawner.pull_policy = "never"
spawner.name_template = "jupyterhub-{raw_username}"
spawner.remove = True
spawner.network_name = SETTINGS["network"]
spawner.use_internal_ip = True
spawner.hub_connect_url = f"http://{SETTINGS['gateway']}:{SETTINGS['port']}"
spawner.start_timeout = SETTINGS["start_timeout_s"]
spawner.http_timeout = SETTINGS["start_timeout_s"]
spawner.default_url = "/lab"
spawner.options_form = hub.WorkspaceSpawner.profiles_form
spawner.options_from_form = hub.WorkspaceSpawner.chosen_from_form
spawner.apply_user_options = {"profile": "chosen"}
spawner.volumes = {
    f"{SETTINGS['data_directory']}/{{raw_username}}/home": "/home/{raw_username}",
    "/etc/jupyterhub/users/{raw_username}/passwd": {"bind": "/etc/passwd", "mode": "ro"},
    "/etc/jupyterhub/users/{raw_username}/group": {"bind": "/etc/group", "mode": "ro"},
}
# Not as volumes: Docker makes those that are not there, and an empty directory in the place of a data set looks like one.
spawner.mounts = [
    {"type": "bind", "source": path, "target": path, "read_only": True, "propagation": "rslave"}
    # A single brace is the spawner's to fill in.
    for path in (path.replace("{", "{{").replace("}", "}}") for path in SETTINGS["datasets"])
]
# A server ends itself when nothing runs in it: a kernel that computes keeps it, and so does a terminal in use, or in which a command runs.
# While a tmux session or a job is left, the container's entry point starts it again (role workspace_image).
spawner.args = [
    '--ServerApp.terminado_settings={"shell_command": ["/bin/bash"]}',
    f"--ServerApp.shutdown_no_activity_timeout={SETTINGS['idle_s']}",
    f"--MappingKernelManager.cull_idle_timeout={SETTINGS['idle_s']}",
    f"--MappingKernelManager.cull_interval={max(1, min(300, SETTINGS['idle_s']))}",
    # A notebook that is left open in a browser is idle all the same.
    "--MappingKernelManager.cull_connected=True",
    "--TerminalsExtensionApp.terminal_manager_class=workspace_terminals.Terminals",
    f"--TerminalManager.cull_inactive_timeout={SETTINGS['idle_s']}",
    f"--TerminalManager.cull_interval={max(1, min(300, SETTINGS['idle_s']))}",
]
