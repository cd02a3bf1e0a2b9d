"""What a refresh that fails leaves on a user, and what the hub's log says where there is none."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from traitlets.config import Config

import gpuspawner
from gpuspawner.confirming import confirm, refresh_user, warn_of_old_groups
from gpuspawner.refusals import SpawnRefusedError

DOCUMENT = (Path(__file__).parents[1] / "docs" / "sign-in.md").read_text()
HELM = re.findall(r"^```yaml\n(hub:\n.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
CATALOG = Path(__file__).parent / "hub" / "catalog.yaml"
ENDED, AWAY, FRESH = False, OSError("no route"), {"name": "ada"}


class Authenticator:
    """One whose refresh comes to `result`, and which asks the hook before, as OAuthenticator."""

    auth_refresh_age = 300
    manage_groups = True
    admin_groups = frozenset({"admins"})
    admin_users = frozenset({"root"})

    def __init__(self, result: Any) -> None:
        self.result = result

    async def refresh_user(self, user: Any) -> Any:
        assert await refresh_user(self, user, None) is None
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def somebody(*, due: bool, name: str = "ada", admin: bool = False) -> Any:
    last = None if due else time.monotonic()
    return SimpleNamespace(name=name, admin=admin, _auth_refreshed=last)


@pytest.mark.parametrize(
    ("result", "due", "returned", "status"),
    [
        pytest.param(FRESH, False, FRESH, None, id="groups that are known"),
        pytest.param(True, True, True, None, id="nothing to refresh"),
        pytest.param(ENDED, False, True, 403, id="a sign-in that has ended, at a start"),
        pytest.param(ENDED, True, False, 403, id="a sign-in that has ended, at a page"),
        pytest.param(AWAY, False, True, 503, id="no answer, at a start"),
        pytest.param(AWAY, True, True, 503, id="no answer, at a page"),
    ],
)
async def test_what_a_refresh_leaves(
    result: Any, due: bool, returned: Any, status: int | None
) -> None:
    user = somebody(due=due)
    assert await refresh_user(Authenticator(result), user, None) == returned
    if status is None:
        confirm(user)
        return
    with pytest.raises(SpawnRefusedError) as refused:
        confirm(user)
    assert refused.value.status_code == status
    assert await refresh_user(Authenticator(FRESH), user, None) == FRESH
    confirm(user)


async def test_where_the_hub_keeps_the_groups_no_answer_keeps_nobody_from_a_start() -> None:
    user, authenticator = somebody(due=False), Authenticator(AWAY)
    authenticator.manage_groups = False
    assert await refresh_user(authenticator, user, None) is True
    confirm(user)


async def test_who_has_signed_in_since_is_known() -> None:
    user = somebody(due=False)
    await refresh_user(Authenticator(ENDED), user, None)
    user._auth_refreshed = time.monotonic() + 1
    confirm(user)


@pytest.mark.parametrize(
    ("name", "raises"),
    [pytest.param("ada", True, id="by a group"), pytest.param("root", False, id="by name")],
)
async def test_an_admin_of_the_hub_without_an_answer(name: str, raises: bool) -> None:
    user = somebody(due=True, name=name, admin=True)
    if not raises:
        assert await refresh_user(Authenticator(AWAY), user, None)
        return
    with pytest.raises(web.HTTPError) as error:
        await refresh_user(Authenticator(AWAY), user, None)
    assert error.value.status_code == 503


FRESH_GROUPS = {
    "manage_groups": True,
    "auth_state_groups_key": "oauth_user.groups",
    "enable_auth_state": True,
    "refresh_pre_spawn": True,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "", id="all of it is set"),
        pytest.param(
            {"manage_groups": False, "auth_state_groups_key": ""},
            "",
            id="groups are not the provider's",
        ),
        pytest.param({"enable_auth_state": False}, "enable_auth_state = True", id="no tokens"),
        pytest.param({"refresh_pre_spawn": False}, "refresh_pre_spawn = True", id="no refresh"),
        pytest.param({"auth_refresh_age": 0}, "auth_refresh_age = a number", id="never due"),
        pytest.param({"userdata_from_id_token": True}, "userdata_url", id="an old token"),
    ],
)
def test_the_log_warns_of_groups_that_stay(
    changes: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = GenericOAuthenticator(**{**FRESH_GROUPS, **changes})
    warn_of_old_groups(logging.getLogger("hub"), authenticator)
    said = [record.getMessage() for record in caplog.records if record.name == "hub"]
    assert [words in line for line in said] == ([True] if words else [])


@pytest.mark.parametrize("text", HELM, ids=["Authentik", "Keycloak"])
def test_values_in_the_docs_are_those_of_the_python_beside_them(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "of a test")
    monkeypatch.setenv("GPUSPAWNER_CATALOG", str(CATALOG))
    values = yaml.safe_load(text)["hub"]
    of_chart = values["config"]["GenericOAuthenticator"]
    assert values["config"]["JupyterHub"] == {"authenticator_class": "generic-oauth"}
    python = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    of_python: Config = Config()
    exec(python[HELM.index(text)], {"c": of_python})
    settings = dict(of_python.GenericOAuthenticator)
    assert settings.pop("client_secret") == "of a test"
    assert {**of_chart, "admin_groups": set(of_chart["admin_groups"])} == settings
    assert settings.keys() <= GenericOAuthenticator.class_traits(config=True).keys()
    GenericOAuthenticator(config=Config({"GenericOAuthenticator": of_chart}))
    exec(values["extraConfig"]["gpuspawner"], {"c": Config()})


def test_what_the_operator_has_set_stays() -> None:
    config: Config = Config()
    config.Authenticator.refresh_pre_spawn = False
    config.OAuthenticator.refresh_user_hook = print
    gpuspawner.setup(config, CATALOG)
    assert config.Authenticator.refresh_pre_spawn is False
    assert config.OAuthenticator.refresh_user_hook is print
