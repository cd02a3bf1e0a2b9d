"""What the fields of a description may hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from gpuspawner.quantity import parse_quantity

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def _as_text(value: object) -> object:
    """YAML reads ``cpu: 48`` as a number where the API's quantity is a text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _checked_quantity(text: str) -> str:
    if parse_quantity(text) < 0:
        raise ValueError(f"{text!r} is negative; an amount is zero or more")
    return text


def _dns_label(text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not a DNS label: lower-case letters, digits and '-'")
    return text


def dns_subdomain(text: str) -> str:
    """`text`, if an object can have it as its name; ValueError if not."""
    if not _DNS_SUBDOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a DNS name: lower-case letters, digits, '-' and '.'")
    return text


Quantity = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked_quantity)]
ResourceQuantities = dict[str, Quantity]
NamespaceName = Annotated[str, AfterValidator(_dns_label)]
ObjectName = Annotated[str, AfterValidator(dns_subdomain)]


class Model(BaseModel):
    """Frozen, and closed: a name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
