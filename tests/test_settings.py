"""What an installation decides is read once, and what cannot be used is refused by name."""

import pytest

from leasehold.settings import BadSettings, Settings, namespaces


def test_without_namespaces_all_of_them_are_watched() -> None:
    assert namespaces(Settings.from_environment({}).watch_namespaces) == ()
    assert namespaces(Settings.from_environment({"LEASEHOLD_WATCH_NAMESPACES": ""}).watch_namespaces) == ()


def test_namespaces_are_a_list_with_commas_and_each_counts_once() -> None:
    settings = Settings.from_environment({"LEASEHOLD_WATCH_NAMESPACES": "support, shop,support,"})
    assert namespaces(settings.watch_namespaces) == ("support", "shop")


@pytest.mark.parametrize("given", ["support shop", "Support", "team-*", "-", "a" * 64, ",", "!shop"])
def test_what_is_no_list_of_namespaces_is_refused_by_name(given: str) -> None:
    with pytest.raises(BadSettings, match="LEASEHOLD_WATCH_NAMESPACES"):
        Settings.from_environment({"LEASEHOLD_WATCH_NAMESPACES": given})
