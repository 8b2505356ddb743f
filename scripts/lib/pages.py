"""Every page in a real browser that has no internet: does it show what it should, at a desk and on a phone?

usage: pages.py SERVICE [FOLDER]      SERVICE is the built program, FOLDER where screenshots go

Starts the service on a free port with a folder of its own, goes the way a person goes (registers, opens the mailed
links, signs in in Swagger UI) and keeps a screenshot of each page. A request that leaves this machine, an error in the
browser's console, an empty picture, a page wider than the screen: each ends it with code 1.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

TYPE = "User1"
EMAIL, PASSWORD, NEW_PASSWORD = "ada@example.com", "SecureP@ssw0rd123!", "An0ther-SecureP@ssw0rd!"
CONFIRM, RESET = "Confirm your address for Sealgate", "Reset your password for Sealgate"
NEW_DEVICE = "A new device signed in to your Sealgate account"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 30
# Names lead nowhere: what is needed stands in the page, or the page stays without.
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class Failed(Exception):
    """A sentence for whoever ran it."""


def check(holds: bool, sentence: str) -> None:
    if not holds:
        raise Failed(sentence)


@contextlib.contextmanager
def service(program: Path):
    """The service on a free port, in a folder that is gone afterwards; its address."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        settings = {"HTTP_ADDR": "127.0.0.1:0", "RATE_LIMITS": "off"}
        with log.open("wb") as errors:
            process = subprocess.Popen([program], cwd=folder, env=settings, stdout=subprocess.PIPE, stderr=errors)
        try:
            greeting = process.stdout.readline().decode()
            check(" listens on " in greeting, f"the service does not start: {log.read_text()}")
            yield greeting.split(" listens on ")[1].strip()
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


class Tour:
    """One browser window, and what may not happen in it."""

    def __init__(self, browser: Browser, base: str, folder: Path, name: str, viewport: dict, dark: bool):
        self.base, self.folder, self.name = base, folder, name
        self.context: BrowserContext = browser.new_context(
            viewport=viewport,
            device_scale_factor=2 if viewport is PHONE else 1,
            color_scheme="dark" if dark else "light",
            is_mobile=viewport is PHONE,
            has_touch=viewport is PHONE,
        )
        self.context.set_default_timeout(PATIENCE * 1000)
        self.wrong: list[str] = []
        self.requests = 0
        self.context.on("request", self._asked)
        self.context.on("requestfailed", lambda request: self.wrong.append(f"{request.url[:200]}: {request.failure}"))
        self.context.on("console", self._complained)
        self.context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))
        self.page: Page = self.context.new_page()

    def _complained(self, line) -> None:
        if line.type == "error":
            self.wrong.append(f"console: {line.text} ({line.location.get('url', '')[:200]})")

    def _asked(self, request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("data", "blob"):
            return
        self.requests += 1
        if f"{url.scheme}://{url.netloc}" != self.base:
            self.wrong.append(f"a request left this machine: {request.url[:200]}")

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def keep(self, name: str, *texts: str, fits: bool = True) -> None:
        """The page shows `texts`; its picture is kept and looked at."""
        for text in texts:
            expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=PATIENCE * 1000)
        file = self.folder / f"{name}-{self.name}.png"
        self.page.screenshot(path=file, full_page=fits, animations="disabled")
        check_picture(file)
        if fits:
            wide = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            check(wide[0] <= wide[1], f"{name} is {wide[0]} wide on a screen of {wide[1]}")
        check(not self.wrong, f"{name}: {'; '.join(self.wrong)}")
        check(self.requests > 0, f"{name}: no request was seen, so that none was checked")
        print(f"  {file.name}")

    def close(self) -> None:
        self.context.close()


def check_picture(file: Path) -> None:
    """More than an empty sheet: no colour covers nearly all of it, and letters have their edges."""
    with Image.open(file) as picture:
        colours = Counter(picture.convert("RGB").get_flattened_data())
    share = colours.most_common(1)[0][1] / colours.total()
    check(share < 0.985 and len(colours) > 50, f"{file.name} is blank: {len(colours)} colours, {share:.1%} one of them")


