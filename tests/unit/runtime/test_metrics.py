"""Metrics: shared between processes, shown as Prometheus wants them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from posthouse.runtime import metrics_table
from posthouse.runtime.metrics import Metrics

NO_FIGURES = {"TABLE", "DOORS", "SLOT_COUNT", "TYPE_CHECKING"}


def _samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_processes_are_summed():
    metrics = Metrics(3)
    metrics.inc(metrics_table.STORE_COMMITS)
    pid = os.fork()
    if not pid:
        metrics.bind(2)
        metrics.inc(metrics_table.STORE_COMMITS, 41)
        metrics.inc(metrics_table.LOGINS.slot("pop3", "ok"), 2)
        metrics.add_time(metrics_table.STORE_COMMIT_TIME, 0.25)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    samples = _samples(metrics.render())
    assert samples["posthouse_store_commits_total", ()] == 42
    assert samples["posthouse_store_commit_seconds_total", ()] == 0.25
    labels = (("door", "pop3"), ("outcome", "ok"))
    assert samples["posthouse_logins_total", labels] == 2


def test_gauges_of_the_dead_are_forgotten_and_counters_are_not():
    metrics = Metrics(2)
    metrics.bind(1)
    slot = metrics_table.CONNECTIONS_OPEN.slot("pop3")
    metrics.inc(slot, 5)
    metrics.inc(metrics_table.POP3_COMMANDS, 5)
    metrics.bind(1)
    assert metrics.total(slot) == 0
    assert metrics.total(metrics_table.POP3_COMMANDS) == 5
    metrics.put(metrics_table.QUEUE_MESSAGES, 7)
    assert _samples(metrics.render())["posthouse_queue_messages", ()] == 7
    with pytest.raises(ValueError, match="stripe"):
        metrics.bind(2)


def test_unknown_label_values_are_others():
    family = metrics_table.CONNECTIONS_OPENED
    assert family.slot("gopher") == family.slot("other")
    assert family.slot("pop3") != family.slot("other")


def test_the_table_is_sound():
    names = [row.name for row in metrics_table.TABLE]
    assert len(names) == len(set(names))
    slots = [slot for row in metrics_table.TABLE for slot, _ in row.samples]
    assert slots == list(range(metrics_table.SLOT_COUNT))
    assert all(row.help.endswith(".") for row in metrics_table.TABLE)
    assert len(list(text_string_to_metric_families(Metrics(1).render()))) == len(names)


def test_every_figure_is_counted_somewhere():
    source = Path(metrics_table.__file__).parent.parent
    code = "".join(
        path.read_text() for path in source.rglob("*.py") if path.name != "metrics_table.py"
    )
    names = [name for name in vars(metrics_table) if name.isupper() and name not in NO_FIGURES]
    assert [name for name in names if name not in code] == []
