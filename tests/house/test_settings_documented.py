"""Every setting is described where people look for it, and nothing is described that is no setting."""

import re
from pathlib import Path

import pytest

from dawr.platform.config import FIELDS, read_settings
from dawr.platform.config_docs import env_example, settings_page

ROOT = Path(__file__).parents[2]
RENDERED = {"docs/settings.md": settings_page, ".env.example": env_example}


@pytest.mark.parametrize("path", RENDERED)
def test_the_page_is_what_the_declaration_says(path: str) -> None:
    assert (ROOT / path).read_text() == RENDERED[path](), "run: python -m dawr.platform.config_docs"


def test_the_example_can_be_used_as_it_stands(tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    values = [line.removeprefix("#") for line in lines if re.match(r"#[A-Z]", line)]
    (tmp_path / ".env").write_text("\n".join(values))
    assert len(values) == len(FIELDS)
    assert read_settings({}, folder=tmp_path) == read_settings({"DAWR_LOG_LEVEL": "info"}, folder=tmp_path)
    assert (
        read_settings({}, folder=tmp_path).settings
        == read_settings({}, folder=tmp_path / "none", given={"data_dir": tmp_path / "var"}).settings
    )


def test_every_setting_is_read_somewhere() -> None:
    sources = {
        path: path.read_text() for path in (ROOT / "src").rglob("*.py") if path.stem not in ("config", "config_docs")
    }
    code = "\n".join(sources.values())
    unread = [name for name in FIELDS.values() if not re.search(rf"settings\.{name}\b", code)]
    via_property = {"public_url": "settings.url", "tls_key": "tls_key", "keys": "settings.keys"}
    assert [name for name in unread if via_property.get(name, "\0") not in code] == []
