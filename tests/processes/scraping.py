"""Look at a process's metrics and readiness, as Prometheus and a supervisor do."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus

from prometheus_client.parser import text_string_to_metric_families

from tradewind.connectors.settings import MetricsSettings, Settings
from tradewind.infra.services.ports import ports

ANSWER_S = 10.0


def served(settings: Settings, **more: object) -> tuple[Settings, str]:
    """Return settings with a free port for metrics, and where they are answered; `more` replaces other settings."""
    port = ports(None).base
    return settings.model_copy(update={"metrics": MetricsSettings(port=port), **more}), f"http://127.0.0.1:{port}"


def readiness(url: str) -> tuple[int, dict[str, list[str]]]:
    """Return what `/ready` answers: status, and reasons by check; (0, {}) where nobody listens yet."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=ANSWER_S) as answer:
            return answer.status, json.load(answer)["reasons"]
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["reasons"]
    except OSError:
        return 0, {}


def lives(url: str) -> bool:
    """Return whether `/live` answers 200."""
    with urllib.request.urlopen(f"{url}/live", timeout=ANSWER_S) as answer:
        return bool(answer.status == HTTPStatus.OK)


class Scrape:
    """What `/metrics` said at one moment."""

    def __init__(self, url: str) -> None:
        with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_S) as answer:
            text = answer.read().decode()
        self.samples = [
            (one.name, one.labels, one.value)
            for family in text_string_to_metric_families(text)
            for one in family.samples
        ]

    def has(self, name: str, value: float, **labels: str) -> bool:
        """Return whether the samples of a name with these labels are there, and add up to a value."""
        found = [seen for of, has, seen in self.samples if of == name and _fits(has, labels)]
        return bool(found) and sum(found) == value

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name with these labels; raises `KeyError` where there is none."""
        found = [value for of, has, value in self.samples if of == name and _fits(has, labels)]
        if not found:
            raise KeyError(f"{name} {labels}: among {sorted({of for of, _, _ in self.samples})}")
        return sum(found)


def _fits(has: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(has.get(name) == value for name, value in labels.items())
