"""Print the pattern of every route that the hub serves, one a line.

Usage, with the hub's Python: python - < list_hub_routes.py
"""

import sys

sys.path.insert(0, "/opt/jupyterhub")

import hub
from jupyterhub import apihandlers, handlers

own = hub.InventoryAuthenticator().get_handlers(None)
for route in [*handlers.default_handlers, *apihandlers.default_handlers, *own]:
    print(f"/hub{str(route[0]).rstrip('$')}")
