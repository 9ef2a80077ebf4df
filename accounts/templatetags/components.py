"""Components whose text is too long for an argument of `include`."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_block_tag
def page_header(content: SafeString, title: str) -> SafeString:
    """`{% page_header "Title" %}Lead{% endpage_header %}`: a page's title and lead."""
    context = {"title": title, "lead": content}
    return render_to_string("components/_page_header.html", context)


@register.simple_block_tag
def notice(content: SafeString, kind: str, title: str = "") -> SafeString:
    """`{% notice "wait" "Title" %}Text{% endnotice %}`; `kind` is info, good, wait or bad."""
    context = {"kind": kind, "title": title, "text": content}
    return render_to_string("components/_notice.html", context)
