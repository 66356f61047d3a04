"""One target, one spelling. Stores and servers are compared, matched by revocations and shown to people by
their URL, so a URL that could be written in another way is refused."""

import ipaddress
from typing import Annotated

from pydantic import StringConstraints

from leasehold.api.rules import Holds, lacks, matches

HAS_SCHEME = matches("^https?://", "start it with https:// (or http://), in lowercase")
LOWERCASE_HOST = lacks("^[A-Za-z]+://[^/?#]*[A-Z]", "write the host in lowercase")
NO_USERINFO = lacks(
    "^[A-Za-z]+://[^/?#]*@", "leave out the user and password before the @: credentials come from a store"
)
NO_FRAGMENT = lacks("#", "leave out the fragment, from the # on")
NO_QUERY = lacks("[?]", "leave out the query, from the ? on")
NO_DEFAULT_PORT = lacks(
    "^(https://[^/?#]*:443|http://[^/?#]*:80)([/?#]|$)", "leave out the default port (:443, :80)"
)
VALID_PORT = lacks(
    ":(0[0-9]*|[1-9][0-9]{5,}|[7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])([/?#]|$)",
    "write a port from 1 to 65535, without leading zeros",
)
NO_TRAILING_SLASH = lacks("/([?#]|$)", "leave out the slash at the end of the path")
NO_DOT_SEGMENTS = lacks("/[.][.]?([/?#]|$)|[^:]//", "write the path as it is, without //, /./ or /../")
_HOST = (
    r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\]"
)
_CHARACTERS = "-A-Za-z0-9._~%!$&()*+,;=:@/"

WELL_FORMED = matches(
    rf"^[A-Za-z]+://([^/?#]*@)?({_HOST})(:[0-9]+)?(/[{_CHARACTERS}]*)?([?][{_CHARACTERS}?]*)?(#.*)?$",
    "write scheme, host and, where needed, port and path, as in https://mcp.example.com/mcp",
)

_LOOPBACK = matches(r"^http://(127[.]0[.]0[.]1|localhost|\[::1\])([:/?#]|$)", "")
HTTPS_BEYOND_LOOPBACK = Holds(
    f"!self.startsWith('http://') || {_LOOPBACK.cel}",
    "write https://: plain http:// is only for 127.0.0.1, localhost and [::1]",
    lambda value: not value.startswith("http://") or _LOOPBACK.check(value),
)


_IP_LITERAL = matches(r"^[A-Za-z]+://\[[0-9A-Fa-f:]+\]", "")


def _is_canonical_ip(value: str) -> bool:
    """RFC 5952; an IPv4 address in IPv6 clothing is two spellings of one target."""
    if not _IP_LITERAL.check(value):
        return True
    literal = value.partition("[")[2].partition("]")[0]
    try:
        address = ipaddress.IPv6Address(literal)
    except ValueError:
        return False
    return str(address) == literal and address.ipv4_mapped is None


# Cut out by hand: the server cannot bound the length of what getHostname() gives, so refuses rules on it.
_LITERAL = "self.substring(self.indexOf('[') + 1, self.indexOf(']'))"

CANONICAL_IP = Holds(
    f"!{_IP_LITERAL.cel} || (isIP({_LITERAL}) && ip.isCanonical({_LITERAL}))",
    "write the IPv6 address in its short form, as in [2001:db8::1]",
    _is_canonical_ip,
)

ServerURL = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    HAS_SCHEME,
    WELL_FORMED,
    LOWERCASE_HOST,
    CANONICAL_IP,
    NO_USERINFO,
    NO_DEFAULT_PORT,
    VALID_PORT,
    NO_TRAILING_SLASH,
    NO_DOT_SEGMENTS,
    NO_FRAGMENT,
]
"""Where an MCP server is reached. A query is part of it."""

StoreAddress = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    HAS_SCHEME,
    WELL_FORMED,
    LOWERCASE_HOST,
    CANONICAL_IP,
    NO_USERINFO,
    NO_DEFAULT_PORT,
    VALID_PORT,
    NO_TRAILING_SLASH,
    NO_DOT_SEGMENTS,
    NO_FRAGMENT,
    NO_QUERY,
    HTTPS_BEYOND_LOOPBACK,
]
"""Where a Vault or OpenBao is reached; tokens go there, so never in clear text over a network."""
