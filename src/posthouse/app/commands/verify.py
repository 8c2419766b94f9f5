"""``posthouse verify``: is everything still as it was stored?"""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - click reads the annotations

import click

from posthouse.app.console import data_option, harmless, json_option, opened, show_json
from posthouse.app.progress import progress
from posthouse.services.upkeep.verify import Verdict, Verifier


@click.command()
@data_option
@json_option
@click.option("--all", "is_all", is_flag=True, help="Hash all content again, not a sample.")
@click.option("--sample", default=1_000, show_default=True, help="How many pieces of content.")
def verify(data: Path, as_json: bool, is_all: bool, sample: int) -> None:  # noqa: FBT001
    """Check counters, references, people, the audit log, and content against its hashes.

    Safe beside a running server. Exit status 1 when something is wrong.
    """
    from posthouse.app.wiring import open_fulltext

    with opened(data) as house, progress("Verifying", is_silent=as_json) as step:

        def tell(verdict: Verdict) -> None:
            step(verdict.blobs, f"{verdict.blobs} pieces of content")

        index = data / "store" / "search.db"
        fulltext = open_fulltext(data) if index.exists() else None
        verifier = Verifier(
            house.store.records,
            house.blob_upkeep,
            house.directory,
            data / "log" / "audit.jsonl",
            tell,
            fulltext=fulltext,
        )
        verdict = house.run(verifier.run(None if is_all else sample, house.chance))
        if fulltext is not None:
            fulltext.close()
    if as_json:
        show_json(
            {
                "mailboxes": verdict.mailboxes,
                "principals": verdict.principals,
                "blobs": verdict.blobs,
                "folders_behind": verdict.folders_behind,
                "problems": verdict.problems,
            }
        )
    else:
        for problem in verdict.problems:
            click.echo(harmless(problem))
        found = f"{len(verdict.problems)} problems" if verdict.problems else "nothing wrong"
        click.echo(
            f"{verdict.mailboxes} mailboxes, {verdict.principals} people and groups, "
            f"{verdict.blobs} pieces of content: {found}"
        )
        if verdict.folders_behind:
            click.echo(f"the search index has yet to read {verdict.folders_behind} folders")
    if verdict.problems:
        sys.exit(1)
