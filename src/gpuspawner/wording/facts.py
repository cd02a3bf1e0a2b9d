"""What a profile is like, whether it can be started or not."""

from __future__ import annotations

from typing import Literal

from gpuspawner.language import gettext as _
from gpuspawner.language import ngettext
from gpuspawner.offers import Offer
from gpuspawner.pod import keeps_home
from gpuspawner.wording.lengths import lasting

AfterStop = Literal["kept", "gone", "stays-on-its-node"]


def sharing(offer: Offer) -> str:
    """Whose the devices are, in honest words; empty for a profile without any.

    It stands behind the number and the title of the devices.
    """
    accelerator = offer.accelerator
    if accelerator is None:
        return ""
    others = (accelerator.shared_by or 1) - 1
    match accelerator.sharing:
        case "exclusive" if offer.profile.count > 1:
            return _("all on one node, yours alone")
        case "exclusive":
            return _("yours alone")
        case "mig":
            words = ngettext(
                "part of a GPU, isolated from its neighbours",
                "parts of GPUs, isolated from their neighbours",
                offer.profile.count,
            )
        case "time-slicing" if others > 0:
            words = ngettext(
                "shared with up to {others} other by taking turns, no memory isolation",
                "shared with up to {others} others by taking turns, no memory isolation",
                others,
            )
        case "time-slicing":
            words = _("shared with others by taking turns, no memory isolation")
        case "mps" if others > 0:
            words = ngettext(
                "shared with up to {others} other at the same time, limited isolation: an error "
                "of one can stop all",
                "shared with up to {others} others at the same time, limited isolation: an error "
                "of one can stop all",
                others,
            )
        case "mps":
            words = _(
                "shared with others at the same time, limited isolation: an error of one can stop "
                "all"
            )
    return words.format(others=others)


def volume(name: str, after_stop: AfterStop, *, read_only: bool) -> str:
    """What becomes of the files in a volume of the catalog, by its name there."""
    if read_only:
        words = _("{volume}: read-only")
    elif after_stop == "kept":
        words = _("{volume}: kept when the server stops")
    elif after_stop == "gone":
        words = _("{volume}: emptied when the server stops")
    else:
        words = _("{volume}: stays on its node, and your next server may run on another")
    return words.format(volume=name)


def home(offer: Offer) -> str:
    """What becomes of the person's home directory; empty where that cannot be told."""
    if offer.plan is None or not keeps_home(offer.plan.settings):
        return ""
    return _("your home directory: kept when the server stops")


def session(limit: str) -> str:
    """What a limit of the catalog's to a session means."""
    words = _("ends after {length}; unsaved work is lost")
    return words.format(length=lasting(limit))


def server_lasts(limit: str) -> str:
    """What a limit of the catalog's to a session means for a server that is yet to run."""
    words = _("Your server will run for {length} at most; what is not saved by then is lost.")
    return words.format(length=lasting(limit))


def granted(grant: str) -> str:
    """By what a person may have a profile; empty if everyone may.

    Args:
        grant: of `gpuspawner.policy.Decision`.
    """
    kind, _space, name = grant.partition(" ")
    match kind:
        case "group":
            return _("Granted by the group {name}").format(name=name)
        case "user":
            return _("Granted to {name} by name").format(name=name)
        case _:
            return ""
