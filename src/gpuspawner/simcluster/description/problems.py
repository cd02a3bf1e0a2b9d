"""What is wrong with a description, a line for each problem."""

from __future__ import annotations

from pydantic import ValidationError

from gpuspawner.errors import GPUSpawnerError


class ClusterDescriptionError(GPUSpawnerError):
    """A cluster description cannot be used; the text has one line for each problem."""

    def __init__(self, file: str, problems: tuple[str, ...]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


def problems_of(error: ValidationError) -> tuple[str, ...]:
    """A line for each problem that is not just what another leads to."""
    problems = error.errors()
    return tuple(
        f"{_field(problem['loc'])}{problem['msg']}"
        for problem in problems
        if not any(_is_below(other["loc"], problem["loc"]) for other in problems)
    )


def _is_below(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    """Whether one place is inside another, whose problem then follows from the first's."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _field(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return f"{path.removeprefix('.')}: " if path else ""
