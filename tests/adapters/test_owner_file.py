"""The owner directory as a file that others replace, truncate and take away."""

import asyncio
import os
from pathlib import Path

import pytest

from leasehold.adapters.owner_file import OwnerFile
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson


def text(*names: str) -> str:
    users = "".join(f"\n  - name: {name}" for name in names)
    return f"asOf: 2026-11-26T02:00:00Z\nusers:{users or ' []'}\n"


def active(source: OwnerFile) -> set[str]:
    return set(asyncio.run(source.read()).active)


def refusal(source: OwnerFile) -> str:
    with pytest.raises(NeedsPerson) as refused:
        asyncio.run(source.read())
    assert refused.value.reason is Reason.UNREADABLE_OWNER_DIRECTORY
    return refused.value.message


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    file, source = tmp_path / "owners.yaml", OwnerFile(tmp_path / "owners.yaml")
    file.write_text(text("alice"))
    assert active(source) == active(source) == {"alice"}
    other = tmp_path / "other"
    other.write_text(text("carol"))
    other.replace(file)
    assert active(source) == {"carol"}


def test_a_config_map_that_is_mounted_is_read_anew_when_its_link_moves(tmp_path: Path) -> None:
    for number, name in enumerate(("alice", "carol")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "directory").write_text(text(name))
    (tmp_path / "..data").symlink_to("0")
    (tmp_path / "directory").symlink_to("..data/directory")
    source = OwnerFile(tmp_path / "directory")
    assert active(source) == {"alice"}
    (tmp_path / "new").symlink_to("1")
    (tmp_path / "new").rename(tmp_path / "..data")
    assert active(source) == {"carol"}


def test_what_was_read_before_is_not_used_once_the_file_is_broken_or_gone(tmp_path: Path) -> None:
    file = tmp_path / "owners.yaml"
    source = OwnerFile(file)
    file.write_text(text("alice"))
    assert active(source) == {"alice"}
    file.write_text("asOf: 2026-11-26T02:00:00Z\nusers: [{name: }]\n")
    assert (
        refusal(source)
        == refusal(source)
        == f"{file}: users[0].name: " + ("write the user's name as spec.owner.user has it, as text")
    )
    file.unlink()
    assert "No such file or directory" in refusal(source)
    file.write_text(text("alice"))
    assert active(source) == {"alice"}


def test_a_file_that_nobody_finishes_is_told_and_has_one_thread_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr("leasehold.adapters.owner_file.PATIENCE_SECONDS", 0.1)
    source = OwnerFile(pipe)

    async def twice() -> list[str]:
        told = []
        for _ in range(2):
            with pytest.raises(NeedsPerson) as refused:
                await source.read()
            told.append(refused.value.message)
        with pipe.open("w") as writer:  # only what waits for it can let this open
            writer.write(text("alice"))
        assert (await source.read()).active == {"alice"}
        return told

    assert asyncio.run(twice()) == [f"{pipe} could not be read within 0.1 seconds"] * 2
