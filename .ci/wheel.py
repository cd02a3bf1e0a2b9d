"""Build a wheel in the folder that is named, and fail if a file of the package is not in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
subprocess.run(
    [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, "."],
    check=True,
)
[wheel] = folder.glob("gpuspawner-*.whl")
tracked = subprocess.run(
    ["git", "ls-files", "gpuspawner"], cwd="src", check=True, capture_output=True, text=True
)
missing = set(tracked.stdout.split()) - set(zipfile.ZipFile(wheel).namelist())
if missing:
    sys.exit("not in the wheel:\n" + "\n".join(sorted(missing)))
