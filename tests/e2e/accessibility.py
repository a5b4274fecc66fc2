"""What is measured of a page in a browser: by axe-core, and by scripts where axe cannot tell.

Each measure returns what is wrong, in words, so that an empty list is a pass.
"""

from axe_playwright_python.base import AXE_SCRIPT

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
NARROWEST = {"width": 320, "height": 640}  # WCAG 1.4.10: as a window of 1280 px at 400 %
LARGE_TYPE = {"width": 240, "height": 493}  # a phone of 360 × 740 px at 150 %
ZOOMED = {"width": 640, "height": 400}  # a window of 1280 × 800 px at 200 %

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Where axe is not sure of a contrast counts as wrong, with three exceptions. The bar at the bottom
# lies over what is below it: it is put aside. So does an open dialog: its own texts are judged when
# they are no dialog. Single letters and signs have the colours of the words around them.
AXE = """async (rules) => {
  const bar = document.querySelector(".steps");
  if (bar) bar.style.position = "static";
  const resultTypes = ["violations", "incomplete"];
  const found = await axe.run(document, { runOnly: rules, resultTypes });
  if (bar) bar.style.position = "";
  const isSign = ({ any }) => ["shortTextContent", "nonBmp"].includes(any[0]?.data?.messageKey);
  const unsure = document.querySelector("dialog[open]") ? []
    : found.incomplete.filter(({ id }) => id === "color-contrast");
  for (const one of unsure) one.nodes = one.nodes.filter((node) => !isSign(node));
  return [...found.violations, ...unsure].flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${failureSummary}`));
}"""

OVERFLOW = """() => { const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`${scrollWidth} px in a window of ${clientWidth}`] : []; }"""

# A box to tick is hit by its label.
SMALL_TARGETS = """() => [...document.querySelectorAll(
    "a[href], button, textarea, summary, label:has([type=checkbox], [type=radio]), .grip, " +
    "input:not([type=hidden], [type=checkbox], [type=radio])")]
  .filter((one) => one.checkVisibility() && !one.matches(".skip"))
  .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([html, box]) => `${html}: ${box.width} × ${box.height}`)"""

# Text that sticks out of the window, or of the control or card that holds it.
LOST_TEXT = """() => {
  const wrongs = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, holder = text.parentElement;
    if (!text.data.trim() || !holder.checkVisibility()) continue;
    if (holder.closest(".hidden-visually, .skip, template")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = holder.closest("button, .button, .card, .row, dialog, main, header, footer");
    const { left, right, top, bottom } = box.getBoundingClientRect();
    const scrolls = box.matches("dialog");
    for (const { left: l, right: r, top: t, bottom: b } of range.getClientRects()) {
      const isWide = l < left - 1 || r > right + 1 || l < -1 || r > innerWidth + 1;
      const isHigh = !scrolls && (t < top - 4 || b > bottom + 4);
      if (isWide || isHigh) wrongs.push(`${text.data.trim()} in ${box.outerHTML.slice(0, 60)}`);
    }
  }
  return wrongs;
}"""

# Put a sheet of a reader's own on the page. By a script: the Content-Security-Policy refuses any
# in the page itself.
WEAR = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets = [sheet];
}"""
SPACED_OUT = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important; } p { margin-block-end: 2em !important; }"""  # WCAG 1.4.12

# Of what has the focus: whether it is seen, and not wholly under the bar or out of the window.
FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  const bar = document.querySelector(".steps");
  const isBarFixed = bar && getComputedStyle(bar).position === "sticky" && !bar.contains(one);
  const end = Math.min(innerHeight, isBarFixed ? bar.getBoundingClientRect().top : innerHeight);
  return {
    what: one.outerHTML.slice(0, 120),
    isPage: one === document.body,
    isSeen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    isInView: box.bottom > 0 && (box.top < end || box.top >= bar?.getBoundingClientRect().bottom),
  };
}"""

MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const { transitionDuration, animationDuration } = getComputedStyle(one);
  return parseFloat(transitionDuration) > 0 || parseFloat(animationDuration) > 0;
}).map((one) => one.outerHTML.slice(0, 60))"""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))"""


def broken_rules(page, *, contrast_alone=False):
    """Return which rules of axe-core a page breaks, and where."""
    # A script tag would be refused by the page's Content-Security-Policy.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    if contrast_alone:
        return page.evaluate(AXE, {"type": "rule", "values": ["color-contrast"]})
    return page.evaluate(AXE, {"type": "tag", "values": RULES})


def unreachable_by_tab(page, *, most=120):
    """Go through a page by Tab from its first link; return what does not show that it is there."""
    wrongs = []
    page.evaluate("document.querySelector('.skip').focus()")
    for step in range(most):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["isPage"]:
            return wrongs if step > 3 else ["the page has nothing to reach"]
        if not focus["isSeen"]:
            wrongs.append(f"no outline: {focus['what']}")
        if not focus["isInView"]:
            wrongs.append(f"out of view: {focus['what']}")
    return [*wrongs, f"Tab does not come to an end after {most} steps"]


def contrast(one, other):
    """Return the contrast of two colours such as #0b5f67, from 1 to 21, as WCAG defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
