"""Tells a team's chat (Mattermost, Slack, Zulip: anything with an incoming webhook) what it should know at once.

``DAWR_PLUGIN_CHAT_URL`` is the webhook's address. The text names codes and desks, never people: a chat is read on many screens.
"""

import json
import os
import urllib.request

from dawr.hooks import Happening, hookimpl

SECONDS = 5


class Chat:
    def __init__(self) -> None:
        self._url = os.environ["DAWR_PLUGIN_CHAT_URL"]

    @hookimpl
    def on_ticket_no_show(self, happening: Happening) -> None:
        self._say(f"{happening.data['code']} was called and did not come.", happening)

    @hookimpl
    def on_visit_created(self, happening: Happening) -> None:
        self._say("A visit began.", happening)

    def _say(self, text: str, happening: Happening) -> None:
        """Whatever goes wrong is raised: Dawr calls again later. The id lets the other side drop what it has heard."""
        body = json.dumps({"text": f"[{happening.facility}] {text}", "id": happening.id}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=SECONDS):
            pass
