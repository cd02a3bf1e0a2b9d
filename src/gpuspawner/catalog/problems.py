"""What is wrong with a catalog, where, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeVar

from gpuspawner.errors import GPUSpawnerError

T = TypeVar("T")

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of the catalog: ``("profiles", 2, "cpu", "limit")``."""

ANY: Final = "*"
"""In `Finding.unless`: every item of a list, every name of a mapping."""

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST_SHOWN = 60
_LONGEST_COMPARED = 80
_SHORT: Final = 3
"""Characters of a part in which another letter makes another name, and no slip of the pen."""
_PARTS = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an admin has to change.

    `line` and `column` count from 1 and are None when the file could not be read at all; `field` is
    the path as the admin would write it (``profiles[2].cpu.limit``), empty for the file as a whole.
    """

    file: str
    line: int | None
    field: str
    message: str
    hint: str | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        words = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{place}: {self.field}: {words}" if self.field else f"{place}: {words}"


class CatalogError(GPUSpawnerError):
    """A catalog was refused; `problems` has every reason, in the order of the file's lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at `path`, relative to the object that was examined.

    `unless` lists paths whose own refusal would explain this fault: an accelerator that was
    refused is not also unknown. `ANY` stands for any one step of such a path.
    """

    path: Path
    message: str
    hint: str | None = None
    unless: tuple[Path, ...] = ()

    def beneath(self, base: Path) -> Finding:
        """The same fault, seen from an object that holds the examined one at `base`."""
        unless = tuple(base + path for path in self.unless)
        return Finding(base + self.path, self.message, self.hint, unless)


class RefusedError(GPUSpawnerError, ValueError):
    """Raised by the models' validators: a ValueError that carries findings through pydantic."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(_sentence, self.findings)))


def _sentence(finding: Finding) -> str:
    words = f"{finding.message}; {finding.hint}" if finding.hint else finding.message
    return f"{field_name(finding.path)}: {words}" if finding.path else words


def refuse(message: str, hint: str | None = None) -> RefusedError:
    """The error for one fault of the examined value itself."""
    return RefusedError([Finding((), message, hint)])


def sound(value: T, faults: Iterable[Finding]) -> T:
    """The value itself, when it has no faults.

    Raises:
        RefusedError: with all of them.
    """
    findings = list(faults)
    if findings:
        raise RefusedError(findings)
    return value


def field_name(path: Path) -> str:
    """A path as an admin would write it: ``accelerators["a.b"].tolerations[0].key``."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif _BARE_KEY.fullmatch(step) and len(step) <= _LONGEST_SHOWN:
            written += f".{step}" if written else step
        else:
            written += f'["{bare(step)}"]'
    return written


def shown(text: object) -> str:
    """A value in quotes, on one line and shortened, for a message."""
    return shortened(repr(text))


def bare(text: str) -> str:
    """A text without quotes, on one line and shortened."""
    return shortened(repr(text)[1:-1])


def shortened(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """A text that ends in dots when it is longer than a message can bear."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def near_miss(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant, if one is close."""
    if len(word) > _LONGEST_COMPARED:
        return None
    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    close = get_close_matches(word.casefold(), folded, n=3)
    return next((folded[name] for name in close if _is_slip(word.casefold(), name)), None)


def _is_slip(word: str, name: str) -> bool:
    """Whether it may be a slip of the pen: h100 is another model than v100, and cpu no gpu."""
    words, names = (_PARTS.split(one) for one in (word, name))
    pairs = zip(words, names, strict=True) if len(words) == len(names) else ()
    return not any(_are_two_names(one, other) for one, other in pairs)


def _are_two_names(one: str, other: str) -> bool:
    if len(one) != len(other) or sorted(one) == sorted(other):
        return False
    differ = "".join(a for a, b in zip(one, other, strict=True) if a != b)
    return differ.isalpha() and (len(one) <= _SHORT or not one.isalpha())


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """A hint with the near miss of `word`, else with what there is to choose from, if little."""
    meant = near_miss(word, known)
    if meant is not None:
        return f"did you mean {meant!r}?"
    return one_of(known)


def one_of(known: Collection[str]) -> str | None:
    """A hint that lists the choices, or None when there are none or too many to read."""
    listed = choices(known)
    return f"known here: {listed}" if listed else None


def choices(known: Collection[str]) -> str:
    """What there is to choose from; empty if that is nothing, or too much to read."""
    listed = ", ".join(sorted(known))
    return listed if len(listed) <= 4 * _LONGEST_SHOWN else ""


def conflicts(refused: Collection[Path], pattern: Path) -> bool:
    """Whether a refused path lies at, above or below one that `pattern` describes."""
    return any(
        all(want in (ANY, step) for want, step in zip(pattern, path, strict=False))
        for path in refused
    )
