"""Who is known in the demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyterhub import orm
from sqlalchemy.orm import Session

from gpuspawner.cli.demo_sign_in import DemoAuthenticator

PEOPLE = {"ada": {}, "grace": {"groups": ["gpu", "staff"]}}


@pytest.fixture
def database() -> Iterator[Session]:
    session = orm.new_session_factory("sqlite:///:memory:")()
    yield session
    session.close()
    session.bind.dispose()


def test_groups_are_known_of_people_who_are_yet_to_sign_in(database: Session) -> None:
    authenticator = DemoAuthenticator(people=PEOPLE, allowed_users=set(PEOPLE))
    database.add(orm.Group(name="staff"))
    for name in PEOPLE:
        database.add(user := orm.User(name=name))
        database.commit()
        for _ in range(2):
            authenticator.add_user(user)
    known = {user.name: {group.name for group in user.groups} for user in database.query(orm.User)}
    assert known == {"ada": set(), "grace": {"gpu", "staff"}}
    assert database.query(orm.Group).count() == 2


def test_what_the_hub_knows_already_stays(database: Session) -> None:
    user = orm.User(name="grace", groups=[orm.Group(name="other")])
    database.add(user)
    DemoAuthenticator(people=PEOPLE, allowed_users=set(PEOPLE)).add_user(user)
    assert [group.name for group in user.groups] == ["other"]
