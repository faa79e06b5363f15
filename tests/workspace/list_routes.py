"""Print the pattern of every route that JupyterLab serves in this workspace, one a line.

Usage, inside a workspace: python - < list_routes.py
"""

from jupyterlab.labapp import LabApp

app = LabApp.initialize_server(["--config=/usr/local/lib/workspace/jupyter_config.py", "--ServerApp.port=0", "--log-level=ERROR"])
for rule in app.web_app.wildcard_router.rules:
    print(rule.matcher.regex.pattern)
