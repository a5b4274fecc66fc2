"""The browser that tests, pictures and benchmarks look through."""

import os
import shutil

# Where it is; None on a machine without it.
PATH = os.environ.get("CLIME_CHROMIUM") or shutil.which("chromium")
MISSING = "Chromium was not found: install it, or name it in CLIME_CHROMIUM"

# Root, as in most containers, may run it without its sandbox alone; no machine that it runs on is
# asked to have a graphics card.
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-gpu")

# How long a step may take before a test gives up.
PATIENCE_MS = 10_000
