"""Whatever passes by itself, or at a server, says what a person may do about it."""

import re

from leasehold.api.reasons import Reason
from leasehold.core.advice import ADVICE, advised
from leasehold.core.faults import NeedsPerson, TryLater
from shipped import ROOT

RETRIED = re.compile(r"\bTryLater\(\s*Reason\.([A-Z_]+)")
SERVERS = ("core/*.py", "engine/*.py", "adapters/vault*.py", "adapters/cluster*.py")
"""Where faults of Vault and of the API server are made; what probes meet is told elsewhere."""
SAYS_IT_ITSELF = {Reason.SECRET_CONFLICT}


def test_whatever_is_tried_again_says_what_a_person_may_do() -> None:
    package = ROOT / "operator" / "leasehold"
    texts = [path.read_text() for pattern in SERVERS for path in package.glob(pattern)]
    retried = {Reason[name] for text in texts for name in RETRIED.findall(text)}
    assert len(retried) > 5
    assert retried - ADVICE.keys() - SAYS_IT_ITSELF == set()


def test_what_happened_comes_first() -> None:
    said = advised(TryLater(Reason.SEALED, "store default: health: it is sealed."))
    assert said == "store default: health: it is sealed; unseal that Vault; it is tried again by itself"


def test_a_fault_of_the_specs_names_the_field_by_itself() -> None:
    assert advised(NeedsPerson(Reason.INVALID_SPEC, "spec.output is missing")) == "spec.output is missing"
