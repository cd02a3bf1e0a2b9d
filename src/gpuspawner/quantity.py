"""Kubernetes quantities as exact integers.

The unit of an amount is its resource's: ``cpu`` counts thousandths of a core, everything else
counts whole units (bytes, devices, pods). Both round up, as the scheduler does when it asks a
quantity for its ``MilliValue`` or ``Value``. Floats are never used to compare.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

from gpuspawner.errors import QuantityError
from gpuspawner.language import decimal, ngettext

_FORMAT = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)

_FACTOR: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    **{suffix: Fraction(10 ** (3 * power)) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(2 ** (10 * power)) for power, suffix in enumerate("KMGTPE", start=1)},
}

_MAX_LENGTH = 64
_BYTES = ("memory", "ephemeral-storage", "storage")
_BINARY_UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def parse_quantity(text: str | float) -> Fraction:
    """The exact value of a quantity such as ``"64Gi"``, ``"1500m"`` or ``2``.

    The grammar is that of ``k8s.io/apimachinery/pkg/api/resource``: a decimal number with one of
    the suffixes n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or a decimal exponent.

    Raises:
        QuantityError: the text is not a quantity.
    """
    return _parse(text if isinstance(text, str) else repr(text))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Fraction:
    match = _FORMAT.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        shown = text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."
        raise QuantityError(
            f"{shown!r} is not a Kubernetes quantity; write a number with a suffix such as 500m, "
            "2, 64Gi or 128G"
        )
    value = Fraction(match["number"])
    if match["suffix"]:
        return value * _FACTOR[match["suffix"]]
    if match["exponent"]:
        return value * Fraction(10) ** int(match["exponent"])
    return value


def parse_amount(resource: str, text: str | float) -> int:
    """An amount of `resource`: thousandths of a core for ``cpu``, whole units for all else.

    Raises:
        QuantityError: the text is not a quantity.
    """
    return _amount(resource == "cpu", text if isinstance(text, str) else repr(text))


@lru_cache(maxsize=4096)
def _amount(is_cpu: bool, text: str) -> int:  # noqa: FBT001 - a cache key, called from one place
    value = _parse(text)
    return ceil(value * 1000) if is_cpu else ceil(value)


def is_bytes(resource: str) -> bool:
    """Whether amounts of `resource` are bytes."""
    return resource in _BYTES or resource.startswith("hugepages-")


def format_amount(resource: str, amount: int) -> str:
    """An amount as a person reads it: ``"122 GiB"``, ``"1.5"`` cores, ``"2"`` devices."""
    if resource == "cpu":
        return decimal(amount / 1000, 3)
    if not is_bytes(resource):
        return str(amount)
    for name, factor in _BINARY_UNITS:
        if abs(amount) >= factor:
            return _in_unit(amount, name, factor)
    return _in_bytes(amount)


def format_apart(resource: str, one: int, other: int) -> tuple[str, str]:
    """Two amounts as a person reads them, in a unit small enough that they read differently."""
    texts = format_amount(resource, one), format_amount(resource, other)
    if one == other or texts[0] != texts[1]:
        return texts
    for name, factor in _BINARY_UNITS[1:]:
        texts = _in_unit(one, name, factor), _in_unit(other, name, factor)
        if texts[0] != texts[1]:
            return texts
    return _in_bytes(one), _in_bytes(other)


def _in_unit(amount: int, name: str, factor: int) -> str:
    return f"{decimal(amount / factor, 1)} {name}"


def _in_bytes(amount: int) -> str:
    return ngettext("{number} byte", "{number} bytes", amount).format(number=amount)
