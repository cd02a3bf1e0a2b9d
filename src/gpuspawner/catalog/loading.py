"""From a catalog's file to a `Catalog`, or to every reason why not."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Final

from pydantic import ValidationError

from gpuspawner.catalog.access import AccessRule
from gpuspawner.catalog.documents import read_document, text_fault
from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.problems import CatalogError, Finding, Path, Problem, conflicts, field_name
from gpuspawner.catalog.texts import is_slug
from gpuspawner.catalog.tree import NOWHERE, Branch, Place, Scalar, branch_of
from gpuspawner.catalog.wording import findings_of

MAX_BYTES: Final = 2**20
"""What a ConfigMap can hold; a catalog of a hundred profiles is a twentieth of it."""

_MAX_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True)
class Written:
    """A catalog, and where each part of it was written."""

    file: str
    catalog: Catalog
    root: Branch

    def place(self, path: Path) -> Place:
        """Where a part is; of one that is left out, what it would be in."""
        return self.root.walk(path)[0].place

    def problem(self, finding: Finding) -> Problem:
        """A finding on the catalog, with its place."""
        return _problem(self.file, finding, finding.path, self.place(finding.path))


def load_catalog(path: FilePath, *, known_traits: Collection[str] | None = None) -> Catalog:
    """The catalog in a file, which is UTF-8 YAML of at most `MAX_BYTES`.

    `known_traits` are KubeSpawner's, to check overrides against; None leaves their names alone.

    Raises:
        CatalogError: with every problem, also when the file cannot be read.
    """
    return load_written(path, known_traits=known_traits).catalog


def load_written(path: FilePath, *, known_traits: Collection[str] | None = None) -> Written:
    """`load_catalog`, with where each part was written."""
    return read_written(catalog_text(path), str(path), known_traits=known_traits)


def catalog_text(path: FilePath) -> str:
    """What a catalog's file says, not looked into as yet.

    Raises:
        CatalogError: it cannot be read, is not UTF-8, or is larger than `MAX_BYTES`.
    """
    file = str(path)
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogError([Problem(file, None, "", f"cannot be read: {reason}")]) from error
    if len(raw) > MAX_BYTES:
        raise _too_large(file)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        problem = Problem(file, line, "", message, "save it as UTF-8", column)
        raise CatalogError([problem]) from error


def read_catalog(
    text: str, name: str = "catalog.yaml", *, known_traits: Collection[str] | None = None
) -> Catalog:
    """The catalog in a YAML text; `name` stands for the file in problems.

    Raises:
        CatalogError: with every problem.
    """
    return read_written(text, name, known_traits=known_traits).catalog


def read_written(
    text: str, name: str = "catalog.yaml", *, known_traits: Collection[str] | None = None
) -> Written:
    """`read_catalog`, with where each part was written."""
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    root, problems = read_document(text, name)
    if root is None:
        raise CatalogError(problems)
    examination = _Examination(name, root, problems)
    catalog = examination.run(known_traits)
    if catalog is None or examination.problems:
        raise CatalogError(examination.problems)
    return Written(name, catalog, root)


def read_access(written: object, slugs: Collection[str]) -> tuple[AccessRule, ...]:
    """Access rules as JSON has them, for profiles of these slugs; as a file's are examined.

    Raises:
        CatalogError: with every problem; they have a field, such as ``access[2].groups[0]``, and
            no line.
    """
    name = "the access rules"
    try:
        size = len(json.dumps(written))
        rules = branch_of(written, ("access",))
    except (TypeError, ValueError, RecursionError) as error:
        raise CatalogError([Problem(name, None, "access", f"is not JSON: {error}")]) from error
    if size > MAX_BYTES:
        raise _too_large(name)
    # The rules are looked at beside nothing but the names that they may mention.
    default, *others = [{"slug": slug, "title": slug} for slug in slugs]
    profiles = branch_of([{**default, "default": True}, *others], ("profiles",))
    root = Branch((), NOWHERE, {"profiles": profiles, "access": rules})
    faults = [
        Problem(name, None, field_name(branch.path), fault)
        for branch in rules.leaves()
        if (fault := text_fault(branch.text)) is not None
    ]
    if faults:
        raise CatalogError(faults)
    examination = _Examination(name, root, [])
    catalog = examination.run(None)
    if catalog is None or examination.problems:
        raise CatalogError(
            replace(problem, line=None, column=None) for problem in examination.problems
        )
    return catalog.access


def _too_large(file: str) -> CatalogError:
    return CatalogError([Problem(file, None, "", f"is larger than {MAX_BYTES // 1024} KiB")])


class _Examination:
    """Validates a tree, sets aside what was refused, and validates the rest again.

    A model's own checks, and those between models, run only once their fields are sound. Without
    further rounds the first mistake in a profile would hide that its accelerator does not exist.
    """

    def __init__(self, file: str, root: Branch, problems: list[Problem]) -> None:
        self.problems = problems
        self._file = file
        self._root = root
        self._refused: set[Path] = set()
        self._reported: set[tuple[Path, str]] = set()

    def run(self, known_traits: Collection[str] | None) -> Catalog | None:
        context = {"known_traits": known_traits}
        for _ in range(_MAX_ROUNDS):
            try:
                return Catalog.model_validate(self._root.plain(), context=context)
            except ValidationError as error:
                before = self._root
                self._set_aside(list(findings_of(error, before)))
                # Faults between the parts come last and all at once: nothing is left to find.
                if error.errors()[0]["loc"] == () or self._root == before:
                    return None
        return None

    def _set_aside(self, findings: list[Finding]) -> None:
        refused: set[Path] = set()
        replaced: dict[Path, Branch | None] = {}
        added: dict[Path, dict[str, Branch]] = {}
        for finding in findings:
            branch, absent = self._root.walk(finding.path)
            if isinstance(branch.value, dict) and absent:
                path = branch.path + absent
                stand_in = _stand_in(path, branch.place)
                if stand_in is None:
                    replaced[branch.path] = _stand_in(branch.path, branch.place)
                else:
                    added.setdefault(branch.path, {})[str(absent[0])] = stand_in
            else:
                path = branch.path
                replaced[path] = _stand_in(path, branch.place, branch.value)
            if not (absent and path in self._refused):
                self._report(finding, path, branch.place)
            refused.add(path)
        self._refused |= refused
        self._root = self._root.edited(replaced, added)

    def _report(self, finding: Finding, path: Path, place: Place) -> None:
        for reason in finding.unless:
            branch, absent = self._root.walk(reason)
            if conflicts(self._refused, branch.path + absent):
                return
        if (path, finding.message) not in self._reported:
            self._reported.add((path, finding.message))
            self.problems.append(_problem(self._file, finding, path, place))


def _problem(file: str, finding: Finding, path: Path, place: Place) -> Problem:
    return Problem(file, place.line, field_name(path), finding.message, finding.hint, place.column)


def _stand_in(path: Path, place: Place, refused: object = None) -> Branch | None:
    """A harmless value for one that was refused or is missing, where its absence would mislead.

    Items of `profiles` and `images` must keep their places, which messages mention.
    """
    value: Scalar | dict[str, Branch] | list[Branch]
    match path:
        case ("profiles",):
            value = []
        case ("profiles", int()) | ("profiles", int(), "images", int()):
            fields = ("slug", "title", "image") if "images" in path else ("slug", "title")
            children = ((name, _stand_in((*path, name), place)) for name in fields)
            value = {name: child for name, child in children if child is not None}
        case (*_, int(index), "slug"):
            lowered = refused.lower() if isinstance(refused, str) else ""
            value = lowered if is_slug(lowered) else f"refused-{index}"
        case (*_, "title" | "image"):
            value = "refused"
        case ("accelerators", _, "resource"):
            value = "refused.example/device"
        case ("volumes", str(name), "mount_path"):
            value = f"/refused/{name}"
        case ("access", _, "groups" | "profiles"):
            value = [Branch((*path, 0), place, "*")]
        case _:
            return None
    return None if value == refused else Branch(path, place, value)
