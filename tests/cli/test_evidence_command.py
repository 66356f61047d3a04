"""`leasehold evidence verify`, and what `export` refuses before it asks a cluster."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from typer.testing import CliRunner, Result

from core.evidence_case import a_quarter
from leasehold.cli.app import app
from leasehold.cli.evidence_signature import private_key, signature
from leasehold.core.evidence_folder import SIGNATURE, SUMS, evidence_files, sums


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evidence", *map(str, words)])


def write_key(
    path: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes = b""
) -> Path:
    """The private key at the path, and the public one beside it as .pub."""
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "auditor.key", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    """A signed folder."""
    files = evidence_files(a_quarter(tmp_path / "audit.jsonl"))
    files[SUMS] = sums(files)
    files[SIGNATURE] = signature(private_key(key), files[SUMS])
    for name, data in files.items():
        path = tmp_path / "q4" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "q4"


def test_a_signed_folder_that_nobody_touched_is_fine(folder: Path, key: Path) -> None:
    done = run("verify", folder, "--key", key.with_suffix(".pub"))
    assert done.exit_code == 0, done.output
    assert "population: 2" in done.stdout
    assert [line for line in done.stderr.splitlines() if not line.startswith("note: ")] == []


def test_the_sums_are_those_that_sha256sum_checks(folder: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_signature_is_one_that_cosign_makes_with_a_key_file(folder: Path, key: Path) -> None:
    public = load_pem_public_key(key.with_suffix(".pub").read_bytes())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signed = base64.b64decode((folder / SIGNATURE).read_text(), validate=False)
    public.verify(signed, (folder / SUMS).read_bytes(), ec.ECDSA(hashes.SHA256()))
    assert (folder / SIGNATURE).read_text().count("\n") == 1


def test_a_key_that_was_not_given_is_noted(folder: Path) -> None:
    done = run("verify", folder)
    assert done.exit_code == 0
    assert "note: the signature was not checked: give --key" in done.stderr
    (folder / SIGNATURE).unlink()
    done = run("verify", folder)
    assert done.exit_code == 0
    assert "note: it is not signed: whoever could write the folder could write its sums" in done.stderr


def another_key(folder: Path) -> None:
    other = write_key(folder.parent / "other.key", ec.generate_private_key(ec.SECP256R1()))
    (folder / SIGNATURE).write_bytes(signature(private_key(other), (folder / SUMS).read_bytes()))


def other_sums(folder: Path) -> None:
    (folder / "population.csv").write_text("nobody\n")
    content = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (SUMS, SIGNATURE)
    }
    (folder / SUMS).write_bytes(sums(content))


TAMPERING: list[tuple[str, Callable[[Path], object], str]] = [
    ("somebody else signed it", another_key, "SignatureDiffers"),
    ("a table was changed, and the sums were made anew", other_sums, "SignatureDiffers"),
    ("the signature is no base64", lambda folder: (folder / SIGNATURE).write_text("%%%"), "SignatureDiffers"),
    ("the signature was removed", lambda folder: (folder / SIGNATURE).unlink(), "NotSigned"),
    ("a file was removed", lambda folder: (folder / "report.html").unlink(), "FileMissing"),
    ("a file was added", lambda folder: (folder / "x").write_text("x"), "FileAdded"),
    ("a file was changed", lambda folder: (folder / "endings.csv").write_text("x"), "SumDiffers"),
]


@pytest.mark.parametrize(
    ("act", "expected"), [case[1:] for case in TAMPERING], ids=[case[0] for case in TAMPERING]
)
def test_tampering_is_a_finding(
    folder: Path, key: Path, act: Callable[[Path], object], expected: str
) -> None:
    act(folder)
    done = run("verify", folder, "--key", key.with_suffix(".pub"))
    assert done.exit_code == 3
    assert f"\n{expected}: " in f"\n{done.stderr}"


def test_what_is_no_folder_and_what_leads_elsewhere_cannot_be_read(folder: Path) -> None:
    assert run("verify", folder / "nothing").exit_code == 1
    (folder / "link").symlink_to("/etc/hostname")
    done = run("verify", folder)
    assert (done.exit_code, "is no plain file" in done.stderr) == (1, True)


def test_an_empty_folder_is_no_evidence(tmp_path: Path) -> None:
    done = run("verify", tmp_path)
    assert done.exit_code == 3
    assert "NoSums: " in done.stderr
    assert "NoEvidence: manifest.json is missing" in done.stderr


WRONG: list[tuple[str, list[str], str]] = [
    ("no time", ["--from", "yesterday"], "--from: give a day as 2026-07-01"),
    ("no time zone", ["--from", "2026-07-01T12:00:00"], "--from: say in which time zone"),
    ("no end", ["--from", "2026-07-01", "--to", "soon"], "--to: give a day"),
    (
        "no file",
        ["--from", "2026-07-01", "--audit", "/nowhere/audit"],
        "--audit: /nowhere/audit cannot be read",
    ),
    (
        "no metrics",
        ["--from", "2026-07-01", "--metrics", "/nowhere/metrics"],
        "--metrics: /nowhere/metrics cannot be read",
    ),
    (
        "no token",
        ["--from", "2026-07-01", "--vault", "https://vault.example.com"],
        "--vault: give ADDRESS=FILE",
    ),
    ("no key", ["--from", "2026-07-01", "--sign", "/nowhere/key"], "--sign: /nowhere/key cannot be read"),
]


@pytest.mark.parametrize(("words", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_use_is_told_before_anything_is_asked(tmp_path: Path, words: list[str], told: str) -> None:
    done = run("export", *words, "--output", tmp_path / "q4", "--kubeconfig", "/nowhere/config")
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = run("export", "--from", "2026-07-01", "--output", tmp_path)
    assert (done.exit_code, "is there already" in done.stderr) == (2, True)


def test_a_key_that_cannot_sign_is_refused(tmp_path: Path) -> None:
    p256 = ec.generate_private_key(ec.SECP256R1())
    keys = {
        "is encrypted": write_key(tmp_path / "a", p256, b"secret"),
        "is a key of another kind": write_key(tmp_path / "b", ed25519.Ed25519PrivateKey.generate()),
        "of another kind": write_key(tmp_path / "c", ec.generate_private_key(ec.SECP384R1())),
        "is no private key": tmp_path / "b.pub",
    }
    for told, path in keys.items():
        done = run("export", "--from", "2026-07-01", "--output", tmp_path / "q4", "--sign", path)
        assert (done.exit_code, told in done.stderr) == (2, True), (told, done.stderr)


def test_a_key_that_cannot_check_is_refused(folder: Path, key: Path) -> None:
    done = run("verify", folder, "--key", key)
    assert (done.exit_code, "is no public key" in done.stderr) == (2, True)
