"""The licence of a checkpoint: its tier's if the tier is gated, else its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.tiers.models import Licence, Tier
from accounts.web.sanitize import one_line
from weights.catalogue.models import Checkpoint
from weights.errors import PublishRefused
from weights.publishing.models import Revision

#: The Hub's identifier in lower case -> SPDX identifier and name (https://spdx.org/licenses/).
SPDX = {
    identifier.lower(): (identifier, name)
    for identifier, name in (
        ("AFL-3.0", "Academic Free License v3.0"),
        ("AGPL-3.0", "GNU Affero General Public License v3.0"),
        ("Apache-2.0", "Apache License 2.0"),
        ("Artistic-2.0", "Artistic License 2.0"),
        ("BSD-2-Clause", 'BSD 2-Clause "Simplified" License'),
        ("BSD-3-Clause", 'BSD 3-Clause "New" or "Revised" License'),
        ("BSL-1.0", "Boost Software License 1.0"),
        ("CC-BY-2.0", "Creative Commons Attribution 2.0"),
        ("CC-BY-3.0", "Creative Commons Attribution 3.0"),
        ("CC-BY-4.0", "Creative Commons Attribution 4.0"),
        ("CC-BY-NC-2.0", "Creative Commons Attribution-NonCommercial 2.0"),
        ("CC-BY-NC-3.0", "Creative Commons Attribution-NonCommercial 3.0"),
        ("CC-BY-NC-4.0", "Creative Commons Attribution-NonCommercial 4.0"),
        ("CC-BY-NC-ND-4.0", "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0"),
        ("CC-BY-NC-SA-4.0", "Creative Commons Attribution-NonCommercial-ShareAlike 4.0"),
        ("CC-BY-ND-4.0", "Creative Commons Attribution-NoDerivatives 4.0"),
        ("CC-BY-SA-3.0", "Creative Commons Attribution-ShareAlike 3.0"),
        ("CC-BY-SA-4.0", "Creative Commons Attribution-ShareAlike 4.0"),
        ("CC0-1.0", "Creative Commons Zero v1.0 Universal"),
        ("ECL-2.0", "Educational Community License v2.0"),
        ("EPL-2.0", "Eclipse Public License 2.0"),
        ("EUPL-1.2", "European Union Public License 1.2"),
        ("GPL-2.0", "GNU General Public License v2.0"),
        ("GPL-3.0", "GNU General Public License v3.0"),
        ("ISC", "ISC License"),
        ("LGPL-2.1", "GNU Lesser General Public License v2.1"),
        ("LGPL-3.0", "GNU Lesser General Public License v3.0"),
        ("MIT", "MIT License"),
        ("MPL-2.0", "Mozilla Public License 2.0"),
        ("MS-PL", "Microsoft Public License"),
        ("ODbL-1.0", "Open Data Commons Open Database License v1.0"),
        ("OFL-1.1", "SIL Open Font License 1.1"),
        ("OSL-3.0", "Open Software License 3.0"),
        ("Unlicense", "The Unlicense"),
        ("WTFPL", "Do What The F*ck You Want To Public License"),
        ("Zlib", "zlib License"),
    )
}
#: The code of a licence without identifier, whose card has `license_name` and `license_link`.
OTHER = "other"
NOT_STATED = "No licence stated"
_LENGTHS = {"code": 100, "name": 200, "link": 500}


@dataclass(frozen=True)
class StatedLicence:
    """A licence as pages and APIs show it; `url` is empty if no text is known."""

    code: str
    title: str
    url: str
    is_local: bool = False

    @property
    def absolute_url(self) -> str:
        return settings.PUBLIC_URL + self.url if self.is_local else self.url


def from_card(card: Mapping[str, Any]) -> dict[str, str]:
    """Return `code`, `name` and `link` of a card's front matter; empty if it states none.

    Fields as the Hub defines them: `license`, `license_name`, `license_link`.
    """
    code = card.get("license")
    if isinstance(code, list):  # the Hub accepts a list of one
        code = code[0] if len(code) == 1 else None
    if not isinstance(code, str) or not code.strip():
        return {}
    found = {
        "code": code.lower(),
        "name": card.get("license_name"),
        "link": card.get("license_link"),
    }
    return {
        key: one_line(value)[: _LENGTHS[key]]
        for key, value in found.items()
        if isinstance(value, str) and value.strip()
    }


def of_checkpoint(checkpoint: Checkpoint, revision: Revision | None) -> StatedLicence | None:
    """Return the licence of a checkpoint whose `revision` is shown; None if none is stated."""
    return with_card(checkpoint, revision.licence if revision else {})


def with_card(
    checkpoint: Checkpoint, card_licence: Mapping[str, str] | None
) -> StatedLicence | None:
    """Like `of_checkpoint`, for callers that have only `Revision.licence`."""
    if text := text_of(checkpoint):
        return of_text(text)
    stated = card_licence or {}
    if checkpoint.licence_code and not _is_named(stated):
        stated = {"code": checkpoint.licence_code}
    return _stated(stated) if stated else None


def text_of(checkpoint: Checkpoint) -> Licence | None:
    """Return the checkpoint's licence if this portal has its text, else None."""
    return checkpoint.tier.licence if checkpoint.tier.is_gated else checkpoint.licence


