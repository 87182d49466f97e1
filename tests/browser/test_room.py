"""The page of a room in a real browser: alone, by keyboard, on a phone, dark, printed, hostile."""

from __future__ import annotations

import re
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from sriovctl.host import VM, VMNic
from sriovctl.hostnet import Bridge, HostBond, HostNetwork, Vlan
from sriovctl.look import Look
from sriovctl.plan import Finding, Severity
from tests.browser.conftest import Browser
from tests.unit.view.rooms import content, dead, look, looks, page_of

SIZES = {1: [look()], 3: [content("a"), look("b"), dead("c")], 40: list(looks(40))}
WIDTHS = (320, 390, 768, 1400, 2560)
ATTACK = "<img src=x onerror=alert(1)><script>document.title='mine'</script>"
ATTACKS = (
    ATTACK,
    "</script>" + ATTACK,
    "</template></svg></style></title>" + ATTACK,
    "<!--<script>" + ATTACK,
    '"\' onfocus=alert(1) autofocus="',
    "]]>" + ATTACK + "{{ 7*7 }}${7*7}",
    "javascript:alert(1)",
    "\u202e\x1b[2J\ufffe虚机",
)


@pytest.fixture(params=SIZES, ids=lambda number: f"{number} hosts")
def page(request: pytest.FixtureRequest) -> str:
    return page_of(*SIZES[request.param])


def too_wide(browser: Browser) -> list[str]:
    """What reaches over the right edge and cannot be scrolled on its own."""
    found: list[str] = browser.ask(
        """
        const root = document.querySelector("dialog[open]") ?? document.documentElement;
        if (root.scrollWidth <= root.clientWidth) return [];
        return [...root.querySelectorAll("*")]
          .filter(e => !e.closest(".wide, svg") && e.getBoundingClientRect().right > innerWidth)
          .map(e => e.outerHTML.slice(0, 80)).concat(["page"]);
        """
    )
    return found


def test_nothing_but_the_page_is_asked_for_and_nothing_is_complained_of(
    browser: Browser, page: str
) -> None:
    address = browser.open(page)
    browser.one(".hosts button").click()
    assert browser.one("#host-name").text
    assert {url.partition("#")[0] for url in browser.requested()} == {address}
    assert browser.log("browser") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_window_is_too_narrow(browser: Browser, page: str, width: int) -> None:
    browser.open(page, width=width)
    assert too_wide(browser) == []
    browser.ask("document.querySelector('.hosts button').click()")
    assert too_wide(browser) == []


def test_words_in_the_drawing_can_be_read_on_a_phone(browser: Browser, page: str) -> None:
    browser.open(page, width=390)
    heights = browser.ask(
        "return [...document.querySelectorAll('.hosts text')].slice(0, 200)"
        ".map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= 10


def test_a_host_is_opened_and_closed_by_keys_alone(browser: Browser) -> None:
    browser.open(page_of(*SIZES[40]))
    for _ in range(20):
        browser.press(Keys.TAB)
        if browser.focused.get_attribute("data-host") is not None:
            break
    first = browser.focused.get_attribute("data-host")
    browser.press(Keys.END)
    last = browser.focused.get_attribute("data-host")
    browser.press(Keys.ARROW_LEFT)
    browser.press(Keys.ENTER)
    assert browser.shown("dialog")
    assert browser.focused.get_attribute("id") == "host-name"
    before = browser.one("#host-name").text
    browser.press("]")
    assert browser.one("#host-name").text != before
    browser.press(Keys.ESCAPE)
    assert not browser.shown("dialog")
    # the browser tells of a dialog's end a moment after it
    browser.wait(lambda: browser.focused.get_attribute("data-host") == last)
    assert last != first


def test_who_came_from_a_finding_is_there_again_afterwards(browser: Browser) -> None:
    browser.open(page_of(*SIZES[3]))
    link = browser.one(".findings .link")
    browser.ask("arguments[0].focus()", link)
    browser.press(Keys.ENTER)
    assert browser.shown("dialog")
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: "#" not in browser.driver.current_url)
    assert browser.focused == link


