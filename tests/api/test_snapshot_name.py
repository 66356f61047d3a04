"""A snapshot is named by whose surface it is, and by its content."""

from leasehold.api.snapshot import snapshot_name

DIGEST = "sha256:0123456789abcdef" + 48 * "0"


def test_a_name_is_the_profile_and_the_beginning_of_the_digest() -> None:
    assert snapshot_name("orders-read", DIGEST) == "orders-read-0123456789abcdef"


def test_the_longest_profiles_have_names_of_their_own_within_the_limit() -> None:
    names = {snapshot_name(240 * "a" + end, DIGEST) for end in ("", "b", "c", 13 * "d")}
    assert len(names) == 4
    assert max(map(len, names)) <= 253
    assert all(name.endswith("-0123456789abcdef") for name in names)


def test_a_name_is_cut_where_a_name_may_end() -> None:
    for end in (".", "-", ".-"):
        beginning = 218 * "a" + end
        name = snapshot_name(beginning + 30 * "b", DIGEST)
        assert ".-" not in name
        assert "--" not in name
