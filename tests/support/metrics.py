"""Reads metrics in the text format of Prometheus."""

import urllib.request
from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    """The samples by name and labels."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


class Scraped:
    """The metrics of another process.

    Args:
        url: Where it serves them.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def read(self) -> Samples:
        """All samples of this moment."""
        with urllib.request.urlopen(self.url, timeout=10) as response:  # noqa: S310 - our own process
            return parse(response.read().decode())

    def value(self, name: str, **labels: str) -> float:
        """The value of a sample, 0 if there is none."""
        return self.read().get((name, frozenset(labels.items())), 0)

    def change(self, name: str, before: Samples, **labels: str) -> float:
        """What was added to a sample."""
        return self.value(name, **labels) - before.get((name, frozenset(labels.items())), 0)

    def changes(self, name: str, before: Samples, expected: Mapping[str, Any], **labels: str) -> dict[str, float]:
        """What was added to each state of a counter, once that are as many in all as expected."""
        now = self.read()
        states = {dict(key[1])["state"] for key in now if key[0] == name and labels.items() <= dict(key[1]).items()}
        keys = {state: (name, frozenset({**labels, "state": state}.items())) for state in states - {"sent"}}
        added = {state: now[key] - before.get(key, 0) for state, key in keys.items()}
        changed = {state: value for state, value in added.items() if value}
        return changed if sum(changed.values()) >= sum(expected.values()) else {}
