"""What is said of plugins."""

from dawr.platform.errors import N_, NotFound


class PluginNotFound(NotFound):
    code = "plugin_not_found"
    title = N_("There is no such plugin here")


def follower(plugin: str) -> str:
    """The name under which a plugin follows the log."""
    return f"plugin:{plugin}"
