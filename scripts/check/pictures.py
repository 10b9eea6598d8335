"""Takes the pictures of docs/images from the console anew: `python -m scripts.check.pictures`."""

import subprocess
import sys

from playwright.sync_api import FilePayload, expect

from scripts.bench.servers import ROOT, serve
from scripts.check.browser import browser
from scripts.check.console import ADMIN, TASKS, USER, make_role_and_user, retry, show_run, watch_runs
from scripts.check.console_page import ConsolePage
from scripts.check.instance import beat, prepared, worker

IMAGES = ROOT / "docs/images"
DRAWING = "<body style='margin: 0; background: #2456c7; color: white; font: 96px/200px sans-serif'><center>diagram"


def save(console: ConsolePage, name: str) -> None:
    """Save what is shown."""
    expect(console.page.locator(".el-message")).to_have_count(0)
    console.save(IMAGES / f"console-{name}.png")


def show_role(console: ConsolePage) -> None:
    """A role that is being edited, and who would gain what."""
    console.open("roles")
    console.record("Demo Editor").get_by_role("button", name="Edit").click()
    form = console.dialog("Edit Demo Editor")
    console.tick(form, "GET:/api/v1/notices/{noticeId}")
    form.get_by_label("Find a permission").fill("notice")
    form.get_by_role("button", name="Who gains, who loses?").click()
    expect(form.locator(".preview")).to_be_visible()


def show_file(console: ConsolePage) -> None:
    """A picture that was uploaded, and its preview."""
    canvas = console.page.context.new_page()
    canvas.set_viewport_size({"width": 480, "height": 200})
    canvas.set_content(DRAWING)
    image = FilePayload(name="diagram.png", mimeType="image/png", buffer=canvas.screenshot())
    canvas.close()
    console.open("files")
    console.page.locator("input[type=file]").set_input_files(image)
    expect(console.row("diagram.png")).to_be_visible()
    expect(console.record("diagram.png").locator("img")).to_be_visible()


def take(admin: ConsolePage, user: ConsolePage) -> None:
    """Fill the console, and take each picture."""
    admin.sign_in(*ADMIN)
    make_role_and_user(admin)
    user.sign_in(*USER)
    watch_runs(admin)
    retry(admin)
    for name in ("overview", "runs"):
        admin.open(name)
        expect(admin.live).to_be_visible()
        save(admin, name)
    admin.page.set_viewport_size(
        {"width": 1280, "height": 455}
    )  # without the traceback, which has paths of this machine
    show_run(admin)
    save(admin, "run")
    admin.look("light", "en", 1280)
    show_role(admin)
    save(admin, "role")
    admin.open(f"users?keyword={USER[0]}%40")
    admin.record(USER[0])
    save(admin, "user")
    show_file(admin)
    save(admin, "files")
    admin.look("dark", "en", 1280)
    admin.open("schedules")
    admin.page.get_by_text("The next 24 hours").click()
    expect(admin.page.locator(".day .line").nth(3)).to_be_visible()
    save(admin, "schedules")
    admin.look("dark", "zh", 390)
    admin.open("runs")
    save(admin, "phone")


def main() -> None:
    """Start an instance with demo data, and take the pictures."""
    with prepared() as environment:
        seed = [sys.executable, "-m", "src.manage", "seed"]
        subprocess.run(seed, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        with (
            serve("scripts.check.console_api:app", "/livez", environment) as server,
            worker(environment, TASKS),
            beat(environment, TASKS),
            browser() as chromium,
        ):
            url = f"http://127.0.0.1:{server.port}"
            take(ConsolePage(chromium, url), ConsolePage(chromium, url))


if __name__ == "__main__":
    main()
