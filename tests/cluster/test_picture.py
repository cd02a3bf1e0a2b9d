"""What of the nodes is drawn, folded and left to a page of its own."""

from __future__ import annotations

from tests.builders import GPU, a_node, a_pod

from gpuspawner.cluster import picture_of
from gpuspawner.cluster.picture import MOST_NODES, NODES_A_PAGE

from .test_grouping import PENDING, holder, said


def test_each_unit_has_a_sign_of_its_own() -> None:
    ours = {"p": holder(profile="b", title="B title"), "q": holder("bert", profile="a", title="Z")}
    node = a_node(gpus=6, capacity={GPU: 7})
    pods = [a_pod("p", gpus=1), a_pod("q", gpus=1), a_pod("x", gpus=2)]
    picture = picture_of(said(node, *pods, ours=ours))
    (line,) = picture.groups[0].rows[0].lines
    assert [cell.sign for cell in line.cells] == ["B", "A", "o", "o", "", "", "!"] or [
        cell.sign for cell in line.cells
    ] == ["A", "B", "o", "o", "", "", "!"]
    assert picture.legend == (("A", "B title"), ("B", "Z"))
    assert line.label == (
        f"n1, {GPU}: 7, of which 1 held by our servers (Z), 1 held by our servers (B title), "
        "2 held by others, 2 free and 1 unhealthy"
    )


def test_what_is_full_is_folded_and_trouble_is_never_left_out() -> None:
    free = [a_node(f"free-{number}", gpus=1) for number in range(MOST_NODES + 6)]
    full = [a_node(f"full-{number}", gpus=1) for number in range(MOST_NODES + 1)]
    pods = [a_pod(f"p-{node.name}", node=node.name, gpus=1) for node in full]
    closed = a_node("z", gpus=1, unschedulable=True)
    (group,) = picture_of(said(*free, *full, *pods, closed)).groups
    assert (group.count, group.full_count, len(group.full)) == (56, MOST_NODES + 1, MOST_NODES)
    assert (group.rows[0].name, group.rows[0].notes) == ("z", ("cordoned",))
    assert (len(group.rows), group.left_out) == (MOST_NODES, 7)
    assert group.sums[0].head == "30 of 56 free"
    assert group.sums[0].rest == "25 held by others and 1 left on nodes that take no pods"


def test_a_group_alone_has_all_its_nodes_in_pages() -> None:
    nodes = [a_node(f"n{number}", gpus=1) for number in range(NODES_A_PAGE + 1)]
    cluster = said(*nodes)
    for page, shown in ((1, NODES_A_PAGE), (2, 1), (9, 1), (0, NODES_A_PAGE)):
        picture = picture_of(cluster, GPU, page)
        assert (picture.alone, picture.pages) == (True, 2)
        assert len(picture.groups[0].rows) == shown
    assert not picture_of(cluster, "no such group").alone


def test_many_units_of_one_node_are_drawn_as_blocks() -> None:
    picture = picture_of(said(a_node(gpus=160), a_pod("p", gpus=100), ours={"p": holder()}))
    cells = picture.groups[0].rows[0].lines[0].cells
    assert [(cell.state, cell.sign, cell.count) for cell in cells] == [
        ("ours", "A", 100),
        ("free", "", 60),
    ]


def test_what_a_node_goes_through_is_said() -> None:
    node = a_node(gpus=1, capacity={GPU: 2}, labels=PENDING, unschedulable=True)
    picture = picture_of(said(node, a_pod("x", gpus=2)))
    assert picture.groups[0].rows[0].notes == (
        "cordoned",
        "MIG is being reconfigured",
        "1 of those in use is unhealthy",
    )


def test_a_node_that_offers_nothing_says_so() -> None:
    picture = picture_of(said(a_node(labels=PENDING)))
    assert picture.groups[0].rows[0].notes[-1] == "offers no devices at the moment"
