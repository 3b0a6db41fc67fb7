"""How amounts, moments and lengths of time are written for people; the same on every page."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
_COMPACT = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "M"))


def amount(value: Decimal) -> str:
    """The exact amount: `1,234.50`."""
    return f"{value:,.2f}"


def compact_amount(value: Decimal) -> str:
    """At most ten characters: exact below a million, then `1.23 M` and `1.23 bn`."""
    for unit, name in _COMPACT:
        if abs(value) >= unit:
            return f"{(value / unit).quantize(CENT, ROUND_HALF_UP):,} {name}"
    return amount(value)


def length(span: timedelta) -> str:
    """As people say it, the two largest units at most: `42 s`, `3 min`, `2 h 10 min`, `1 day`, `3 days 4 h`."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120 and seconds % 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} min"
    if not days:
        return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return ("1 day" if days == 1 else f"{days} days") + (f" {hours % 24} h" if hours % 24 else "")


def moment(at: datetime, zone: tzinfo, beside: datetime, *, seconds: bool = True) -> str:
    """`clock` on the day of `beside` in that zone, `21 Nov 14:05:10` on another, with its year if that differs."""
    local, near = at.astimezone(zone), beside.astimezone(zone)
    shown = clock(local, zone, seconds=seconds)
    if local.date() == near.date():
        return shown
    return f"{day(local, zone, beside)} {shown}"


def clock(at: datetime, zone: tzinfo, *, seconds: bool = True) -> str:
    """`14:05:10`, and of a time that the clock shows twice that night with its offset: `02:05:10 +01:00`.

    Without `seconds`, they are left out where they are 0: `14:05`.
    """
    local = at.astimezone(zone)
    shown = f"{local:%H:%M:%S}" if seconds or local.second else f"{local:%H:%M}"
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{shown} {local.isoformat(timespec='minutes')[16:]}" if is_twice else shown


def day(at: datetime, zone: tzinfo, beside: datetime) -> str:
    """`21 Nov`, with its year if that is not the one of `beside`."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b}" + ("" if local.year == beside.astimezone(zone).year else f" {local.year}")


def counted(number: int, noun: str) -> str:
    """`1 window`, `1,200 windows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def iso(at: datetime) -> str:
    """In UTC, as machines and people read it: `2026-03-01T12:00:05Z`, with a fraction where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def printable(text: str, longest: int = 10_000) -> str:
    """A stranger's text on one line of a terminal: every character that steers one stands as its escape.

    Text beyond `longest` characters is cut off, which three dots say.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut)


def no_formula(cell: str) -> str:
    """A cell of a table that others open: a spreadsheet would reckon with what begins so."""
    # some take off the blanks before it first
    return f"'{cell}" if cell.startswith(("\t", "\r", "\n")) or cell.lstrip().startswith(("=", "+", "-", "@")) else cell


_CODE = re.compile(r"(`[^`]+`)")
_LINKED = re.compile(r"(?:https?://|www\.)[^\s,`]+|[^\s`()]+@[^\s`()]+\.\w+")
_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def as_markdown(text: str) -> str:
    """A sentence that reads as it stands where Markdown is shown; what stands between backticks is code.

    Sentences quote what clusters and users gave, which could otherwise become a link or an image. Addresses, which
    become links in whatever way they are escaped, are code too.
    """
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if place % 2 else _plain(part) for place, part in enumerate(parts))


def _plain(part: str) -> str:
    """What holds no code, with addresses as code and everything else as it stands."""
    pieces = _LINKED.split(part)
    linked = [*(f"`{found}`" for found in _LINKED.findall(part)), ""]
    return "".join(_SIGNS.sub(r"\\\1", piece) + link for piece, link in zip(pieces, linked, strict=True))
