# ruff: noqa: S608 - all names are our own
"""SQL expressions of a row's number, with the same values in every run."""

#: Name of the template, number of copies, and the SQL for what differs in copy `n`.
Copies = tuple[str, int, dict[str, str]]


def chance(number: str, seed: int) -> str:
    """A number in [0, 1) that depends only on `number` and `seed`."""
    return f"((hashint8extended(({number})::bigint, {seed}) & 1048575) / 1048576::float8)"


def hot(number: str, seed: int, count: int) -> str:
    """A number from 1 to `count`; a tenth of them are chosen nearly half of the time."""
    return f"(1 + floor({count} * power({chance(number, seed)}, 3)))::bigint"


def digest(text: str, length: int = 64) -> str:
    return f"left(encode(sha256(({text})::text::bytea), 'hex'), {length})"


def uuid(kind: str, number: str) -> str:
    return f"md5('{kind}' || ({number}))::uuid"


def ago(days: str) -> str:
    return f"now() - interval '1 day' * ({days})"


def pick(options: list[str], number: str, seed: int) -> str:
    listed = ", ".join(f"'{option}'" for option in options)
    return f"(ARRAY[{listed}])[1 + floor({len(options)} * {chance(number, seed)})::int]"


def text(count: int, number: str) -> str:
    """`count` words, some of them rare."""
    word = f"'w' || {hot('i * 1000003 + ' + number, 3, 20000)}"
    return f"(SELECT string_agg({word}, ' ') FROM generate_series(1, {count}) AS i)"
