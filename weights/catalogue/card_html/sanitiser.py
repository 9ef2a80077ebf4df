"""The elements and attributes that a card may contain; nh3 removes all others."""

import nh3

from weights.catalogue.card_html.code import CLASSES

#: Prefix of all ids, so that they cannot collide with ids of the page.
ID_PREFIX = "card-"
_ALERTS = {f"markdown-alert-{kind}" for kind in ("note", "tip", "important", "warning", "caution")}

_TEXT = (
    "a abbr b blockquote br code dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 "
    "h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub summary sup table "
    "tbody td tfoot th thead tr u ul var"
)
_MATHML = (
    "math mfrac mi mn mo mover mpadded mphantom mroot mrow ms mspace msqrt mstyle msub msubsup "
    "msup mtable mtd mtext mtr munder munderover"
)
_TAGS = {*_TEXT.split(), *_MATHML.split()}
_ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "math": {"display"},
    "mfrac": {"linethickness"},
    "mi": {"mathvariant"},
    "mo": {"accent", "fence", "form", "maxsize", "minsize", "separator", "stretchy"},
    "mover": {"accent"},
    "mspace": {"width"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"columnalign", "displaystyle"},
    "munder": {"accentunder"},
}
_SCHEMES = {"http", "https", "mailto"}
_CAN_BE_ALIGNED = ("div", "h1", "h2", "h3", "h4", "h5", "h6", "p", "td", "th")
_ALIGNED = {"is-left", "is-center", "is-right"}
_CLASSES = {
    **dict.fromkeys(_CAN_BE_ALIGNED, _ALIGNED),
    "a": {"anchor", "footnote-backref"},
    "div": _ALIGNED | _ALERTS | {"markdown-alert", "table-wrap", "math"},
    "hr": {"footnotes-sep"},
    "input": {"task-list-item-checkbox"},
    "li": {"task-list-item"},
    "p": _ALIGNED | {"markdown-alert-title"},
    "section": {"footnotes"},
    "span": CLASSES | {"task", "is-done"},
    "sup": {"footnote-ref"},
    "ul": {"contains-task-list"},
}
#: Attributes that the rewriting adds.
_ADDED = {
    "div": {"role": {"group"}, "tabindex": {"0"}, "aria-label": {"Table"}},
    "img": {"loading": {"lazy"}},
    "span": {"role": {"img"}, "aria-label": {"Done", "To do"}},
}
_ALIGN = {"left", "center", "right"}


def clean_source(html: str) -> str:
    """Well-formed HTML with only allowed elements and those that `rewriting` replaces."""
    return nh3.clean(
        html,
        tags={*_TAGS, "input"},
        attributes={**_ATTRIBUTES, "input": {"checked"}},
        allowed_classes=_CLASSES,
        tag_attribute_values={tag: {"align": _ALIGN} for tag in _CAN_BE_ALIGNED},
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def clean_result(html: str, *, links: str, images: str) -> str:
    """The final HTML: links resolved, ids prefixed, images only from below `images`."""

    def resolve(tag: str, attribute: str, value: str) -> str | None:
        if (tag, attribute) == ("a", "href"):
            return _resolve(value, links)
        if (tag, attribute) == ("img", "src"):
            return value if images and value.startswith(images) else None
        return value

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=resolve,
        allowed_classes=_CLASSES,
        tag_attribute_values=_ADDED,
        url_schemes=_SCHEMES,
        id_prefix=ID_PREFIX,
    )


def _resolve(url: str, links: str) -> str:
    if url.startswith("#"):
        return f"#{ID_PREFIX}{url[1:]}"
    if not links or not url or url[0] in "/?" or ":" in url.partition("/")[0]:
        return url
    return links + url.removeprefix("./")
