"""The example plugin, as it is installed and as it speaks."""

import asyncio
import json
from pathlib import Path

import pytest

from dawr.plugins.process import PluginError, PluginProcess
from tests.platform.test_outgoing import server

SOURCE = Path(__file__).parents[2] / "examples" / "plugin-chat" / "src"
HAPPENING = {
    "id": "queue:lab:7",
    "facility": "mmc",
    "type": "ticket_no_show",
    "entity": "018f0000-0000-7000-8000-000000000001",
    "at": "2026-11-22T08:00:00+03:00",
    "data": {"code": "LAB-031", "desk": "2"},
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "dawr_plugin_chat-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: dawr-plugin-chat\nVersion: 0.1.0\n")
    (folder / "entry_points.txt").write_text("[dawr.plugins]\nchat = dawr_plugin_chat:Chat\n")
    monkeypatch.setenv("PYTHONPATH", f"{SOURCE}:{tmp_path}")


async def told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAWR_PLUGIN_CHAT_URL", url)
    process = PluginProcess("chat")
    try:
        await process.tell(HAPPENING)
    finally:
        await process.close()


@pytest.mark.usefixtures("installed")
async def test_the_team_reads_who_did_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, str]] = []

    async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        heard.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with server(chat) as url:
        await told(url, monkeypatch)
    assert heard == [{"text": "[mmc] LAB-031 was called and did not come.", "id": "queue:lab:7"}]


@pytest.mark.usefixtures("installed")
async def test_a_chat_that_refuses_is_a_failure_to_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with server(chat) as url:
        with pytest.raises(PluginError, match="HTTP Error 503"):
            await told(url, monkeypatch)
