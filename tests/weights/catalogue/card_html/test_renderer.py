"""Model cards as HTML: the Hub's Markdown, without anything that runs or loads external content."""

import re
from types import SimpleNamespace

import pytest

from weights.catalogue.card_html import cache
from weights.catalogue.card_html.cache import Addresses, html_of
from weights.catalogue.card_html.renderer import render
from weights.inspection import runner
from weights.web import quiet_cache

pytestmark = pytest.mark.one_database

LINKS, IMAGES = "/acme/m/blob/c0ffee/", "/acme/m/image/c0ffee/"


def html(text: str, images: str = IMAGES) -> str:
    return render(text, links=LINKS, images=images, top=3)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![A curve](figures/a%20b.png)", f'<img src="{IMAGES}figures/a%20b.png" alt="A curve"'),
        ('<img src="./x.png" width="40" height="5%">', 'x.png" alt="" loading="lazy" width="40">'),
        ("[a](config.json)", f'<a href="{LINKS}config.json"'),
        ("| a |\n|--:|\n| 1 |", '<td class="is-right">1</td>'),
        ("- [x] a", '<span class="task is-done" role="img" aria-label="Done"></span> a'),
        ("> [!NOTE]\n> a", '<p class="markdown-alert-title">Note</p>'),
        ("a[^1]\n\n[^1]: b", 'href="#card-fn1" id="card-fnref1"'),
        ("<details open><summary>a</summary>\n\nb\n</details>", "<summary>a</summary>\n<p>b</p>"),
        ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("$$\n\\frac{1}{2}\n$$", '<math display="block">'),
        ("It costs $5, then $10.", "<p>It costs $5, then $10.</p>"),
        ("```python\ndef f(): pass\n```", '<span class="hl-k">def</span>'),
        ("```nolanguage\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>"),
        ("# One\n### Three\n## Two", '<h4 id="card-three">'),
        ('# One\n\n<h1 align="center">Two</h1>', '<h3 class="is-center" id="card-two">'),
        ("# A\n# A", 'href="#card-a-1"'),
        ("~~a~~ <kbd>b</kbd> H<sub>2</sub>O", "<s>a</s> <kbd>b</kbd> H<sub>2</sub>O"),
    ],
)
def test_the_hubs_markdown_is_laid_out(written: str, shown: str) -> None:
    assert shown in html(written)


HOSTILE = [
    "<script>alert(1)</script>",
    "<style>body{display:none}</style><link rel=stylesheet href=//x>",
    '<img src=x onerror="alert(1)"><img src="https://elsewhere.example/pixel.png">',
    "![p](https://elsewhere.example/pixel.png) ![p](//elsewhere.example/p.png)",
    '<img src="data:image/svg+xml,x"><img srcset="https://elsewhere.example/p.png 1x">',
    "[a](javascript:alert(1)) [b](data:text/html,x) <a href='vbscript:x'>c</a>",
    '<svg><script>alert(1)</script><use href="#x"/></svg>',
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;<img src=1 onerror=x>'>",
    "<math><annotation-xml encoding='text/html'><script>x</script></annotation-xml></math>",
    "<form action=/accounts/logout/><button>a</button><input name=q></form>",
    "<iframe src=//x></iframe><object data=x></object><base href=//x><meta http-equiv=refresh>",
    "$\\href{javascript:alert(1)}{x}$ $\\text{<img src=x onerror=y>}$",
    '<div id="main" class="site-head" style="position:fixed" role="dialog">a</div>',
    '<a id="get-it" name="csrf">a</a>',
    '<h1 title="<script>">a</h1><td align="center" onclick=x>b',
    "```html\n<script>alert(1)</script>\n```",
    '<p title="<img src=x onerror=alert(1)>">a</p>',
    "![<script>](x.png '<script>')",
]
#: Everything that a tag of a rendered card may be.
_TAG = re.compile(r'</?[a-z][a-z0-9]*(?: [a-z-]+="[^"<>]*")*>')


