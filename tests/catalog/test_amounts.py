"""Amounts of cpu and memory are Kubernetes' quantities, above zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refusal = Callable[..., None]

AMOUNTS = [
    pytest.param("cpu: 16x", "cpu", "not a Kubernetes quantity", "500m", id="cores with an x"),
    pytest.param("cpu: 0", "cpu", "'0' must be more than zero", None, id="no cores"),
    pytest.param("cpu: -1", "cpu", "'-1' must be more than zero", None, id="negative cores"),
    pytest.param("cpu: yes", "cpu", "expected a mapping, found yes", None, id="cores as a boolean"),
    pytest.param(
        "cpu: [1, 2]",
        "cpu",
        "expected a mapping, found a list",
        "name: value",
        id="cores in a list",
    ),
    pytest.param(
        "cpu: {guarantee: 4, limit: 2}",
        "cpu.guarantee",
        "4 is more than the limit, 2",
        "raise the limit",
        id="a guarantee above the limit",
    ),
    pytest.param(
        "memory: {guarantee: 1Gi, limit: 1G}",
        "memory.guarantee",
        "1Gi is more than the limit, 1G",
        "raise the limit",
        id="a binary guarantee just above a decimal limit",
    ),
    pytest.param(
        "cpu: {limits: 2}", "cpu.limits", "unknown field", "mean 'limit'?", id="limits for limit"
    ),
    pytest.param(
        "cpu: {limit: [2]}", "cpu.limit", "expected a quantity", "500m", id="a limit in a list"
    ),
    pytest.param(
        "memory: 64K", "memory", "'64K' is not a", "'64Ki' (powers of 1024) or '64k'", id="K"
    ),
    pytest.param("memory: 64gi", "memory", "'64gi' is not", "did you mean '64Gi'?", id="gi"),
    pytest.param("memory: 64 Gi", "memory", "'64 Gi' is not", "did you mean '64Gi'?", id="a space"),
    pytest.param("memory: lots", "memory", "'lots' is not", "with a suffix", id="a word"),
    pytest.param("memory: 64", "memory", "'64' is less than 1Mi", "'64Gi'", id="no suffix"),
    pytest.param("memory: 10E", "memory", "more than Kubernetes", None, id="more than 2**63 bytes"),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), AMOUNTS)
def test_an_amount_is_refused(
    text: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal(
        "profiles", f"- slug: x\n  title: X\n  {text}  # <-", f"profiles[1].{field}", message, hint
    )
