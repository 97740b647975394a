"""Take docs/report.png, the picture of a training report in the README, with headless Chromium.

Run: python docs/picture_report.py runs/demo        (after make demo)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SIZE = "1300,1150"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
)


def main(run: Path) -> None:
    """Photograph the top of the run's report."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    picture = Path(__file__).parent / "report.png"
    page = (run / "report.html").resolve().as_uri()
    command = [browser, *FLAGS, f"--window-size={SIZE}", f"--screenshot={picture}", page]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
