"""A real browser for all tests of whole systems."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def browser():
    """Give Chromium; a missing one is a failure in CI, else a skip."""
    path = os.environ.get("CLIME_CHROMIUM") or shutil.which("chromium")
    if path is None:
        missing = "Chromium was not found: install it, or name it in CLIME_CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's event loop lives in this thread, but none of our code is called from it.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()
