"""A mapping in parts behaves like a dict, and so does each copy of them on its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.parted import PartedMapping

NAMES = [f"n{number}" for number in range(300)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "copy"]), st.integers(0, 9), st.sampled_from(NAMES))
)


@given(STEPS)
def test_what_changes_in_one_copy_changes_in_no_other(steps: list[tuple[str, int, str]]) -> None:
    filled: PartedMapping[int] = PartedMapping()
    filled.update(dict.fromkeys(NAMES[::2], 1))
    copies = [(filled, dict(filled))]
    for what, number, name in steps:
        ours, theirs = copies[number % len(copies)]
        if what == "copy":
            copies.append((ours.copy(), theirs.copy()))
        elif what == "put":
            ours[name] = theirs[name] = number
        else:
            assert ours.pop(name, None) == theirs.pop(name, None)
    for ours, theirs in copies:
        assert ours == theirs
        assert dict(ours.items()) == theirs
        assert sorted(ours) == sorted(theirs)
        assert sorted(ours.values()) == sorted(theirs.values())
        assert [ours.get(name, -1) for name in NAMES] == [theirs.get(name, -1) for name in NAMES]
        assert [name in ours for name in NAMES] == [name in theirs for name in NAMES]
        assert len(ours) == len(theirs)
