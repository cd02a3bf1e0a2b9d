"""Node selectors and the required node affinity."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import NodeSelectorTerm, Requirement
from gpuspawner.fit import Hindrance
from gpuspawner.fit.node_affinity import check, check_names

from ..builders import a_node, a_request, a_state, a_term

LABELS = {"gpu-model": "a100", "memory": "40", "zone": "", "serial": "x40", "huge": "9" * 19}
MISMATCH = "node(s) didn't match Pod's node affinity/selector"
OUTSIDE = "node(s) didn't satisfy plugin(s) [NodeAffinity]"


def needs(key: str, operator: str, *values: str) -> Requirement:
    return Requirement(key, operator, values)


def named(operator: str, *names: str) -> NodeSelectorTerm:
    return a_term(fields=(needs("metadata.name", operator, *names),))


A100 = needs("gpu-model", "In", "a100")
H100 = needs("gpu-model", "In", "h100")


@pytest.mark.parametrize(
    ("requirement", "matches"),
    [
        pytest.param(A100, True, id="In with the label's value matches"),
        pytest.param(needs("gpu-model", "In", "h100", "a100"), True, id="In takes any of several"),
        pytest.param(H100, False, id="In without the label's value does not match"),
        pytest.param(needs("absent", "In", ""), False, id="In never matches an absent label"),
        pytest.param(needs("zone", "In", ""), True, id="In matches an empty value"),
        pytest.param(needs("gpu-model", "In"), False, id="In without values is not valid"),
        pytest.param(needs("gpu-model", "NotIn", "h100"), True, id="NotIn matches another value"),
        pytest.param(needs("gpu-model", "NotIn", "a100"), False, id="NotIn refuses the value"),
        pytest.param(needs("absent", "NotIn", "x"), True, id="NotIn matches an absent label"),
        pytest.param(needs("absent", "NotIn"), False, id="NotIn without values is not valid"),
        pytest.param(needs("zone", "Exists"), True, id="Exists matches an empty value"),
        pytest.param(needs("absent", "Exists"), False, id="Exists refuses an absent label"),
        pytest.param(needs("zone", "Exists", "x"), False, id="Exists with values is not valid"),
        pytest.param(needs("absent", "DoesNotExist"), True, id="DoesNotExist wants none"),
        pytest.param(needs("zone", "DoesNotExist"), False, id="DoesNotExist refuses an empty one"),
        pytest.param(
            needs("absent", "DoesNotExist", "x"), False, id="DoesNotExist with values is not valid"
        ),
        pytest.param(needs("memory", "Gt", "39"), True, id="Gt matches a larger number"),
        pytest.param(needs("memory", "Gt", "40"), False, id="Gt refuses the same number"),
        pytest.param(needs("memory", "Gt", "5"), True, id="Gt compares numbers, not texts"),
        pytest.param(needs("memory", "Gt", "-1"), True, id="Gt takes a negative bound"),
        pytest.param(needs("memory", "Gt", "+39"), True, id="Gt takes a signed bound"),
        pytest.param(needs("memory", "Lt", "41"), True, id="Lt matches a smaller number"),
        pytest.param(needs("memory", "Lt", "40"), False, id="Lt refuses the same number"),
        pytest.param(needs("absent", "Gt", "1"), False, id="Gt refuses an absent label"),
        pytest.param(needs("absent", "Lt", "1"), False, id="Lt refuses an absent label"),
        pytest.param(needs("serial", "Gt", "1"), False, id="Gt refuses a label that is no number"),
        pytest.param(needs("serial", "Lt", "1"), False, id="Lt refuses a label that is no number"),
        pytest.param(needs("huge", "Gt", "1"), False, id="a label beyond 64 bits is no number"),
        pytest.param(needs("memory", "Gt", "1.5"), False, id="a fraction as bound is not valid"),
        pytest.param(needs("memory", "Gt", "1_0"), False, id="an underscore is not valid"),
        pytest.param(
            needs("memory", "Gt", "٣"), False, id="a digit of another script is not valid"
        ),
        pytest.param(needs("memory", "Gt"), False, id="Gt without a bound is not valid"),
        pytest.param(
            needs("memory", "Lt", "50", "60"), False, id="Lt with two bounds is not valid"
        ),
        pytest.param(needs("memory", "Eq", "40"), False, id="an operator not known is not valid"),
        pytest.param(needs("gpu-model", "in", "a100"), False, id="operators differ by case"),
    ],
)
def test_one_requirement(requirement: Requirement, matches: bool) -> None:
    request = a_request(affinity=(a_term(requirement),))
    assert (check(request, a_state(a_node(labels=LABELS))) == ()) is matches


@pytest.mark.parametrize(
    ("selector", "affinity", "matches"),
    [
        pytest.param({}, None, True, id="a pod that asks for nothing goes anywhere"),
        pytest.param({"gpu-model": "a100"}, None, True, id="the selector's label is there"),
        pytest.param({"gpu-model": "h100"}, None, False, id="the selector wants another value"),
        pytest.param({"absent": ""}, None, False, id="an absent label is not an empty one"),
        pytest.param(
            {"gpu-model": "a100", "zone": "b"}, None, False, id="all of the selector must hold"
        ),
        pytest.param(
            {"gpu-model": "h100"}, (a_term(A100),), False, id="selector and affinity must both hold"
        ),
        pytest.param({}, (a_term(H100), a_term(A100)), True, id="one term of several is enough"),
        pytest.param({}, (a_term(A100, H100),), False, id="inside a term all must hold"),
        pytest.param({}, (), False, id="an affinity without terms matches nothing"),
        pytest.param({}, (a_term(),), False, id="an empty term matches nothing"),
        pytest.param({}, (a_term(), a_term(A100)), True, id="an empty term does not spoil others"),
        pytest.param(
            {},
            (a_term(needs("memory", "Gt", "x")), a_term(A100)),
            True,
            id="a term that cannot be parsed is passed over",
        ),
        pytest.param(
            {},
            (a_term(A100, needs("memory", "Gt", "x")),),
            False,
            id="one bad expression makes the whole term unparsable",
        ),
        pytest.param(
            {},
            (a_term(needs("absent", "NotIn", "x"), needs("zone", "In")),),
            False,
            id="the other expressions of an unparsable term do not count",
        ),
        pytest.param({}, (named("In", "n1"),), True, id="a field with the node's name matches"),
        pytest.param({}, (named("NotIn", "n1"),), False, id="a field can exclude the node"),
        pytest.param({}, (named("NotIn", "n2"),), True, id="a field can exclude another node"),
        pytest.param({}, (named("In", "n1", "n2"),), False, id="a field takes one value only"),
        pytest.param({}, (named("Exists"),), False, id="a field takes no other operator"),
        pytest.param(
            {},
            (a_term(fields=(needs("metadata.uid", "In", "uid-of-n1"),)),),
            False,
            id="a node has no other field than its name",
        ),
        pytest.param(
            {},
            (a_term(fields=(needs("metadata.uid", "NotIn", "x"),)),),
            True,
            id="so NotIn on another field matches every node",
        ),
        pytest.param(
            {},
            (a_term(A100, fields=(needs("metadata.name", "In", "n1"),)),),
            True,
            id="labels and fields of a term are both looked at",
        ),
        pytest.param(
            {},
            (a_term(H100, fields=(needs("metadata.name", "In", "n1"),)),),
            False,
            id="the right name does not make up for the wrong label",
        ),
    ],
)
def test_selectors_and_terms(
    selector: dict[str, str], affinity: tuple[NodeSelectorTerm, ...] | None, matches: bool
) -> None:
    request = a_request(node_selector=selector, affinity=affinity)
    reasons = check(request, a_state(a_node("n1", labels=LABELS)))
    assert [(reason.words, reason.hindrance) for reason in reasons] == (
        [] if matches else [(MISMATCH, Hindrance.NOT_FOR_POD)]
    )


@pytest.mark.parametrize(
    ("affinity", "passes"),
    [
        pytest.param(None, True, id="without an affinity no name is singled out"),
        pytest.param((), True, id="without terms no name is singled out"),
        pytest.param((a_term(H100),), True, id="labels single out no name"),
        pytest.param((named("In", "n1"),), True, id="the node is the one singled out"),
        pytest.param((named("In", "n2"),), False, id="another node is singled out"),
        pytest.param((named("In", "n2"), named("In", "n1")), True, id="terms add up"),
        pytest.param((named("In", "n2"), a_term(H100)), True, id="a term without name is open"),
        pytest.param((named("NotIn", "n1"),), True, id="NotIn singles out no name"),
        pytest.param(
            (
                a_term(
                    fields=(
                        needs("metadata.name", "In", "n1"),
                        needs("metadata.name", "In", "n2"),
                    )
                ),
            ),
            False,
            id="two names in one term single out no node at all",
        ),
        pytest.param((named("In", "n1", "n2"),), True, id="here several values are alternatives"),
    ],
)
def test_nodes_outside_the_names_of_the_affinity(
    affinity: tuple[NodeSelectorTerm, ...] | None, passes: bool
) -> None:
    reasons = check_names(a_request(affinity=affinity), a_state(a_node("n1", labels=LABELS)))
    assert [(reason.words, reason.hindrance) for reason in reasons] == (
        [] if passes else [(OUTSIDE, Hindrance.NOT_FOR_POD)]
    )
