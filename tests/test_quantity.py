from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.errors import QuantityError
from gpuspawner.quantity import format_amount, parse_amount, parse_quantity


@pytest.mark.parametrize(
    ("resource", "text", "amount"),
    [
        pytest.param("cpu", "2", 2000, id="cores are counted in thousandths"),
        pytest.param("cpu", "1500m", 1500, id="millicores are exact"),
        pytest.param("cpu", "0.0001", 1, id="less than a thousandth of a core rounds up"),
        pytest.param("cpu", "100n", 1, id="nanocores round up"),
        pytest.param("cpu", 16, 16000, id="a bare number is taken"),
        pytest.param("cpu", 0.5, 500, id="a bare fraction is taken"),
        pytest.param("memory", "64Gi", 64 * 2**30, id="binary suffixes are powers of 1024"),
        pytest.param("memory", "128G", 128 * 10**9, id="decimal suffixes are powers of 1000"),
        pytest.param("memory", "1k", 1000, id="kilo is a small k"),
        pytest.param("memory", "1500m", 2, id="a fraction of a byte rounds up"),
        pytest.param("memory", "1E", 10**18, id="a bare E is exa"),
        pytest.param("memory", "1E3", 1000, id="E with digits is an exponent"),
        pytest.param("memory", "1e-1", 1, id="a negative exponent rounds up"),
        pytest.param("memory", ".5Ki", 512, id="the leading zero may be left out"),
        pytest.param("memory", "5.Ki", 5120, id="the digits after the point may be left out"),
        pytest.param("nvidia.com/gpu", "2", 2, id="devices are counted"),
        pytest.param("memory", "-1", -1, id="a sign is taken"),
    ],
)
def test_amounts(resource: str, text: str | float, amount: int) -> None:
    assert parse_amount(resource, text) == amount


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1K", "1KB", "64GiB", "Gi", "1e", "--1", "1.2.3", "1,5", "one", "٣", "1" * 65],
)
def test_a_text_that_is_not_a_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(QuantityError, match="is not a Kubernetes quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("resource", "amount", "words"),
    [
        ("memory", 2**37, "128 GiB"),
        ("memory", 2**30 * 3 // 2, "1.5 GiB"),
        ("memory", 2**41, "2 TiB"),
        ("memory", 0, "0 bytes"),
        ("hugepages-2Mi", 2**21, "2 MiB"),
        ("cpu", 1500, "1.5"),
        ("cpu", 16000, "16"),
        ("cpu", 1, "0.001"),
        ("nvidia.com/gpu", 2, "2"),
    ],
)
def test_words(resource: str, amount: int, words: str) -> None:
    assert format_amount(resource, amount) == words


@given(st.integers(0, 10**15), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_whole_numbers_with_a_suffix_are_exact(number: int, suffix: str) -> None:
    factor = {"": 1, "k": 10**3, "M": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
    assert parse_amount("memory", f"{number}{suffix}") == number * factor


@given(st.decimals(min_value=0, max_value=10**6, places=6))
def test_rounding_is_up_and_by_less_than_a_unit(number: object) -> None:
    exact = Fraction(str(number))
    assert 0 <= parse_amount("memory", str(number)) - exact < 1
    assert 0 <= parse_amount("cpu", str(number)) - exact * 1000 < 1


@given(st.text(max_size=80))
def test_any_text_is_a_quantity_or_a_quantity_error(text: str) -> None:
    with suppress(QuantityError):
        parse_quantity(text)
