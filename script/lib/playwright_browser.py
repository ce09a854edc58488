"""Prints where playwright keeps, or would keep, the Chromium it downloads."""

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)  # noqa: T201 - this is what it is for
