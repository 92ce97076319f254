"""The documentation of the API that the page links to."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from support.page_steps import KEY, Open

pytestmark = pytest.mark.slow

NAME = "http://studio"  # Swagger UI treats localhost in its own way


def test_the_documentation_needs_no_key_and_no_other_server(
    open_page: Open, locked_url: str, screenshots: Path
) -> None:
    page = open_page("about:blank", wait=False)
    others: list[str] = []

    def answer(route: Route) -> None:
        url = route.request.url
        if url.startswith(NAME):
            route.fulfill(response=route.fetch(url=url.replace(NAME, locked_url, 1)))
        else:
            others.append(url)
            route.abort()

    page.route(lambda url: not url.startswith(("about:", "data:", "blob:")), answer)
    page.goto(NAME)
    expect(page.get_by_role("dialog")).to_be_visible()  # it asks for a key
    page.keyboard.press("Escape")
    page.get_by_role("link", name="API documentation").click()
    expect(page.locator("#operations-speech-speech_v1_audio_speech_post, .opblock").first).to_be_visible()
    assert page.locator(".opblock").count() > 20
    page.get_by_role("button", name="Authorize").first.click()
    page.locator("#auth-bearer-value").fill(KEY)
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").first.click()
    page.locator(".modal-ux").get_by_role("button", name="Close").first.click()
    page.locator(".opblock", has_text="/v1/models").first.locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    page.screenshot(path=screenshots / "docs.png")
    assert others == []
