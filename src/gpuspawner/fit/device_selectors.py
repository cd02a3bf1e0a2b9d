"""CEL selectors of devices: whether a device is of a class, or what a request asks for.

The variables and functions are those of ``k8s.io/dynamic-resource-allocation/cel``: the driver,
attributes and capacity by domain and name, quantities, versions and a few functions of texts. What
cannot be read here and what fails there (an attribute that the device lacks) both give None: in
the scheduler, a failing selector ends the attempt to place the pod on any node. As in CEL, a part
that fails does not matter where the other side of ``&&`` or ``||`` decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import NamedTuple

from gpuspawner.capacity.model.devices import Device, Version
from gpuspawner.errors import QuantityError
from gpuspawner.fit.cel import Call, Listing, Literal, Name, Node, Operation, Select, parse
from gpuspawner.quantity import parse_quantity

_SEMVER = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
_SAFE_PATTERN = re.compile(r"\(\?i\)|[\w \-_./^$|]|\.?[*+?](?![*+?])")
_MOST_REPEATS = 4
_ORDER = {"<": lt, "<=": le, ">": gt, ">=": ge}


class _Semver(NamedTuple):
    major: int
    minor: int
    patch: int


@dataclass(frozen=True, slots=True)
class _Domains:
    """``device.attributes`` or ``device.capacity``."""

    field: str


@dataclass(frozen=True, slots=True)
class _Names:
    """The same, of one domain."""

    field: str
    domain: str


class _Device:
    """``device`` itself."""


_Scalar = bool | int | str | Fraction | _Semver
_Value = _Scalar | _Domains | _Names | _Device | None
_DEVICE = _Device()


def matches(selectors: Iterable[str | None], device: Device) -> bool | None:
    """Whether all selectors match, asked in order; None if it cannot be told or one fails."""
    for selector in selectors:
        if selector is None or None in device.attributes.values():
            return None
        value = _evaluate(_parsed(selector), device)
        if value is not True:
            return False if value is False else None
    return True


@lru_cache(maxsize=1024)
def _parsed(expression: str) -> Node:
    return parse(expression)


def _evaluate(node: Node, device: Device) -> _Value:
    match node:
        case Literal(value):
            return value
        case Name("device"):
            return _DEVICE
        case Select(base, key):
            return _select(_evaluate(base, device), _evaluate(key, device), device)
        case Operation(sign, operands):
            return _operate(sign, operands, device)
        case Call(function, target, arguments):
            return _call(function, target, arguments, device)
    return None


def _select(base: _Value, key: _Value, device: Device) -> _Value:
    value: _Value = None
    match base, key:
        case _Device(), "driver":
            value = device.id.driver
        case _Device(), str(field) if field in ("attributes", "capacity"):
            value = _Domains(field)
        case _Domains(field), str(domain):
            value = _Names(field, domain)
        case _Names("attributes", domain), str(name):
            held = device.attributes.get(f"{domain}/{name}")
            value = _semver(held.text) if isinstance(held, Version) else held
        case _Names("capacity", domain), str(name):
            value = device.capacity.get(f"{domain}/{name}")
    return value


def _operate(sign: str, operands: tuple[Node, ...], device: Device) -> _Value:
    if sign in ("&&", "||"):
        return _joined((_evaluate(operand, device) for operand in operands), decisive=sign == "||")
    first = _evaluate(operands[0], device)
    if sign in ("?", "!"):
        if not isinstance(first, bool):
            return None
        return not first if sign == "!" else _evaluate(operands[1 if first else 2], device)
    if sign == "in":
        return _is_in(first, operands[1], device)
    return _related(sign, first, _evaluate(operands[1], device))


def _related(sign: str, left: _Value, right: _Value) -> bool | None:
    if sign in ("==", "!="):
        equal = _equal(left, right)
        return equal if equal is None or sign == "==" else not equal
    for kind in (int, str):
        if type(left) is kind and type(right) is kind:
            return bool(_ORDER[sign](left, right))
    return None


def _joined(values: Iterable[_Value], *, decisive: bool) -> bool | None:
    """The outcome of && or ||: one side that decides makes up for others that fail."""
    seen = set()
    for value in values:
        if value is decisive:
            return decisive
        seen.add(value if isinstance(value, bool) else None)
    return None if None in seen else not decisive


def _equal(left: _Value, right: _Value) -> bool | None:
    if not isinstance(left, _Scalar) or not isinstance(right, _Scalar):
        return None
    if type(left) is type(right):
        return left == right
    primitive = (bool, int, str)
    return False if isinstance(left, primitive) and isinstance(right, primitive) else None


def _is_in(item: _Value, where: Node, device: Device) -> bool | None:
    if isinstance(where, Listing):
        return _joined((_equal(item, _evaluate(one, device)) for one in where.items), decisive=True)
    names = _evaluate(where, device)
    if isinstance(names, _Names) and isinstance(item, str):
        held = device.attributes if names.field == "attributes" else device.capacity
        return f"{names.domain}/{item}" in held
    return None


def _call(
    function: str, target: Node | None, arguments: tuple[Node, ...], device: Device
) -> _Value:
    if target is None and function == "has":
        return _has(arguments, device)
    values = tuple(_evaluate(argument, device) for argument in arguments)
    if target is None:
        made = _MAKERS.get(function)
        text = values[0] if len(values) == 1 else None
        return made(text) if made is not None and isinstance(text, str) else None
    of = _evaluate(target, device)
    if isinstance(of, str) and (function, len(values)) in _OF_TEXTS:
        texts = [value for value in values if isinstance(value, str)]
        return _OF_TEXTS[function, len(values)](of, *texts) if len(texts) == len(values) else None
    if isinstance(of, (Fraction, _Semver)) and len(values) == 1 and type(values[0]) is type(of):
        return _compared(function, of, values[0])
    return None


def _has(arguments: tuple[Node, ...], device: Device) -> bool | None:
    if len(arguments) != 1 or not isinstance(arguments[0], Select):
        return None
    item = _evaluate(arguments[0].key, device)
    return _is_in(item, arguments[0].base, device)


def _compared(function: str, one: Fraction | _Semver, other: _Value) -> _Value:
    more, less = one > other, one < other  # type: ignore[operator]  # both are of one kind
    match function:
        case "compareTo":
            return int(more) - int(less)
        case "isGreaterThan":
            return more
        case "isLessThan":
            return less
    return None


def _found(pattern: str, text: str) -> bool | None:
    """A search with a pattern that means the same to RE2 and cannot take long; else None."""
    parts = _SAFE_PATTERN.findall(pattern)
    repeats = sum(part[-1] in "*+?" for part in parts)
    if "".join(parts) != pattern or repeats > _MOST_REPEATS or "\n" in text:
        return None
    try:
        return re.search(pattern, text, re.ASCII) is not None
    except re.error:
        return None


def _quantity(text: str) -> Fraction | None:
    try:
        return parse_quantity(text)
    except QuantityError:
        return None


def _semver(text: str) -> _Semver | None:
    """A version that has neither a pre-release nor build metadata."""
    match = _SEMVER.fullmatch(text)
    return _Semver(*map(int, match.groups())) if match else None


_MAKERS: dict[str, Callable[[str], _Value]] = {"quantity": _quantity, "semver": _semver}
_OF_TEXTS: dict[tuple[str, int], Callable[..., _Value]] = {
    ("startsWith", 1): str.startswith,
    ("endsWith", 1): str.endswith,
    ("contains", 1): str.__contains__,
    ("matches", 1): lambda text, pattern: _found(pattern, text),
    ("lowerAscii", 0): lambda text: text.lower() if text.isascii() else None,
    ("upperAscii", 0): lambda text: text.upper() if text.isascii() else None,
}
