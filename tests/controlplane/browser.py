"""A real browser for the pages that people read: Debian's Chromium without a screen, once for each picture."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from controlplane.cache import Progress, ProvisioningFailed, default_cache, say
from controlplane.child import clean_environment
from controlplane.debian import unpack_from_debian
from controlplane.programs import Program, find

CHROMIUM = Program("chromium", (110,), ("--version",))
SECONDS = 120

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>{directories}<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Browser:
    """A program, and the directory below which its packages were unpacked, if they were."""

    program: Path
    root: Path | None = None

    def screenshot(self, page: Path, workdir: Path, width: int, height: int) -> bytes:
        """The upper left of the page as PNG."""
        return self._taken(page, workdir, "page.png", f"--window-size={width},{height}", "--screenshot")

    def pdf(self, page: Path, workdir: Path) -> bytes:
        """The page on paper."""
        return self._taken(page, workdir, "page.pdf", "--no-pdf-header-footer", "--print-to-pdf")

    def _taken(self, page: Path, workdir: Path, name: str, *options: str) -> bytes:
        taken = workdir / name
        taken.unlink(missing_ok=True)
        *others, takes = options
        # It is made for root, who has no sandbox, and for containers, which have little shared memory.
        command = [
            str(self.program),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]
        # Its sockets are in there, and their paths must not be long.
        with tempfile.TemporaryDirectory(prefix="lh-", ignore_cleanup_errors=True) as profile:
            command += ["--hide-scrollbars", f"--user-data-dir={profile}", *others]
            done = subprocess.run(
                [*command, f"{takes}={taken}", page.as_uri()],
                env=self._environment(workdir) | {"TMPDIR": profile},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        if not taken.is_file():
            raise AssertionError(f"chromium made no {name}, status {done.returncode}:\n{done.stderr[-2000:]}")
        return taken.read_bytes()

    def _environment(self, workdir: Path) -> dict[str, str]:
        environment = dict(clean_environment(workdir))
        if self.root is None:
            return environment
        directories = [self.root / "usr/share/fonts", Path("/usr/share/fonts")]
        fonts = workdir / "fonts.conf"
        fonts.write_text(FONTS.format(directories="".join(f"<dir>{each}</dir>" for each in directories)))
        libraries = sorted({str(each.parent) for each in self.root.rglob("*.so*")})
        return environment | {"LD_LIBRARY_PATH": os.pathsep.join(libraries), "FONTCONFIG_FILE": str(fonts)}


def provide_chromium(cache: Path | None = None, progress: Progress = say) -> Browser:
    """Find or unpack it; raises ProvisioningFailed where it cannot be had."""
    found = find(CHROMIUM, os.environ, progress)
    if found is not None:
        return Browser(found)
    root = unpack_from_debian(CHROMIUM.name, cache or default_cache(), progress)
    program = root / "usr/lib/chromium/chromium"
    if not program.is_file():
        raise ProvisioningFailed(f"chromium: there is no {program} in Debian's package")
    return Browser(program, root)
