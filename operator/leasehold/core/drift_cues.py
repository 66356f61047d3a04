"""A poisoned description talks to the agent past the person: it overrides instructions, asks for silence, or asks
for credentials. Any change of a text is for review anyway; a cue makes it an alarm. So the list is short, asks for
the imperative that such texts need, and leaves alone what honest servers write about users, secrets and prompts.
It reads English only, and whoever knows it can avoid it."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leasehold.core.drift import FindingKind
from leasehold.core.hidden_text import without_hidden
from leasehold.core.json_paths import pointer
from leasehold.core.wire_json import JsonValue

_NOT: Final = r"\b(?:do not|don't|never|must not|mustn't|should not|shouldn't)\b"
_GAP: Final = r"[^.;:!?]{0,30}?"
_PERSON: Final = r"(?:the |your )?(?:user|human|person)\b"
_CONFIDENTIAL: Final = (
    r"\b(?:passwords?|passphrases?|passcodes?|api[ _-]?(?:keys?|tokens?)|access[ _-]?(?:keys?|tokens?)"
    r"|auth(?:entication|orization)?[ _-]?tokens?|bearer[ _-]?tokens?|session[ _-]?(?:cookies?|tokens?)"
    r"|secret[ _-]?(?:access[ _-]?)?keys?|private[ _-]?keys?|ssh[ _-]?keys?|client[ _-]?secrets?|credentials"
    r"|(?:seed|recovery|mnemonic) phrases?|(?:2fa|mfa|otp|totp|one-time|verification) (?:codes?|passwords?)"
    r"|credit[ -]card (?:numbers?|details)|cvv|social security numbers?)\b"
)
_KEY_FILE: Final = (
    r"(?:\.ssh/|\.ssh\b|\bid_(?:rsa|ed25519|ecdsa)\b|\.aws/credentials|\.cursor/mcp\.json"
    r"|\bclaude_desktop_config|\.netrc\b|\.git-credentials|\.pgpass\b|/etc/shadow\b|\.vault-token\b"
    r"|(?<![\w.])\.env\b)"
)

_INSTRUCTION_WORDS: Final = "instruction prompt guideline directive guardrail rules context"
_PERSON_WORDS: Final = "user human person anyone"
_FILE_WORDS: Final = ".ssh id_ .aws mcp.json claude_desktop .netrc .git-cred .pgpass shadow .vault-token .env"

_AGENT_INSTRUCTIONS: Final = (
    # what was said before no longer counts
    (
        _INSTRUCTION_WORDS,
        rf"\b(?:ignore|disregard|forget)\b{_GAP}\b(?:previous|prior|above|earlier|preceding|other|all|any|your)\b"
        rf"{_GAP}\b(?:instructions?|prompts?|guidelines|directives|guardrails|safety rules)\b",
    ),
    (
        _INSTRUCTION_WORDS,
        rf"\b(?:override|bypass)\b{_GAP}\b(?:previous|prior|above|earlier|your|safety)\b"
        rf"{_GAP}\b(?:instructions?|guidelines|directives|guardrails|rules)\b",
    ),
    (
        "now",
        r"\byou are now (?:in )?(?:an? |the )?(?:\w+ ){0,2}(?:mode|assistant|agent|administrator|persona)\b",
    ),
    ("your", r"\byour (?:new|real|true|actual) (?:task|goal|objective|purpose|instructions?) (?:is|are)\b"),
    # the person must not notice
    (_PERSON_WORDS, rf"{_NOT}{_GAP}\b(?:tell|inform)\b{_GAP}\b{_PERSON}"),
    (
        _PERSON_WORDS,
        rf"{_NOT}{_GAP}\b(?:mention|reveal|disclose) (?:this|that|these|it|any of (?:this|these))\b"
        rf"{_GAP}\bto (?:{_PERSON}|anyone\b)",
    ),
    (_PERSON_WORDS, rf"\bwithout (?:telling|informing|mentioning (?:this|it) to) {_PERSON}"),
    (_PERSON_WORDS, rf"\bwithout {_PERSON}(?:'s (?:knowledge|awareness)| (?:knowing|noticing))\b"),
    (_PERSON_WORDS, rf"\b(?:keep|hide|conceal) (?:this|that|these|it)\b{_GAP}\bfrom {_PERSON}"),
    # the person's word does not count
    (
        "confirmation permission approval consent",
        rf"{_NOT} (?:ask|wait|request|seek)\b{_GAP}\b(?:confirmation|permission|approval|consent)\b",
    ),
    (
        "user",
        r"\b(?:even if|regardless of (?:what|whether)) the user (?:says|asks|wants|refuses|declines|objects)\b",
    ),
    # what the agent was told, and what it was told in confidence
    (
        _INSTRUCTION_WORDS,
        rf"\b(?:send|include|pass|provide|reveal|print|output|repeat|paste)\b{_GAP}\byour "
        r"(?:full |entire |whole )?(?:system prompt|instructions|context window)\b",
    ),
    (
        "conversation chat",
        rf"\b(?:send|include|pass|provide|paste|upload)\b{_GAP}\b(?:full|entire|complete|whole)\b{_GAP}"
        r"\b(?:conversation|chat)\b[^.;:!?]{0,20}?(?:with the user|so far|up to (?:now|this point))",
    ),
    # marks that pretend to come from somebody else than the server
    ("<", r"</?(?:important|system|system_prompt)>|<</?sys>>"),
    ("<|", r"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|>"),
    ("inst]", r"\[/?inst\]"),
)
_CREDENTIAL_REQUESTS: Final = (
    (
        _PERSON_WORDS,
        rf"\b(?:ask|prompt) {_PERSON} (?:for|to (?:enter|provide|give|share|paste|type|send|supply))\b"
        rf"{_GAP}{_CONFIDENTIAL}",
    ),
    (_PERSON_WORDS, rf"\b(?:obtain|collect|request|get)\b{_GAP}{_CONFIDENTIAL}{_GAP}\bfrom {_PERSON}"),
    (
        "your user's",
        r"\b(?:enter|provide|paste|share|send|include|pass|supply|submit|give)\b"
        rf"{_GAP}\b(?:your|the user's)\b{_GAP}{_CONFIDENTIAL}",
    ),
    ("their", rf"\b(?:enter|provide|paste|share|supply)\b{_GAP}\btheir\b{_GAP}{_CONFIDENTIAL}"),
    (
        _FILE_WORDS,
        r"(?<!\bis )(?<!\bare )(?<!\bbe )"
        r"\b(?:read|open|cat|include|pass|send|attach|paste|upload|print|fetch)\b(?! from\b)"
        rf"[^;!?]{{0,60}}?{_KEY_FILE}",
    ),
)


@dataclass(frozen=True)
class _Cue:
    """A pattern, and words of which a text must have one before the pattern is worth trying."""

    kind: FindingKind
    words: tuple[str, ...]
    pattern: re.Pattern[str]


def _cues(kind: FindingKind, patterns: tuple[tuple[str, str], ...]) -> tuple[_Cue, ...]:
    return tuple(_Cue(kind, tuple(words.split()), re.compile(pattern)) for words, pattern in patterns)


_CUES: Final = (
    *_cues(FindingKind.AGENT_INSTRUCTION, _AGENT_INSTRUCTIONS),
    *_cues(FindingKind.CREDENTIAL_REQUEST, _CREDENTIAL_REQUESTS),
)
_DENIED: Final = re.compile(rf"(?:{_NOT}|\bno need to\b)(?: (?:ever|directly|try to|attempt to))? $")
"""What stands right before a cue and turns it into its opposite; `do not hesitate to` does not."""

_LONGEST_DENIAL: Final = 24

_FOLDED: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "*": None, "`": None})
_LONG_LIGATURES: Final = re.compile("[\ufdf0-\ufdff]")
"""Whole Arabic phrases, which NFKC writes out: one character would become eighteen."""

_BLANKS: Final = re.compile(r"\s+")
_MORE_THAN_A_WORD: Final = re.compile(r"[\s<\[]")
"""Most strings of a surface are names, and no cue is one word unless it is a mark."""

_CREDENTIAL_NAMES: Final = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "apikey",
        "apitoken",
        "accesskey",
        "accesstoken",
        "authtoken",
        "bearertoken",
        "refreshtoken",
        "sessiontoken",
        "sessioncookie",
        "secretkey",
        "secretaccesskey",
        "privatekey",
        "sshkey",
        "clientsecret",
        "credentials",
        "otp",
        "totp",
        "mfacode",
        "otpcode",
        "verificationcode",
        "seedphrase",
        "recoveryphrase",
        "mnemonic",
        "creditcard",
        "creditcardnumber",
        "cardnumber",
        "cvv",
        "ssn",
    ]
)


def cues_in(text: str) -> frozenset[tuple[FindingKind, str]]:
    """What in a text looks like an instruction past the person or like asking for credentials, with the words."""
    if text.isascii() and not _MORE_THAN_A_WORD.search(text):
        return frozenset()
    plain = _plain(text)
    return frozenset(
        (cue.kind, match.group())
        for cue in _CUES
        if any(word in plain for word in cue.words)
        for match in cue.pattern.finditer(plain)
        if not _DENIED.search(plain, max(0, match.start() - _LONGEST_DENIAL), match.start())
    )


def credential_parameters(schema: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """The properties of a schema, at any depth, that are named like a credential: their paths and names."""
    if isinstance(schema, list):
        for place, each in enumerate(schema):
            yield from credential_parameters(each, f"{path}/{place}")
    elif isinstance(schema, dict):
        for keyword, value in schema.items():
            at = pointer(path, keyword)
            if keyword == "properties" and isinstance(value, dict):
                yield from ((pointer(at, name), name) for name in value if _names_a_credential(name))
            yield from credential_parameters(value, at)


def _names_a_credential(name: str) -> bool:
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _CREDENTIAL_NAMES


def _plain(text: str) -> str:
    """As a model would read it: no tricks with lookalike widths, hidden characters, emphasis or line breaks."""
    seen = unicodedata.normalize("NFKC", _LONG_LIGATURES.sub("", without_hidden(text)))
    return _BLANKS.sub(" ", seen.translate(_FOLDED)).casefold()
