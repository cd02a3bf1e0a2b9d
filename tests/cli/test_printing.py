"""Tables: colours on a terminal that wants them, plain text everywhere else."""

from __future__ import annotations

import pytest

from gpuspawner.cli.printing import Column, coloured, print_table

GREEN = "\x1b[32m"
COLUMNS = (Column("NAME", is_whole=True), Column("WORDS"))


@pytest.mark.parametrize(
    ("environment", "is_green"),
    [
        pytest.param({}, False, id="a pipe"),
        pytest.param({"FORCE_COLOR": "1", "TERM": "xterm"}, True, id="a terminal, or who asks"),
        pytest.param({"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}, False, id="NO_COLOR"),
    ],
)
def test_colours(
    environment: dict[str, str],
    is_green: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    print_table(COLUMNS, [("a", coloured("free", "free"))])
    assert (GREEN in capsys.readouterr().out) is is_green


def test_words_are_wrapped_and_names_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(COLUMNS, [("a-name-with-dashes", "one two three four five six seven"), ("b", "x")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME                WORDS",
        "a-name-with-dashes  one two three four",
        "                    five six seven",
        "b                   x",
    ]


def test_what_looks_like_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [("[red]", ":smile: [/red]")])
    assert capsys.readouterr().out.splitlines()[1] == "[red]  :smile: [/red]"
