"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "free": "green",
    "evicts": "green",
    "can-start-node": "green",
    "queued": "yellow",
    "busy": "yellow",
    "unknown": "yellow",
    "never": "red",
    "denied": "red",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        is_number: whether it is written to the right.
        is_whole: whether its texts are names, which are not broken.
    """

    title: str
    is_number: bool = False
    is_whole: bool = False


def coloured(words: str, standing: str) -> Text:
    """Words in the colour of a standing, where there are colours."""
    return Text(words, style=_COLOURS.get(standing, ""))


def print_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, title: str = ""
) -> None:
    """Print a table as wide as the terminal, or as 80 columns where it is none.

    A pipe gets no colours, and ``NO_COLOR`` is honoured.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_whole or column.is_number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    if title:
        print_words(title)
    _print(table)


def print_json(report: Any) -> None:
    """Print a report of dataclasses."""
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())


def print_words(*paragraphs: str) -> None:
    """Print sentences, wrapped as tables are."""
    for words in paragraphs:
        _print(Text(words))


def _print(what: Table | Text) -> None:
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    with console.capture() as captured:
        console.print(what)
    # What fills a line up to the width is of no use in a pipe.
    for line in captured.get().splitlines():
        sys.stdout.write(f"{line.rstrip()}\n")


def count(number: int, noun: str) -> str:
    """A number with its noun: ``"1 node"``, ``"2 nodes"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
