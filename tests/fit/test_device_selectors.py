"""CEL selectors of devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.fit.cel import Unreadable, parse
from gpuspawner.fit.device_selectors import matches

from ..devices import ENDS, IS_GPU, UNREAD, a_device, a_slice

DEVICE = a_slice(
    a_device(
        product="NVIDIA A100-PCIE-40GB",
        attributes={
            "index": {"int": 3},
            "healthy": {"bool": True},
            "driverVersion": {"version": "1.10.0"},
            "early": {"version": "1.2.3-rc1"},
            "resource.kubernetes.io/pcieRoot": {"string": "pci0"},
        },
    )
).devices[0]
OURS = "device.attributes['gpu.nvidia.com']"
MEMORY = "device.capacity['gpu.nvidia.com'].memory"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param(IS_GPU, True, id="what NVIDIA's driver puts into its class"),
        pytest.param(f"{OURS}.productName == 'T4'", False, id="a text that differs"),
        pytest.param(f'{OURS}["index"] in [1, 3]', True, id="a number in a list"),
        pytest.param(f"{OURS}.index >= 4", False, id="a number that is too small"),
        pytest.param(f"-1 < {OURS}.index", True, id="a negative number"),
        pytest.param(f"{OURS}.index == '3'", False, id="a text is never a number"),
        pytest.param(f"!{OURS}.healthy", False, id="a truth value turned over"),
        pytest.param(f"{OURS}.healthy ? {OURS}.index == 3 : true", True, id="a choice"),
        pytest.param(f"{MEMORY}.compareTo(quantity('40Gi')) >= 0", True, id="a quantity"),
        pytest.param(f"{MEMORY}.isGreaterThan(quantity('40Gi'))", False, id="a quantity, more"),
        pytest.param(f"{MEMORY} == quantity('40960Mi')", True, id="a quantity written otherwise"),
        pytest.param(
            f"{OURS}.driverVersion.isGreaterThan(semver('1.9.0'))", True, id="versions by number"
        ),
        pytest.param(
            "device.attributes['resource.kubernetes.io'].pcieRoot == 'pci0'",
            True,
            id="an attribute of another domain",
        ),
        pytest.param(f"'index' in {OURS}", True, id="an attribute that is there"),
        pytest.param(f"has({OURS}.missing)", False, id="an attribute that is not there"),
        pytest.param(
            f"{OURS}.productName.lowerAscii().matches('^.*a100.*$')", True, id="a pattern"
        ),
        pytest.param("device.driver.startsWith('gpu')", True, id="how a text starts"),
        pytest.param("// said so\ntrue", True, id="a comment"),
        pytest.param(r"device.driver == 'gpu\x2envidia.com'", None, id="an escape not known here"),
        pytest.param(ENDS, None, id="an attribute that is missing is an error"),
        pytest.param(f"{ENDS} && device.driver == 'x'", False, id="an error beside a no"),
        pytest.param(f"{ENDS} || device.driver == '{DEVICE.id.driver}'", True, id="beside a yes"),
        pytest.param(f"{ENDS} || device.driver == 'x'", None, id="an error beside a no of or"),
        pytest.param(f"{OURS}.early.compareTo(semver('1.2.3')) < 0", None, id="a pre-release"),
        pytest.param(f"{OURS}.productName.matches('(a*)*b')", None, id="a pattern that may run on"),
        pytest.param(UNREAD, None, id="a macro not known here"),
        pytest.param(f"{OURS}.index + 1 == 4", None, id="arithmetic"),
        pytest.param("device.driver == ", None, id="not an expression"),
        pytest.param("device.driver", None, id="not a truth value"),
        pytest.param("(" * 1000 + "true" + ")" * 1000, None, id="nested too deep"),
    ],
)
def test_a_selector(expression: str, expected: bool | None) -> None:
    assert matches([expression], DEVICE) is expected


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        pytest.param([], True, id="none"),
        pytest.param([IS_GPU, "false"], False, id="all must hold"),
        pytest.param(["false", ENDS], False, id="what comes after a no is not asked"),
        pytest.param([ENDS, "false"], None, id="an error comes before a no"),
        pytest.param([None], None, id="one that is not CEL"),
    ],
)
def test_several_selectors(selectors: list[str | None], expected: bool | None) -> None:
    assert matches(selectors, DEVICE) is expected


def test_an_attribute_of_an_unknown_type_spoils_every_selector() -> None:
    device = a_slice(a_device(attributes={"many": {"ints": [1, 2]}})).devices[0]
    assert matches(["true"], device) is None
    assert matches([], device) is True


@given(st.text(alphabet="device.atrbus['\"]()&|=!<>?:, 0123in\\\n", max_size=60))
def test_any_text_is_read_or_not_but_never_fails(text: str) -> None:
    assert matches([text], DEVICE) in (True, False, None)
    assert parse(f"{text}\x00") == Unreadable()
