"""Renders what people read about the settings from their declaration: ``docs/settings.md`` and ``.env.example``.

``python -m dawr.platform.config_docs`` writes both into the working folder.
"""

import textwrap
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from dawr.platform.config import Settings, variable

_PAGE = """\
# Settings

Rendered from `src/dawr/platform/config.py` by `python -m dawr.platform.config_docs`; edit the descriptions there.

Settings are environment variables. They may also stand in a file `.env` in the data folder, or in one in the working
folder. The command line wins over the environment, the environment over the data folder's file, and that file over the
working folder's. An empty value counts as not set. Everything is checked at start: each mistake is told in one line, and
the program ends with exit code 2. A `DAWR_` variable that is no setting is reported and otherwise ignored.

| Setting | Default | What it does |
|---|---|---|
{rows}

## Rate limits and a hospital's Wi-Fi

Everybody in a waiting room usually reaches the server from one network address, the Wi-Fi's. A limit for each address
that is meant for one person would lock the whole room out. So there are two: a tight one for each device (the browser's
cookie) and a wide one for each address, which only stops machines. Behind a proxy, `DAWR_TRUSTED_PROXIES` has to name
it; otherwise every request seems to come from the proxy's own address, and all of them share one limit.

## A PostgreSQL of your own

Version 15 or later, encoding UTF8. The user in `DATABASE_URL` owns the database; it needs no superuser's rights. `dawr
migrate` makes the role `dawr_app`, which owns nothing, and the app works under it. Where that user may not make roles,
an administrator of the server runs this once, before or after the first start, and then `dawr migrate` again:

    CREATE ROLE dawr_app NOLOGIN;
    GRANT dawr_app TO the_user_in_database_url;

Without the role the app works as the owner of its tables. Row-level security is forced, so it binds the owner too, and
facilities stay apart; what is missing is the second wall, that a mistake in the app could not alter tables or read the
directory of logins past its functions. `dawr doctor` says which of the two it is.

## Several servers on one database

Give all of them the same `DATABASE_URL` and the same `DAWR_KEYS`. Behind a transaction pooler set `DATABASE_DIRECT_URL`
too: migrations, `LISTEN` and background jobs need a connection of their own. Run `dawr worker` where you like and set
`DAWR_WORKER=off` where only pages shall be served; each job runs once, wherever it runs.
"""
_EXAMPLE_HEAD = """\
# Every setting with its default. Copy the lines you change to `.env` in the data folder (or in the folder from which
# dawr is started); variables of the environment win over the file. `docs/settings.md` says where settings come from.
"""


def default_of(field: str) -> str:
    """The default as it would be written; empty for none."""
    default: Any = Settings.model_fields[field].default
    if default is None or default is PydanticUndefined or default == ():
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default)


def settings_page() -> str:
    rows = (
        f"| `{variable(name)}` | {f'`{default_of(name)}`' if default_of(name) else '–'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    )
    return _PAGE.format(rows="\n".join(rows))


def env_example() -> str:
    parts = [_EXAMPLE_HEAD]
    for name, field in Settings.model_fields.items():
        comment = textwrap.fill(field.description or "", 118, initial_indent="# ", subsequent_indent="# ")
        parts.append(f"{comment}\n#{variable(name)}={default_of(name)}\n")
    return "\n".join(parts)


def main() -> None:
    Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")
    Path(".env.example").write_text(env_example(), encoding="utf-8")


if __name__ == "__main__":
    main()
