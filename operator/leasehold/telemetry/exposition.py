"""The text of the Prometheus exposition format, for series that are rendered when an object changes and not
when somebody scrapes: 100,000 series built at the scrape would hold the event loop for half a second."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class GaugeFamily:
    """A gauge and what it means; HELP and TYPE are written once, before all of its samples."""

    name: str
    documentation: str

    def sample(self, labels: str, value: int) -> str:
        """One line; `labels` come from `label_pairs`, empty for a family that has none."""
        return f"{self.name}{{{labels}}} {value}\n" if labels else f"{self.name} {value}\n"

    def text(self, samples: Iterable[str]) -> str:
        """The whole family."""
        return f"# HELP {self.name} {self.documentation}\n# TYPE {self.name} gauge\n{''.join(samples)}"


def label_pairs(labels: Mapping[str, str]) -> str:
    """What stands between the braces; values are escaped, whatever they hold."""
    return ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
