"""Pages in Chromium: what they complain of is a failure, and how somebody logs in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.service import PASSWORD, Service


@contextmanager
def quiet_page(browser: Browser, *, forgiven: Sequence[str] = ()) -> Iterator[Page]:
    """A page on whose console nothing may appear, but for errors that hold one of the `forgiven` texts."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(sign in message.text for sign in forgiven):
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


@contextmanager
def admin_page(browser: Browser, service: Service) -> Iterator[Page]:
    """A page of the service's first user, logged in."""
    with quiet_page(browser) as page:
        page.goto(f"{service.url}/login")
        page.fill("[name=name]", "ada")
        page.fill("[name=password]", PASSWORD)
        page.click("form button.primary")
        expect(page).to_have_url(f"{service.url}/jobs")
        yield page
