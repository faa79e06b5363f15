"""JupyterLab's configuration in a workspace, which is settings.json of the workspace (see workspace.py) put into Jupyter's words."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from jupyter_server.auth.identity import PasswordIdentityProvider

SETTINGS = json.loads(Path("/run/workspace/settings.json").read_text(encoding="utf-8"))


class HashedIdentityProvider(PasswordIdentityProvider):
    """One secret, of which only the Argon2 hash is known here: typed into the login form, or sent as a token."""

    accepted = b""

    def passwd_check(self, password: str) -> bool:
        """Say whether this is the secret. What was accepted once is known again by a digest in memory, since Argon2 is slow by intent."""
        digest = hashlib.sha256(password.encode()).digest()
        if hmac.compare_digest(self.accepted, digest):
            return True
        try:
            PasswordHasher().verify(self.hashed_password, password)
        except (Argon2Error, InvalidHashError):
            return False
        self.accepted = digest
        return True

    async def get_user_token(self, handler: Any) -> Any:
        """Identify who sends the secret as a token, in the header or the address."""
        presented = self.get_token(handler)
        if not presented or not self.passwd_check(presented):
            return None
        return self.get_user_cookie(handler) or self.generate_anonymous_user(handler)


c = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter's
c.ServerApp.identity_provider_class = HashedIdentityProvider
c.HashedIdentityProvider.hashed_password = SETTINGS["secret_hash"]
c.HashedIdentityProvider.allow_password_change = False
# What does not say that anybody may ask it is for those who are signed in, extensions included.
c.ServerApp.allow_unauthenticated_access = False
c.ServerApp.base_url = SETTINGS["base_url"]
# Behind a proxy the cookie must know that the way to the browser is HTTPS.
c.ServerApp.trust_xheaders = True
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
c.ServerApp.shutdown_no_activity_timeout = SETTINGS["idle_shutdown_s"]
c.MappingKernelManager.cull_idle_timeout = SETTINGS["idle_shutdown_s"]
# A notebook that is left open in a browser is idle all the same.
c.MappingKernelManager.cull_connected = True
# A terminal in which a command runs is not, however silent it is.
c.TerminalsExtensionApp.terminal_manager_class = "workspace_terminals.Terminals"
c.TerminalManager.cull_inactive_timeout = SETTINGS["idle_shutdown_s"]
# Look for what is idle as often as the server itself does.
c.MappingKernelManager.cull_interval = c.TerminalManager.cull_interval = 60
