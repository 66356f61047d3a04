"""What a check of kept records, or of a folder of evidence, may find."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """First what was done to audit records, then what was done to a folder."""

    GAP = "Gap"
    CHANGED = "Changed"
    OUT_OF_ORDER = "OutOfOrder"
    CHAIN_MISSING = "ChainMissing"
    END_MISSING = "EndMissing"
    UNLINKED = "Unlinked"
    CONTRADICTION = "Contradiction"
    UNREADABLE_LINE = "UnreadableLine"
    SUM_DIFFERS = "SumDiffers"
    FILE_MISSING = "FileMissing"
    FILE_ADDED = "FileAdded"
    NO_SUMS = "NoSums"
    SUMS_UNREADABLE = "SumsUnreadable"
    INCONSISTENT = "Inconsistent"
    NO_EVIDENCE = "NoEvidence"
    NOT_SIGNED = "NotSigned"
    SIGNATURE_DIFFERS = "SignatureDiffers"


@dataclass(frozen=True)
class Finding:
    """Something that a person has to look at."""

    kind: FindingKind
    words: str
