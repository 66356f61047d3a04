"""The pages make a site without a warning: each is in the navigation, each link and anchor leads somewhere."""

import shutil
import subprocess
import sys
from pathlib import Path

from docs.test_docs import ROOT


def built(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The site, as `make docs` makes it."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "-W", "--keep-going", "-c", "docs", ".", str(site)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    for page in (ROOT / "docs").rglob("*.md"):
        assert (tmp_path / "site" / page.relative_to(ROOT).with_suffix(".html")).is_file(), page


def test_a_page_that_nobody_finds_and_a_link_that_leads_nowhere_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path / "docs")
    (tmp_path / "docs" / "index.md").write_text(
        "# Index\n\n[gone](none.md), [here](index.md#nowhere), [docs](../docs/)\n"
    )
    (tmp_path / "docs" / "stray.md").write_text("# Stray\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    warned = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len(warned) == 3
    for word in ("none.md", "nowhere", "stray.md"):
        assert any(word in line for line in warned), word