def check(tier: Tier, card_licence: Mapping[str, str], chosen: str = "") -> None:
    """Raise PublishRefused for a card whose licence contradicts the tier's or the chosen one.

    An open tier accepts any licence that has an identifier, or a name and a link. `chosen` is the
    identifier or slug that the publisher passed separately from the card.
    """
    if tier.is_gated:
        _check_gated(tier, card_licence, chosen)
    elif chosen:
        _check_chosen(card_licence, chosen)
    elif card_licence and not _is_named(card_licence):
        raise PublishRefused(
            "README.md states `license: other` without a name and a link; add license_name and"
            " license_link to its front matter, or name the licence with --licence"
        )


def _check_gated(tier: Tier, card_licence: Mapping[str, str], chosen: str) -> None:
    licence = tier.accepted_licence
    if card_licence and not _is(licence, card_licence):
        raise PublishRefused(
            f"README.md states the licence {_name(card_licence)}, but tier {tier.slug} is under"
            f" {licence.title}; put `license: other` and `license_name: {licence.slug}` in its"
            " front matter, or choose another tier"
        )
    if chosen and not _is(licence, {"code": chosen}):
        raise PublishRefused(
            f"tier {tier.slug} is under {licence.title}; leave --licence out, or choose a tier with"
            " that licence"
        )


def _check_chosen(card_licence: Mapping[str, str], chosen: str) -> None:
    """Check the licence that the publisher chose in an open tier."""
    licence = find_text(chosen)
    if licence is None and chosen.lower() not in SPDX:
        raise PublishRefused(
            f"{chosen!r} is neither a licence of this portal nor a known SPDX identifier;"
            " use one such as apache-2.0, or state license_name and license_link in README.md"
        )
    if not _is_named(card_licence):
        return
    same = _is(licence, card_licence) if licence else card_licence["code"] == chosen.lower()
    if not same:
        raise PublishRefused(
            f"README.md states the licence {_name(card_licence)}, and --licence names {chosen};"
            " make them equal, or leave --licence out"
        )


def of_text(licence: Licence) -> StatedLicence:
    """Return a licence whose text this portal has."""
    url = reverse("accounts:licence-detail", args=[licence.slug])
    return StatedLicence(licence.slug, licence.title, url, is_local=True)


def find_text(chosen: str) -> Licence | None:
    """Return this portal's licence with this slug or SPDX identifier, or None."""
    if not chosen:
        return None
    by_slug = Licence.objects.filter(slug=chosen.lower()).first()
    return by_slug or Licence.objects.filter(spdx_id__iexact=chosen).first()


def assign(checkpoint: Checkpoint, licence: str) -> None:
    """Store the licence of a checkpoint in an open tier, given as a slug or an identifier."""
    checkpoint.licence = find_text(licence)
    checkpoint.licence_code = "" if checkpoint.licence else licence.lower()
    checkpoint.save(update_fields=["licence", "licence_code"])


def named_text(card_licence: Mapping[str, str]) -> str:
    """Return the slug of this portal's licence that a card with `license: other` names, or ""."""
    named = card_licence.get("name", "") if card_licence.get("code") == OTHER else ""
    text = find_text(named) if "link" not in card_licence else None
    return text.slug if text else ""


def spdx_id(code: str) -> str:
    """Return the SPDX identifier of a code; empty if SPDX has none."""
    return SPDX[code][0] if code in SPDX else ""


def _is_named(stated: Mapping[str, str]) -> bool:
    """True if a card states a licence by an identifier, or by a name and a link."""
    return bool(stated) and (stated["code"] != OTHER or {"name", "link"} <= stated.keys())


def _name(stated: Mapping[str, str]) -> str:
    return stated.get("name") or stated["code"]


def _is(licence: Licence, stated: Mapping[str, str]) -> bool:
    """True if a card's licence is this one; `other` without a name matches any."""
    if stated["code"] == OTHER and "name" not in stated:
        return True
    name = stated["name"] if stated["code"] == OTHER else stated["code"]
    return name.casefold() in {
        text.casefold() for text in (licence.slug, licence.spdx_id, licence.title) if text
    }


def _stated(stated: Mapping[str, str]) -> StatedLicence:
    code = stated["code"]
    if code in SPDX:
        identifier, name = SPDX[code]
        return StatedLicence(code, name, f"https://spdx.org/licenses/{identifier}.html")
    link = stated.get("link", "")
    is_link = link.startswith(("https://", "http://"))
    title = stated.get("name") or ("Other, not named" if code == OTHER else code)
    return StatedLicence(code, title, link if is_link else "")
