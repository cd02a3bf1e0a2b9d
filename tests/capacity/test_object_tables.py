"""What is known of other kinds, and when that counts as a change."""

from __future__ import annotations

from gpuspawner.capacity.index import ClusterIndex


def test_a_kind_that_is_found_not_to_be_served_again_and_again_changes_nothing() -> None:
    index = ClusterIndex()
    table = index.objects.table("slices")
    table.replace([])
    known = index.snapshot()
    assert known.objects.slices == {}
    for _ in range(3):
        table.forget()
        table.replace([])
        assert index.snapshot() is known
    table.forget()
    assert index.snapshot().objects.slices is None
