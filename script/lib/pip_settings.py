"""Prints, as shell exports for uv, where pip looks for packages: ``pip_settings.py PYTHON``.

uv reads neither pip's files nor its variables. What is already set for uv stays as it is.
"""

import ast
import os
import shlex
import ssl
import subprocess
import sys

# pip's option → uv's variable, and what stands between several values there.
NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
OLD_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def pip_settings(listing: str) -> dict[str, str]:
    """pip's options as ``pip install`` sees them, from what ``pip config list`` prints: its own section goes before
    ``global``, variables before both."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = str(ast.literal_eval(value))
    return found["global"] | found["install"] | found[":env:"]


def uv_settings(settings: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    told = {}
    for option, (name, separator) in NAMES.items():
        value = separator.join(settings.get(option, "").split())
        if value and not environment.get(name) and not environment.get(OLD_NAMES.get(name, name)):
            told[name] = value
    if "UV_INDEX" in told:
        # pip takes the best of all its indexes, uv by itself only of the first that has the package. Hashes keep it safe.
        told["UV_INDEX_STRATEGY"] = environment.get("UV_INDEX_STRATEGY") or "unsafe-best-match"
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        told["DAWR_NO_INDEX"] = "true"  # uv has a flag for this, no variable
    if "UV_SYSTEM_CERTS" not in environment and "SSL_CERT_FILE" not in environment | told and has_certificates():
        told["UV_SYSTEM_CERTS"] = "true"
    return told


def has_certificates() -> bool:
    """Whether the system knows authorities: then those, as pip and every browser do, and not uv's own list."""
    paths = ssl.get_default_verify_paths()
    folder = paths.openssl_capath
    return (
        sys.platform == "darwin"
        or os.path.exists(paths.openssl_cafile)
        or bool(os.path.isdir(folder) and os.listdir(folder))
    )


def main(python: str) -> None:
    command = [python, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own Python
    for name, value in uv_settings(pip_settings(done.stdout), dict(os.environ)).items():
        print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    main(sys.argv[1])
