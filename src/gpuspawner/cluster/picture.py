"""The nodes of the cluster's page: what is drawn, what is folded, what has a page of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gpuspawner.cluster.grouping import natural
from gpuspawner.cluster.saying import (
    claimable_in_words,
    node_notes,
    pool_in_words,
    units_in_words,
)
from gpuspawner.cluster.values import (
    Cluster,
    ClusterDevices,
    ClusterGroup,
    ClusterNode,
    ClusterPool,
    ClusterUnits,
    Unit,
    UnitState,
)
from gpuspawner.language import gettext as _

MOST_NODES = 24
"""Of a group on the page of all: so many that are not full, and so many that are."""
NODES_A_PAGE = 100
"""Of a group that is shown alone."""
_MOST_CELLS = 64
"""Units of one line that are drawn one by one."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NOT_KNOWN = "*"
SIGNS: Mapping[UnitState, str] = {
    "free": "",
    "others": "o",
    "unhealthy": "!",
    "reconfiguring": "~",
    "closed": "\N{MULTIPLICATION SIGN}",
    "unknown": "?",
}
"""What is written into a unit, so that no colour is needed; a profile has a letter of its own."""
_TAKEN = frozenset({"ours", "others"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One unit; or so many that are alike, where there are too many to draw one by one."""

    state: UnitState
    sign: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """The devices of one kind on one node.

    Attributes:
        label: all of it in words.
    """

    title: str
    unit: Unit
    cells: tuple[Cell, ...]
    label: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node.

    Attributes:
        notes: what it goes through, in words.
        lines: none while it offers no devices.
        claimable: its devices that are not drawn, in words.
    """

    name: str
    notes: tuple[str, ...]
    lines: tuple[Line, ...]
    claimable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """All devices of one name in a group.

    Attributes:
        head: how many of all are free, or unknown.
        rest: what the others are.
    """

    title: str
    head: str
    rest: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """Nodes of one make.

    Attributes:
        number: of all groups, from 1.
        count: all its nodes; None if that is not known.
        rows: those that are shown.
        left_out: how many more of them there are.
        full: those of which somebody has each unit, folded.
        full_count: all of these.
        pools: what the catalog says of pools of this title, a pool's sentences each.
    """

    number: int
    title: str
    count: int | None
    sums: tuple[Sum, ...]
    rows: tuple[NodeRow, ...]
    left_out: int
    full: tuple[NodeRow, ...]
    full_count: int
    pools: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The groups that are asked for.

    Attributes:
        legend: letters of profiles, with what these are called.
        states: what else is in the picture, in the order of `SIGNS`.
        alone: whether one group is shown alone.
        pages: of that one.
    """

    groups: tuple[GroupView, ...]
    legend: tuple[tuple[str, str], ...]
    states: tuple[UnitState, ...]
    alone: bool = False
    page: int = 1
    pages: int = 1


def picture_of(cluster: Cluster, only: str = "", page: int = 1) -> Picture:
    """The picture of all nodes.

    Args:
        cluster: what is known.
        only: title of a group that is to be shown alone, with all its nodes.
        page: of that one.
    """
    groups = _with_pools(cluster)
    letters = _letters(cluster)
    states = {units.state for group in groups for units in _units(group)}
    legend = tuple((letter, title) for letter, title in letters.values())
    in_order = tuple(state for state in SIGNS if state in states)
    for number, group in enumerate(groups, 1):
        if only and group.title == only:
            pages = max(1, -(-len(group.nodes) // NODES_A_PAGE))
            page = min(max(page, 1), pages)
            start = (page - 1) * NODES_A_PAGE
            shown = group.nodes[start : start + NODES_A_PAGE]
            rows = tuple(_row(node, letters) for node in shown)
            view = GroupView(number, group.title, len(group.nodes), _sums(group), rows, 0, (), 0)
            view = _beside_pools(view, cluster.pools)
            return Picture((view,), legend, in_order, alone=True, page=page, pages=pages)
    views = (_view(number, group, letters) for number, group in enumerate(groups, 1))
    with_pools = tuple(_beside_pools(view, cluster.pools) for view in views)
    return Picture(with_pools, legend, in_order)


def _with_pools(cluster: Cluster) -> list[ClusterGroup]:
    """The groups, with one more for each pool of which no node is in any."""
    groups = list(cluster.groups or ())
    there = {group.title for group in groups}
    missing = dict.fromkeys(pool.title for pool in cluster.pools if pool.title not in there)
    groups += [ClusterGroup(title, ()) for title in missing]
    return sorted(groups, key=lambda group: (not group.title, natural(group.title)))


def _beside_pools(view: GroupView, pools: Iterable[ClusterPool]) -> GroupView:
    named = [pool for pool in pools if pool.title == view.title]
    if not named:
        return view
    count = view.count
    if not count:
        known = [pool.nodes for pool in named if pool.nodes is not None]
        count = sum(known) if len(known) == len(named) else None
    return replace(view, count=count, pools=tuple(map(pool_in_words, named)))


Letters = Mapping[str, tuple[str, str]]
"""By slug, a profile's letter and title."""


def _letters(cluster: Cluster) -> Letters:
    drawn = {
        units.profile
        for group in cluster.groups or ()
        for units in _units(group)
        if units.state == "ours"
    }
    titles = {one.profile: one.title for one in cluster.holdings if one.profile in drawn}
    slugs = sorted(drawn - {""}, key=lambda slug: (titles.get(slug, slug), slug))
    letters = {slug: (_letter(number), titles.get(slug, slug)) for number, slug in enumerate(slugs)}
    if "" in drawn:
        letters[""] = (NOT_KNOWN, _("a profile that cannot be told"))
    return letters


def _letter(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    more, last = divmod(number, len(_LETTERS))
    return (_letter(more - 1) if more else "") + _LETTERS[last]


def _view(number: int, group: ClusterGroup, letters: Letters) -> GroupView:
    full = [node for node in group.nodes if _is_full(node)]
    others = [node for node in group.nodes if not _is_full(node)]
    if len(others) > MOST_NODES:
        # What needs somebody's eye is not among those that are left out.
        others.sort(key=lambda node: not _has_trouble(node))
    return GroupView(
        number=number,
        title=group.title,
        count=len(group.nodes),
        sums=_sums(group),
        rows=tuple(_row(node, letters) for node in others[:MOST_NODES]),
        left_out=max(0, len(others) - MOST_NODES),
        full=tuple(_row(node, letters) for node in full[:MOST_NODES]),
        full_count=len(full),
    )


def _has_trouble(node: ClusterNode) -> bool:
    is_empty = not node.devices and not node.claimable
    return bool(node.closed or node.transition or is_empty) or any(
        devices.unhealthy for devices in node.devices
    )


def _is_full(node: ClusterNode) -> bool:
    """Whether somebody has each of its units, and nothing else is to be said of it."""
    return (
        not node.claimable
        and not _has_trouble(node)
        and all(units.state in _TAKEN for devices in node.devices for units in devices.units)
    )


def _units(group: ClusterGroup) -> Iterable[ClusterUnits]:
    return (units for node in group.nodes for devices in node.devices for units in devices.units)


def _sums(group: ClusterGroup) -> tuple[Sum, ...]:
    found: dict[str, Counter[UnitState]] = {}
    for node in group.nodes:
        for devices in node.devices:
            counts = found.setdefault(devices.title, Counter())
            for units in devices.units:
                counts[units.state] += units.count
    return tuple(_sum(title, counts) for title, counts in found.items())


def _sum(title: str, counts: Counter[UnitState]) -> Sum:
    total, unknown = counts.total(), counts["unknown"]
    told: UnitState = "unknown" if unknown else "free"
    words = _("{unknown} of {all} unknown") if unknown else _("{free} of {all} free")
    order: tuple[UnitState, ...] = ("free", "ours", *(state for state in SIGNS if state != "free"))
    rest = [ClusterUnits(one, "", counts[one]) for one in order if counts[one] and one != told]
    return Sum(
        title,
        words.format(unknown=unknown, free=counts["free"], all=total),
        units_in_words(rest, {}),
    )


def _titles(letters: Letters) -> Mapping[str, str]:
    return {slug: title for slug, (_letter, title) in letters.items()}


def _row(node: ClusterNode, letters: Letters) -> NodeRow:
    lines = tuple(_line(node, devices, letters) for devices in node.devices)
    claimable = tuple(map(claimable_in_words, node.claimable))
    return NodeRow(node.name, node_notes(node), lines, claimable)


def _line(node: ClusterNode, devices: ClusterDevices, letters: Letters) -> Line:
    total = sum(units.count for units in devices.units)
    is_many = total > _MOST_CELLS
    cells: list[Cell] = []
    for units in devices.units:
        sign = SIGNS.get(units.state, "")
        if units.state == "ours":
            sign = letters[units.profile][0]
        cells += (
            [Cell(units.state, sign, units.count)]
            if is_many
            else [Cell(units.state, sign)] * units.count
        )
    words = _("{node}, {devices}: {count}, of which {units}").format(
        node=node.name,
        devices=devices.title,
        count=total,
        units=units_in_words(devices.units, _titles(letters)),
    )
    return Line(devices.title, devices.unit, tuple(cells), words)
