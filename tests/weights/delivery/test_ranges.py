"""Ranges and conditions, case by case, and properties of any header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.delivery.ranges import Plan, part, plan
from weights.web.conditional_requests import Conditions

pytestmark = pytest.mark.one_database

ETAG = "a" * 64
SIZE = 1000
PUBLISHED = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
WHOLE = Plan(200, 0, SIZE)


def weigh(method: str = "GET", **headers: str) -> Plan:
    return plan(method, Conditions(**headers), etag=ETAG, size=SIZE, modified=PUBLISHED)


@pytest.mark.requirement("RG-1")
@pytest.mark.parametrize(
    ("header", "start", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=999-999", 999, 1),
        ("bytes=5-", 5, 995),
        ("bytes=0-", 0, 1000),
        ("bytes=990-5000", 990, 10),
        ("bytes=0-999999999999999999", 0, 1000),
        ("bytes=000000000000000001-2", 1, 2),
        ("bytes=-1", 999, 1),
        ("bytes=-1000", 0, 1000),
        ("bytes=-5000", 0, 1000),
        ("Bytes=1-2", 1, 2),
        (" bytes=1-2\t", 1, 2),
    ],
)
def test_one_range_is_answered_with_its_part(header: str, start: int, length: int) -> None:
    assert weigh(range=header) == Plan(206, start, length)


@pytest.mark.requirement("RG-1")
@pytest.mark.parametrize(
    "header",
    [
        "bytes=-0",
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=5000-6000",
        "bytes=1000000000000000000-",
        "bytes=0-1000000000000000000",
        "bytes=-1000000000000000000",
        "bytes=" + "9" * 4000 + "-",
    ],
)
def test_a_range_outside_the_file_is_unsatisfiable(header: str) -> None:
    answer = weigh(range=header)
    assert answer == Plan(416)
    assert answer.content_range(SIZE) == "bytes */1000"


@pytest.mark.requirement("RG-1", "RG-2", "RG-6")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-2",
        "bytes=+1-2",
        "bytes=--1",
        "bytes=-+1",
        "bytes=1_0-2_0",
        "bytes=0x1-0x2",
        "bytes=1.0-2.0",
        "bytes=1.5-",
        "bytes=١-٢",
        "bytes=²-",
        "bytes=1-2 trailing",
        "bytes=1-2;x",
        "bytes= 1-2",
        "bytes=1 - 2",
        "bytes =1-2",
        "bytes=1-2\n",
        "items=0-5",
        "byte=0-5",
        "bytes=0-1,5-6",
        "bytes=0-1, 5-6",
        "bytes=0-1,",
        "bytes=0-1,bytes=2-3",
        "bytes=0-1, bytes=0-1",
    ],
)
def test_any_other_range_is_ignored(header: str) -> None:
    assert weigh(range=header) == WHOLE


def test_without_a_range_the_whole_file_is_sent() -> None:
    assert weigh() == WHOLE
    assert WHOLE.content_range(SIZE) is None


@pytest.mark.requirement("RG-1")
def test_a_head_request_has_no_range() -> None:
    assert weigh("HEAD", range="bytes=0-1") == WHOLE
    assert weigh("HEAD", range="bytes=5000-") == WHOLE


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bytes=0-", 416), ("bytes=0-5", 416), ("bytes=-0", 416), ("bytes=-5", 200), ("", 200)],
)
def test_an_empty_file_has_no_part(header: str, expected: int) -> None:
    assert part(header, 0) == Plan(expected)


@pytest.mark.requirement("RG-3")
def test_if_range_with_the_current_tag_honours_the_range() -> None:
    assert weigh(range="bytes=0-1", if_range=f'"{ETAG}"') == Plan(206, 0, 2)


@pytest.mark.requirement("RG-3")
@pytest.mark.parametrize(
    "header",
    [
        '"stale"',
        f'W/"{ETAG}"',
        ETAG,
        f'"{ETAG}',
        f'"{ETAG}","{ETAG}"',
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Fri, 01 Jan 2100 00:00:00 GMT",
        "*",
        "",
        "\x00",
    ],
)
def test_any_other_if_range_sends_the_whole_file(header: str) -> None:
    assert weigh(range="bytes=0-1", if_range=header) == WHOLE
    assert weigh(range="bytes=5000-", if_range=header) == WHOLE


@pytest.mark.requirement("RG-4")
@pytest.mark.parametrize(
    "header", [f'"{ETAG}"', f'W/"{ETAG}"', "*", f'"x", "{ETAG}"', f'"x",,W/"{ETAG}" ,"y"']
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_if_none_match_that_matches_is_304(method: str, header: str) -> None:
    assert weigh(method, if_none_match=header, range="bytes=5000-") == Plan(304)


@pytest.mark.parametrize("header", ['"x"', ETAG, "", f'"{ETAG}" junk', f'x"{ETAG}"'])
def test_an_if_none_match_that_does_not_match_changes_nothing(header: str) -> None:
    assert weigh(if_none_match=header) == WHOLE


@pytest.mark.requirement("RG-4")
@pytest.mark.parametrize("header", ['"x"', f'W/"{ETAG}"', ETAG, "", f'"{ETAG}" junk'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_if_match_that_does_not_match_fails_before_the_range(method: str, header: str) -> None:
    assert weigh(method, if_match=header, range="bytes=0-1") == Plan(412)


@pytest.mark.parametrize("header", [f'"{ETAG}"', "*", f'"x" , "{ETAG}"'])
def test_an_if_match_that_matches_allows_the_range(header: str) -> None:
    assert weigh(if_match=header, range="bytes=0-1") == Plan(206, 0, 2)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 304),
        ("Wed, 15 Nov 2023 00:00:00 GMT", 304),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 200),
        ("yesterday", 200),
        ("Tue, 99 Nov 2023 22:13:20 GMT", 200),
        ("", 200),
    ],
)
def test_if_modified_since_is_304_for_an_unchanged_file(since: str, expected: int) -> None:
    assert weigh(if_modified_since=since).status == expected


@pytest.mark.requirement("RG-4")
@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 200),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 412),
        ("yesterday", 200),
    ],
)
def test_if_unmodified_since_that_has_passed_fails(since: str, expected: int) -> None:
    assert weigh(if_unmodified_since=since).status == expected


def test_entity_tags_take_precedence_over_dates() -> None:
    past, future = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    assert weigh(if_match="*", if_unmodified_since=past) == WHOLE
    assert weigh(if_none_match='"x"', if_modified_since=future) == WHOLE


def test_a_failed_precondition_takes_precedence_over_not_modified() -> None:
    assert weigh(if_match='"x"', if_none_match=f'"{ETAG}"') == Plan(412)


texts = st.one_of(st.text(), st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}(,.*)?"))


@given(header=texts, size=st.integers(0, 10**15))
def test_no_header_reaches_outside_the_file(header: str, size: int) -> None:
    answer = part(header, size)
    assert answer.status in {200, 206, 416}
    assert 0 <= answer.start <= answer.start + answer.length <= size
    if answer.status == 206:
        assert answer.length > 0
    if answer.status == 200:
        assert (answer.start, answer.length) == (0, size)


@given(size=st.integers(1, 10**15), data=st.data())
def test_a_range_inside_the_file_is_exactly_that_part(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, 10**17))
    answer = part(f"bytes={first}-{last}", size)
    assert answer == Plan(206, first, min(last, size - 1) - first + 1)


@given(
    method=st.sampled_from(["GET", "HEAD"]),
    values=st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(texts, st.just(f'"{ETAG}"'), st.just("*"))
            for name in Conditions.__dataclass_fields__
        },
    ),
)
def test_no_mixture_of_headers_breaks_the_plan(method: str, values: dict[str, str]) -> None:
    assert weigh(method, **values).status in {200, 206, 304, 412, 416}
