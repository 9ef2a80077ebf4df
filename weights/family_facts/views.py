"""The pages of footprints and of openness, and citations as files."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from weights.catalogue.models import Family
from weights.family_facts import citations, parts, presentation
from weights.family_facts.queries import visible_families

#: Extension of a citation's file -> its media type.
_MEDIA_TYPES = {"bib": "application/x-bibtex", "cff": "application/yaml", "txt": "text/plain"}


@require_safe
def footprint_list(request: HttpRequest) -> HttpResponse:
    """Every stated footprint, with its inputs, formula and comparisons."""
    families = visible_families(user_or_none(request))
    shown = [
        (family, presentation.displayed(family.slug, footprint))
        for family in families
        if (footprint := parts.read(family.facts).footprint) is not None
    ]
    return render(request, "weights/family_facts/footprint_list.html", {"shown": shown})


@require_safe
def openness_list(request: HttpRequest) -> HttpResponse:
    families = visible_families(user_or_none(request))
    shown = [(family, parts.read(family.facts).openness) for family in families]
    return render(request, "weights/family_facts/openness_list.html", {"shown": shown})


@require_safe
def openness_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """A family's components, limitations, bias results and citation."""
    family = _family_or_404(request, slug)
    read = parts.read(family.facts)
    context = {"family": family, "parts": read, "openness": read.openness, "citation": None}
    if read.citation:
        context["citation"] = {form: _cited(family, read.citation, form) for form in _MEDIA_TYPES}
    return render(request, "weights/family_facts/openness_detail.html", context)


@require_safe
def citation_file(request: HttpRequest, slug: str, form: str) -> HttpResponse:
    family = _family_or_404(request, slug)
    citation = parts.read(family.facts).citation
    if citation is None or form not in _MEDIA_TYPES:
        raise Http404("this family states no such citation")
    name = "CITATION.cff" if form == "cff" else f"{family.slug}.{form}"
    return HttpResponse(
        _cited(family, citation, form),
        content_type=f"{_MEDIA_TYPES[form]}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cited(family: Family, citation: citations.Citation, form: str) -> str:
    if form == "cff":
        return citations.cff(citation, family.long_name or family.name, family.developer)
    return citations.bibtex(citation) if form == "bib" else f"{citations.apa(citation)}\n"


def _family_or_404(request: HttpRequest, slug: str) -> Family:
    return get_object_or_404(visible_families(user_or_none(request)), slug=slug)
