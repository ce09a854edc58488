"""What leaves and enters a facility in files, by the names the event log keeps. Data holds counts, never what was in a file.

Streams: ``export:<id>`` and ``import:<id>``, with one event each.
"""

EXPORT_MADE = "export_made"
IMPORT_MADE = "import_made"
