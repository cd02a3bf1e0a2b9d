"""Whom the hub knows, read of its database."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm

from gpuspawner.hub.admin.base import AccessPage, Known
from gpuspawner.policy import Person

GROUPS = {"zoe": {"bio", "hpc"}, "ada": {"hpc"}, "kim": set[str]()}


class Page(AccessPage):
    def __init__(self, db: Any) -> None:
        self.db = db


def test_all_users_with_their_groups_and_groups_that_nobody_is_in() -> None:
    db = orm.new_session_factory("sqlite:///:memory:")()
    groups = {name: orm.Group(name=name) for name in ("hpc", "empty", "bio")}
    db.add_all(groups.values())
    for name, theirs in GROUPS.items():
        user = orm.User(name=name)
        db.add(user)
        user.groups = [groups[group] for group in theirs]
    db.commit()
    people = tuple(Person(name, frozenset(GROUPS[name])) for name in ("ada", "kim", "zoe"))
    assert Page(db).known() == Known(people, ("bio", "empty", "hpc"))
    db.close()
