"""A progress bar on a terminal, silence in a pipe."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(
    what: str, total: int | None = None, *, is_silent: bool = False
) -> Iterator[Callable[[int, str], None]]:
    """Gives a function to call with what is done so far and a few words.

    Args:
        what: stands before the bar.
        total: what ``done`` runs up to; None when nobody knows.
        is_silent: never draw (``--json``).
    """
    if is_silent or not sys.stderr.isatty():
        yield lambda _done, _words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)

        def step(done: int, words: str) -> None:
            bar.update(task, completed=done, description=f"{what} {Text(words).plain}")

        yield step
