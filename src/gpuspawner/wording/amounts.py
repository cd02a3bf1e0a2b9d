"""Amounts with what they are of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, listed, ngettext
from gpuspawner.offers import Offer
from gpuspawner.quantity import format_amount, format_apart

_NAMES = {
    "cpu": gettext_noop("CPU cores"),
    "ephemeral-storage": gettext_noop("local disk"),
    "memory": gettext_noop("memory"),
    "pods": gettext_noop("places for pods"),
}
_UNITS = re.compile(r"(?<=\d) (?=(?:[KMGT]iB|s|min|h)\b)")


def named(resource: str, amount: int) -> str:
    """An amount with its resource: ``"128 GiB of memory"``, ``"2 nvidia.com/gpu"``."""
    return _with_name(resource, amount, format_amount(resource, amount), resource)


def two_named(resource: str, one: int, other: int, offer: Offer) -> tuple[str, str]:
    """The first with its resource, the second as an amount that reads differently."""
    texts = format_apart(resource, one, other)
    return _with_name(resource, one, texts[0], name_of(resource, offer)), texts[1]


def _with_name(resource: str, amount: int, words: str, name: str) -> str:
    match resource:
        case "cpu":
            # What is not one whole core is several: "0.5 CPU cores".
            number = 1 if amount == _ONE_CORE else 2
            text = ngettext("{amount} CPU core", "{amount} CPU cores", number)
        case "memory":
            text = _("{amount} of memory")
        case "ephemeral-storage":
            text = _("{amount} of local disk")
        case "pods":
            text = ngettext("{amount} place for pods", "{amount} places for pods", amount)
        case _:
            text = "{amount} {resource}"
    return text.format(amount=words, resource=name)


def name_of(resource: str, offer: Offer) -> str:
    """A resource as people call it; the catalog's word for the devices of the offer."""
    if offer.accelerator is not None and resource == offer.accelerator.resource:
        return offer.accelerator.title
    return _(_NAMES[resource]) if resource in _NAMES else resource


def names_of(resources: Iterable[str], offer: Offer) -> str:
    """Resources as a list in a sentence."""
    return listed(sorted(name_of(resource, offer) for resource in resources))


def unbroken(text: str) -> str:
    """The text for a page, where no line ends between a number and its unit."""
    return _UNITS.sub("\N{NO-BREAK SPACE}", text)


_ONE_CORE = 1000