@pytest.mark.parametrize("written", HOSTILE)
def test_nothing_runs_loads_or_leaves_its_place(written: str) -> None:
    shown = html(written)
    assert "<" not in _TAG.sub("", shown)
    tags = " ".join(_TAG.findall(shown)).lower()
    assert not re.search(r"<(script|style|svg|iframe|form|input|link|base|meta|object)\b", tags)
    assert not re.search(r" (on\w+|style|srcset|name|action)=", tags)
    assert all(one.startswith(IMAGES) for one in re.findall(r'src="([^"]*)"', tags))
    links = re.findall(r'href="([^"]*)"', tags)
    assert not any(one.startswith(("javascript:", "data:", "vbscript:", "//")) for one in links)
    assert all(one.startswith("card-") for one in re.findall(r' id="([^"]*)"', tags))
    assert "site-head" not in tags


def test_images_become_their_text_where_none_may_be_shown() -> None:
    assert html("![A curve](a.png)", images="") == "<p>A curve</p>\n"
    for outside in ("../a.png", "/a.png", "a/../../b.png", "\\\\x\\a.png", ""):
        assert "<img" not in html(f"![A curve]({outside})"), outside
    assert 'href="https://e.example/a.png"' in html("![A curve](https://e.example/a.png)")
    badge = html("[![Licence](https://e.example/a.png)](LICENSE)")
    assert f'<a href="{LINKS}LICENSE"' in badge
    assert "e.example" not in badge


def test_hidden_characters_are_escaped_however_they_are_written() -> None:
    shown = html("a \u202e b &#8238; c <b>&#x202e;</b> &#0;")
    assert "\u202e" not in shown
    assert shown.count("\\u202e") == 3


def test_a_card_is_rendered_once_and_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = Addresses(LINKS, IMAGES)
    first = html_of("# A\n\n$x$ `b`\n\n```python\nx = 1\n```", addresses, 3)
    assert '<h3 id="card-a">' in first
    assert "<math" in first
    assert "hl-" in first

    def refuse(*arguments: object) -> None:
        raise AssertionError("it is rendered again")

    # A second rendering would give the same HTML.
    monkeypatch.setattr(runner, "run", refuse)
    assert html_of("# A\n\n$x$ `b`\n\n```python\nx = 1\n```", addresses, 3) == first
    with pytest.raises(AssertionError):
        html_of("# A\n\n$x$ `b`\n\n```python\nx = 1\n```", Addresses(LINKS), 3)


def test_html_that_something_else_wrote_into_the_cache_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored: dict[str, object] = {}
    store = SimpleNamespace(get=stored.get, set=lambda key, value, _: stored.update({key: value}))
    # The test plants values, and the thread that renders has a connection of its own.
    monkeypatch.setattr(quiet_cache, "cache", store)
    shown = html_of("a", Addresses(), 3)
    [(key, value)] = stored.items()
    assert html_of("a", Addresses(), 3) == shown
    for planted in ("<script>alert(1)</script>", str(value).replace("<p>", "<p><script>"), 7):
        stored[key] = planted
        assert html_of("a", Addresses(), 3) == shown
    html_of("b", Addresses(), 3)
    [other] = stored.keys() - {key}
    stored[key] = stored[other]
    assert html_of("a", Addresses(), 3) == shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile", ["[" * 400_000, "![" * 200_000, "a@b.c " * 60_000, "$a " * 100_000]
)
def test_a_card_that_takes_too_long_is_shown_as_text(
    hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real limit would make the test slow.
    monkeypatch.setattr(cache, "SECONDS", 1.0)
    shown = html_of(f"<b>{hostile}", Addresses(LINKS, IMAGES), 3)
    assert "too complex" in shown
    assert "&lt;b&gt;" in shown
    assert len(shown) < 100_000


@pytest.mark.parametrize(
    "nested", ["> " * 5000 + "a", "<div>" * 20_000, "- " * 5000 + "a", "<b>" * 20_000]
)
def test_deep_nesting_is_answered(nested: str) -> None:
    assert html_of(nested, Addresses(LINKS, IMAGES), 3) is not None
