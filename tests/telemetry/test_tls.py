"""Metrics over TLS, from a directory whose files are replaced as the kubelet replaces those of a Secret."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.keys import Keys, make_keys
from leasehold.__main__ import main
from leasehold.telemetry.http import TelemetryServer
from leasehold.telemetry.tls import ServedCertificate, UnusableCertificate


@pytest.fixture
def first(tmp_path: Path) -> Keys:
    return make_keys(tmp_path / "first")


@pytest.fixture
def second(tmp_path: Path) -> Keys:
    return make_keys(tmp_path / "second")


@pytest.fixture
def mounted(tmp_path: Path, first: Keys) -> Path:
    """The first certificate, as it is mounted."""
    return mount(tmp_path / "mounted", first)


def mount(directory: Path, keys: Keys) -> Path:
    """Put a certificate and its key where the kubelet does: behind a link that is replaced at once."""
    version = directory / f"..{keys.ca.parent.name}"
    version.mkdir(parents=True)
    shutil.copy(keys.serving_certificate, version / "tls.crt")
    shutil.copy(keys.serving_key, version / "tls.key")
    (directory / "..next").symlink_to(version.name)
    (directory / "..next").replace(directory / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    return directory


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[int]:
    tls = ServedCertificate(directory).context
    server = TelemetryServer(lambda: b"a 1\n", lambda: (True, "well"), lambda: (True, "well"), tls)
    _, port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop()


async def read(port: int, keys: Keys, server_name: str = "localhost") -> str:
    """The metrics, as a client reads them that believes this CA alone; without a name, as the kubelet would."""
    trust = ssl.create_default_context(cafile=str(keys.ca))
    trust.check_hostname = bool(server_name)
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, server_hostname=server_name
        )
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
    return answer.decode()


def test_metrics_are_served_with_the_mounted_certificate(mounted: Path, first: Keys) -> None:
    async def scenario() -> None:
        async with served(mounted) as port:
            assert (await read(port, first)).endswith("a 1\n")
            assert (await read(port, first, server_name="")).endswith("a 1\n")

    asyncio.run(scenario())


def test_a_renewed_certificate_is_served_without_a_restart(mounted: Path, first: Keys, second: Keys) -> None:
    async def scenario() -> None:
        async with served(mounted) as port:
            assert (await read(port, first)).endswith("a 1\n")
            mount(mounted, second)
            assert (await read(port, second)).endswith("a 1\n")
            assert (await read(port, second, server_name="")).endswith("a 1\n")
            with pytest.raises(ssl.SSLCertVerificationError):
                await read(port, first)

    asyncio.run(scenario())


def test_a_renewal_that_cannot_be_used_leaves_the_old_certificate(mounted: Path, first: Keys) -> None:
    async def scenario() -> None:
        async with served(mounted) as port:
            (mounted / "tls.key").unlink()
            assert (await read(port, first)).endswith("a 1\n")
            (mounted / "tls.key").write_text("no key")
            assert (await read(port, first)).endswith("a 1\n")

    asyncio.run(scenario())


def test_plain_http_gets_no_metrics(mounted: Path) -> None:
    async def scenario() -> None:
        async with served(mounted) as port, asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert b"a 1" not in await reader.read()
            writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("lost", ["tls.crt", "tls.key"])
def test_without_a_certificate_to_begin_with_it_does_not_start(
    mounted: Path, lost: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (mounted / lost).unlink()
    with pytest.raises(UnusableCertificate, match=lost):
        ServedCertificate(mounted)
    monkeypatch.setenv("LEASEHOLD_LISTEN_TLS_DIRECTORY", str(mounted))
    assert main() == 2
    said = capsys.readouterr().err
    assert "LEASEHOLD_LISTEN_TLS_DIRECTORY" in said
    assert lost in said
