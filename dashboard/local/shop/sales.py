"""What the shop's records say: the fields of an order and of a payment, from the seed and an id alone."""

from typing import Any

from dashboard.local.shop.fates import draws, held_ms

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_YEAR_MS = 31_556_952_000
INVALID_EVERY = 6
"""Every sixth payment has a confirmation code that breaks the contract."""


def order_value(order_id: int, place_ms: int, *, seed: int) -> dict[str, Any]:
    """An order as the topic's schema wants it, sent at `place_ms`; it was placed then, or up to two seconds before."""
    customer, status, held, *_ = draws(seed, b"order", order_id)
    return {
        "orderid": order_id,
        "customerid": int(customer * 50),
        "orderdate": place_ms - held_ms(held),
        "status": "Completed" if status < 0.5 else "Pending",
    }


def payment_value(payment_id: int, ts_ms: int, *, number: int, seed: int) -> dict[str, Any]:
    """A payment as the topic's schema wants it; `number` counts payments and says whose code is invalid."""
    product, customer, code, card, month, year, amount, fault = draws(seed, b"payment", payment_id)
    digits = f"{2 + int(card * 3)}{int(card * 3 % 1 * 10**15):015d}"
    return {
        "order_id": payment_id,
        "product_id": int(product * 100),
        "customer_id": int(customer * 50),
        "confirmation_code": _code(code, fault, valid=number % INVALID_EVERY != 0),
        "cc_number": f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:]}",
        "expiration": f"{1 + int(month * 12):02d}/{(1971 + ts_ms // _YEAR_MS + int(year * 5)) % 100:02d}",
        "amount": amount * 1000,
        "ts": ts_ms,
    }


def _code(draw: float, fault: float, *, valid: bool) -> str:
    """Eight of A-Z and 0-9, or one of the ways to get that wrong."""
    rest, letters = int(draw * 36**9), []
    for _ in range(9):
        rest, index = divmod(rest, 36)
        letters.append(_ALPHABET[index])
    code = "".join(letters)
    if valid:
        return code[:8]
    # the lower-case one must hold a letter, or it would be valid after all
    return ("0", f"a{code[:7].lower()}", code[:7], code)[int(fault * 4)]
