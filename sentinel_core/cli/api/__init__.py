"""`sentinel api`: serve the HTTP API, and its tokens."""

from cyclopts import App

from sentinel_core.cli.api.serve import serve

app = App(name="api")
app.default(serve)
token = App(name="token", help="The tokens of the HTTP API: create, list and revoke them.")
for _command in ("create", "list", "revoke"):
    token.command(f"sentinel_core.cli.api.tokens:{_command}_", name=_command)
app.command(token)
