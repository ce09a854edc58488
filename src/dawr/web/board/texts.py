"""What the script of the wall screen may have to say."""

from functools import cache

from dawr.web.phrases import Texts, Voice


@cache
def board_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "desk": _("Desk %(desk)s"),
        "waiting": voice.plural(lambda n: voice.t.ngettext("%(num)s waiting", "%(num)s waiting", n)),
        "nobody": _("Nobody has been called yet"),
    }