def post(base: str, path: str, body: dict, agent: str = "Pages/1.0") -> int:
    headers = {"content-type": "application/json", "user-agent": agent}
    request = urllib.request.Request(f"{base}/{TYPE}/{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.status


def mailed(tour: Tour, subject: str, email: str) -> Locator:
    """Opens the outbox once the mail to `email` is there; its entry."""
    deadline = time.monotonic() + PATIENCE
    while True:
        tour.open("/dev/outbox")
        entry = tour.page.get_by_role("listitem").filter(has_text=subject).filter(has_text=email)
        if entry.count() > 0:
            return entry.first
        check(time.monotonic() < deadline, f"no mail “{subject}” within {PATIENCE} s")
        tour.page.wait_for_timeout(100)


def own_pages(tour: Tour, email: str) -> None:
    """A person's way: start page, registration, mail, link, forgotten password."""
    tour.open("/")
    tour.keep("home", "Sealgate is running", "Swagger UI: try every route", "Create an account", "Log out")
    check(
        post(
            tour.base,
            "create",
            {"first_name": "Ada", "last_name": "Lovelace", "email": email, "password": PASSWORD},
        )
        == 201,
        "nobody can register",
    )
    page = tour.page
    mailed(tour, CONFIRM, email).get_by_role("link", name=CONFIRM).click()
    tour.keep("mail", "Back to the outbox", email, "The link works for 24 hours.")
    page.get_by_role("link", name="Open link").click()
    tour.keep("verify", "Press the button to confirm that this address is yours.")
    link = page.url
    page.get_by_role("button", name="Confirm my address").click()
    tour.keep("verified", "Address confirmed", "You can sign in now.")

    page.goto(link)
    with page.expect_navigation() as answered:
        page.get_by_role("button", name="Confirm my address").click()
    check(answered.value.status == 400, "a used link is not refused")
    # The browser's console repeats the status of the refusal that was asked for.
    tour.wrong = [one for one in tour.wrong if "status of 400" not in one]
    tour.keep("used-link", "This link does not work")

    for agent in "Laptop/1.0", "Burglar/2.0 <b>bold</b>":
        signed_in = post(tour.base, "login", {"username": email, "password": PASSWORD}, agent)
        check(signed_in == 200, "nobody can sign in")
    mailed(tour, NEW_DEVICE, email).get_by_role("link", name=NEW_DEVICE).click()
    tour.keep("mail-new-device", "Burglar/2.0 <b>bold</b>", "127.0.0.0/24", "If it was you, there is nothing to do.")
    page.get_by_role("link", name="Open link").click()
    tour.keep("end-session", "Press the button to sign the device out that our mail told you of.")
    page.get_by_role("button", name="End that session").click()
    tour.keep("session-ended", "That session is over.")

    check(post(tour.base, "forget_password", {"email": email}) == 202, "nobody can forget a password")
    reset = mailed(tour, RESET, email)
    tour.keep("outbox", "Mails and texts written here instead of being sent", CONFIRM, RESET)
    reset.get_by_role("link", name="Open link").click()
    tour.keep("reset", "Choose a new password", "It signs you out everywhere else.")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set my password").click()
    tour.keep("password-set", "Password set")


def documentation(tour: Tour) -> None:
    """The three readers of the OpenAPI document: they show its operations."""
    tour.open("/docs")
    expect(tour.page.locator(f"#operations-{TYPE}-user1_login")).to_be_visible(timeout=PATIENCE * 1000)
    tour.keep("swagger", "Sealgate", "/User1/create", "/User1/login", fits=False)
    tour.open("/redoc")
    tour.keep("redoc", "Sealgate", "Register", fits=False)
    tour.open("/scalar")
    tour.keep("scalar", "Sealgate", fits=False)
    check("/User1/login" in tour.page.content(), "scalar shows no operation")


def swagger_sign_in(tour: Tour) -> None:
    """Authorize with the user type's OAuth 2 password scheme, then GET /User1/ with the token."""
    tour.open("/docs")
    page = tour.page
    page.locator("button.authorize").first.click()
    scheme = page.locator(".auth-container").filter(has_text=f"/{TYPE}/login")
    scheme.locator("#oauth_username").fill(EMAIL)
    scheme.locator("#oauth_password").fill(NEW_PASSWORD)
    tour.keep("swagger-authorize", "Available authorizations", fits=False)
    with page.expect_response(lambda answer: answer.url.endswith(f"/{TYPE}/login")) as answered:
        scheme.get_by_role("button", name="Apply given OAuth2 credentials").or_(
            scheme.locator("button.authorize")
        ).first.click()
    check(answered.value.status == 200, f"Swagger UI's sign-in is answered {answered.value.status}")
    expect(scheme.get_by_role("button", name="Logout").or_(scheme.locator("button", has_text="Logout")).first).to_be_visible()
    page.locator(".btn-done").first.click()

    operation = page.locator(f"#operations-{TYPE}-user1_profile")
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.try-out__btn").click()
    with page.expect_response(lambda answer: answer.url == f"{tour.base}/{TYPE}/") as answered:
        operation.locator("button.execute").click()
    check(answered.value.status == 200, f"GET /{TYPE}/ with Swagger UI's token is answered {answered.value.status}")
    shown = operation.locator(".live-responses-table .response-col_status").filter(has_text="200").first
    expect(shown).to_be_visible(timeout=PATIENCE * 1000)
    expect(operation.locator(".live-responses-table").get_by_text(EMAIL).first).to_be_visible()
    shown.scroll_into_view_if_needed()
    tour.keep("swagger-profile", f"/{TYPE}/", fits=False)


def main(program: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    check(bool(chromium), "no chromium is installed")
    with service(program) as base, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=OFFLINE)
        windows = [("desk", DESK, False, EMAIL), ("phone", PHONE, False, "grace@example.com"), ("dark", PHONE, True, "joan@example.com")]
        for name, viewport, dark, email in windows:
            tour = Tour(browser, base, folder, name, viewport, dark)
            own_pages(tour, email)
            if not dark:
                documentation(tour)
            if name == "desk":
                swagger_sign_in(tour)
            tour.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]).resolve(), Path(sys.argv[2] if len(sys.argv) == 3 else "target/screenshots"))
    except (Failed, AssertionError) as failure:
        sys.exit(f"pages: {failure}")