def test_every_arrow_moves_to_a_neighbour(browser: Browser) -> None:
    browser.open(page_of(*SIZES[40]))
    browser.ask("document.querySelector('.hosts button').focus()")
    seen = []
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.HOME):
        browser.press(key)
        seen.append(browser.focused.get_attribute("data-host"))
    assert None not in seen
    assert len(set(seen[:3])) == 3
    assert seen[3] == seen[0]
    assert browser.ask("return document.activeElement.tabIndex") == 0
    assert browser.ask("return document.querySelectorAll('.hosts [tabindex=\"0\"]').length") == 1


def test_the_focus_is_seen(browser: Browser) -> None:
    browser.open(page_of(*SIZES[3]))
    for _ in range(8):
        browser.press(Keys.TAB)
        outline = browser.ask("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_the_filter_and_the_standings(browser: Browser) -> None:
    browser.open(page_of(*SIZES[40]))
    whole = len(browser.shown(".hosts button"))
    assert whole == 40
    browser.press("/")
    browser.press("kvm-01")
    names = [button.get_attribute("aria-label") for button in browser.shown(".hosts button")]
    assert len(names) == 10
    assert all("kvm-01" in (name or "") for name in names)
    assert browser.one("#shown").text == "10 of 40 shown"
    browser.one(".toggle.as-wanted").click()
    shown = browser.shown(".hosts button")
    assert 0 < len(shown) < 10
    browser.one("#filter").send_keys("nothing has this name")
    assert browser.shown(".hosts button") == []
    browser.one("#all").click()
    assert len(browser.shown(".hosts button")) == whole


def test_an_opened_host_has_its_chain_its_vfs_and_who_holds_them(browser: Browser) -> None:
    browser.open(page_of(look()), anchor="#host-0")
    words = browser.one("dialog").text
    links = [item.text.split()[0] for item in browser.shown(".chain li b")]
    assert links == ["firmware", "kernel", "nics", "pools", "guests", "bonds"]
    captions = [caption.text for caption in browser.shown("caption")]
    assert {"What apply would do", "VFs of em1", "VFs of em2", "Virtual machines"} <= set(captions)
    for said in ("0000:01:10.0", "52:54:00:08:02:02", "plain (hostdev)", "200 Mbit/s"):
        assert said in words


def contrasts(browser: Browser, selector: str) -> list[tuple[float, str]]:
    """Of each text with what is behind it, by WCAG's formula; the drawing's text on its box."""
    script = """
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (text) => {
      const [r, g, b] = rgb(text).map(v => v / 255)
        .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
      return .2126 * r + .7152 * g + .0722 * b;
    };
    const solid = (text) => text !== "none" && (rgb(text)[3] ?? 1) > 0;
    const behind = (element) => {
      if (element.closest("svg.drawing")) {
        const box = element.getBoundingClientRect();
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
        const under = [...element.closest("svg").querySelectorAll("rect")].filter(r => {
          const b = r.getBoundingClientRect();
          return b.left <= x && x <= b.right && b.top <= y && y <= b.bottom;
        }).at(-1);
        if (under && solid(getComputedStyle(under).fill)) return getComputedStyle(under).fill;
      }
      for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (solid(color)) return color;
      }
      return "rgb(255, 255, 255)";
    };
    return [...document.querySelectorAll(arguments[0])]
      .filter(e => e.checkVisibility() && e.textContent.trim() && !e.matches(".index.vm"))
      .map(e => {
        const style = getComputedStyle(e);
        const ink = e.closest("svg") ? style.fill : style.color;
        const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
        return [(a + .05) / (b + .05), e.outerHTML.slice(0, 90)];
      });
    """
    found: list[tuple[float, str]] = browser.ask(script, selector)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(browser: Browser, scheme: str) -> None:
    browser.scheme(scheme)
    browser.open(page_of(*SIZES[3]), anchor="#host-1")
    found = contrasts(browser, "p, b, h1, h2, h3, h4, th, td, dt, dd, span, code, button, text")
    assert len(found) > 100
    assert [one for one in found if one[0] < 4.5] == []


def test_dark_is_dark_and_light_is_light(browser: Browser) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.open(page_of(look()))
        colour = browser.ask("return getComputedStyle(document.body).backgroundColor")
        grounds[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert grounds["dark"] < 150 < 600 < grounds["light"]


def hostile() -> Look:
    one = look("server-2")
    assert one.have is not None
    assert one.plan is not None
    (pool, *_) = one.have.pools
    vms = tuple(
        VM(
            name=attack,
            uuid=None,
            persistent=True,
            running=True,
            autostart=False,
            live_nics=(VMNic(how="pool", mac=attack, pool=attack, pci=one.have.pfs[0].vfs[0].pci),),
            networks=(attack,),
            taps={"vnet0": attack},
        )
        for attack in ATTACKS
    )
    found = tuple(
        Finding(
            severity=Severity.ERROR,
            link="nics",
            about=attack,
            found=attack,
            means=attack,
            mend=attack,
        )
        for attack in ATTACKS
    )
    pools = tuple(pool.model_copy(update={"name": attack, "pf": attack}) for attack in ATTACKS)
    system = one.have.system.model_copy(update={"os": ATTACK, "hostname": ATTACK})
    network = HostNetwork(
        bonds=tuple(
            HostBond(name=attack, options={"mode": attack}, legs=("em1", attack), active=attack)
            for attack in ATTACKS
        ),
        vlans=(Vlan(name=f"{ATTACK}.7", tag=7, below=ATTACK),),
        bridges=tuple(Bridge(name=f"br{attack}", ports=(attack,)) for attack in ATTACKS),
        addresses={f"br{attack}": (attack,) for attack in ATTACKS},
    )
    update = {"vms": vms, "pools": pools, "system": system, "network": network}
    have = one.have.model_copy(update=update)
    want = one.want.model_copy(
        update={
            "name": ATTACK,
            "pfs": tuple(pf.model_copy(update={"switch": ATTACK}) for pf in one.want.pfs),
        }
    )
    return Look(want, have, one.plan.model_copy(update={"findings": found}))


def state_of_page(browser: Browser) -> dict[str, Any]:
    state: dict[str, Any] = browser.ask(
        "return {title: document.title, images: document.images.length, "
        "scripts: [...document.scripts].filter(s => !s.type.includes('/')).length, "
        "handlers: document.querySelectorAll('[onerror],[onfocus],[onload]').length}"
    )
    return state


def test_no_name_becomes_markup_or_runs(browser: Browser) -> None:
    many = [hostile() for _ in range(8)]
    for page in (page_of(hostile(), name=ATTACK), page_of(*many, name=ATTACK)):
        address = browser.open(page)
        browser.one(".hosts button").click()
        state = state_of_page(browser)
        assert state["title"].startswith(ATTACK)
        assert (state["images"], state["scripts"], state["handlers"]) == (0, 1, 0)
        assert browser.log("browser") == []
        assert {url.partition("#")[0] for url in browser.requested()} == {address}
        assert ATTACK in browser.one("dialog").text


def test_the_policy_stops_what_got_in_anyway(browser: Browser) -> None:
    browser.open(page_of(look()).replace("</main>", f"{ATTACK}</main>"))
    assert state_of_page(browser)["title"] != "mine"
    assert "Content Security Policy" in str(browser.log("browser"))


def test_five_hundred_hosts_can_be_used(browser: Browser) -> None:
    browser.open(page_of(*looks(500)))
    assert browser.one("#shown").text == "500 of 500 shown"
    browser.one("#filter").send_keys("kvm-333")
    (card,) = browser.shown(".hosts button")
    card.click()
    assert browser.one("#host-name").text == "kvm-333"
    assert browser.shown("dialog .figure svg")


def test_on_paper_there_is_the_room_or_the_host_that_is_open(browser: Browser) -> None:
    browser.scheme("dark", "print")
    browser.open(page_of(*SIZES[3]))
    assert browser.shown(".hosts svg")
    assert browser.shown(".findings")
    assert browser.shown("#filter") == []
    ink = browser.ask("return getComputedStyle(document.querySelector('svg text.name')).fill")
    assert sum(map(int, re.findall(r"\d+", ink))) < 200
    assert browser.pdf().startswith(b"%PDF-")
    browser.open(page_of(*SIZES[3]), anchor="#host-1")
    assert browser.shown("dialog table")
    assert browser.shown("main") == []
