"""Two members and a viewer at the same service: each can do their work, and none sees or does more than theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import quiet_page
from tests.support.service import PASSWORD, Service

pytestmark = [pytest.mark.browser, pytest.mark.preview]
REFUSED = "status of 403"
"""What Chromium writes on the console when a page is refused on purpose."""
POST = """path => fetch(path, {method: "POST"}).then(answer => answer.status)"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("members")
    preview = Path(sys.executable).parent / "crystaldeck-preview"
    config = (
        f'[clusters.this-server]\nrunner_type = "local"\ncrystal = "{preview} crystal"\nworkdir = "{folder}/jobs"\n'
        f'properties = "{preview} properties"\ncores = 2\n'
        '[clusters.centre]\nrunner_type = "ssh"\nhostname = "127.0.0.1"\nport = 9\n'
    )
    running = Service(folder, config)
    for name, role in (("ada", "admin"), ("bob", "member"), ("eve", "member"), ("vic", "viewer")):
        running.add_user(name, role)
    yield running.start()
    running.stop()


@contextmanager
def logged_in(browser: Browser, service: Service, name: str) -> Iterator[Page]:
    with quiet_page(browser, forgiven=[REFUSED]) as page:
        page.goto(f"{service.url}/login")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.click("form button.primary")
        expect(page).to_have_url(f"{service.url}/jobs")
        yield page


@pytest.fixture(scope="module")
def people(browser: Browser, service: Service) -> Iterator[dict[str, Page]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(logged_in(browser, service, name)) for name in ("bob", "eve", "vic")}


def submit_example(page: Page, service: Service, title: str) -> str:
    """A job from the example of the form; its page stays open. Returns the path of that page."""
    page.goto(f"{service.url}/new/scf?example=1")
    page.fill("#p_title", title)
    page.select_option("[name=cluster]", "this-server")
    expect(page.locator("#deck-1 .line").first).to_have_text(title)
    page.click("button:has-text('Submit')")
    expect(page.locator("#status .big")).to_be_visible()
    return page.url.removeprefix(service.url)


def test_each_does_their_work_and_nobody_that_of_others(people: dict[str, Page], service: Service) -> None:
    bob, eve, vic = people["bob"], people["eve"], people["vic"]
    job = submit_example(bob, service, "Bob")
    for other in (eve, vic):
        other.goto(service.url + job)
        expect(other.locator("#status .big")).to_be_visible()
        expect(other.locator("button:has-text('Cancel job')")).to_have_count(0)
        assert other.evaluate(POST, f"{job}/cancel") == 403
    expect(vic.locator("text=Clone and edit")).to_have_count(0)
    expect(bob.locator("#status .big")).to_contain_text("completed", timeout=60000)
    expect(eve.locator("#energy")).to_have_text(bob.locator("#energy").inner_text())
    own = submit_example(eve, service, "Eve")
    bob.goto(service.url + own)
    assert bob.evaluate(POST, f"{own}/cancel") == 403
    expect(eve.locator("#status .big")).to_contain_text("completed", timeout=60000)


def test_a_viewer_is_offered_nothing_that_is_refused(people: dict[str, Page], service: Service) -> None:
    vic = people["vic"]
    for path in (
        "/jobs",
        "/batches",
        "/templates",
        "/templates/scf",
        "/workflows",
        "/clusters",
        "/clusters/this-server",
    ):
        vic.goto(service.url + path)
        forms = vic.locator("main form[method=post] button:visible, main a[href^='/new']:visible")
        allowed = {"Compare", "Download"}
        assert [word for word in forms.all_inner_texts() if word.strip() not in allowed] == [], path
    answer = vic.goto(f"{service.url}/new/scf")
    assert answer is not None
    assert answer.status == 403
    expect(vic.locator("main")).to_contain_text("role")
    assert vic.evaluate(POST, "/new/scf") == 403


def test_keys_and_unfinished_forms_are_ones_own(people: dict[str, Page], service: Service) -> None:
    bob, eve, vic = people["bob"], people["eve"], people["vic"]
    bob.goto(f"{service.url}/clusters/centre")
    bob.fill("[name=username]", "bobby")
    bob.click("button:has-text('Create a key')")
    key = bob.locator("#public-key").inner_text()
    assert key.startswith("ssh-ed25519")
    for other in (eve, vic):
        other.goto(f"{service.url}/clusters/centre")
        assert key.split()[1] not in other.content()
        assert "bobby" not in other.content()
    bob.goto(f"{service.url}/new/scf?example=1")
    bob.fill("#p_title", "Nobody else's business")
    expect(bob.locator("#deck-1 .line").first).to_have_text("Nobody else's business")
    eve.goto(f"{service.url}/new/scf")
    assert "Nobody else's business" not in eve.content()
    bob.goto(f"{service.url}/new/scf")
    assert bob.input_value("#p_title") == "Nobody else's business"
