"""Flink SQL as text: its tokens, a cursor over them, and the form in which the gateway gives a statement back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<literal>'(?:[^']|'')*')|(?P<quoted>`(?:[^`]|``)*`)|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<space>\s+)"
    r"|(?P<word>[A-Za-z_$][\w$]*)|(?P<number>\d+(?:\.\d+)?)|(?P<mark><>|!=|<=|>=|.)",
    re.DOTALL,
)


class SqlRefused(Exception):
    """What Flink says of a statement that it does not run; it becomes the statement's `status.detail`."""


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    spaced: bool
    """Whether white space or a comment comes before it."""

    @property
    def upper(self) -> str:
        """A keyword; empty for what is not a bare word or a mark."""
        return self.text.upper() if self.kind in ("word", "mark") else ""

    @property
    def name(self) -> str:
        """What a literal or an identifier says."""
        if self.kind == "literal":
            return self.text[1:-1].replace("''", "'")
        return self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text


def tokens_of(text: str) -> list[Token]:
    tokens: list[Token] = []
    spaced = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        if kind in ("space", "comment"):
            spaced = True
            continue
        tokens.append(Token(kind, match.group(), spaced and bool(tokens)))
        spaced = False
    return tokens


def rendered(tokens: Sequence[Token]) -> str:
    """The tokens as they were written, each stretch of white space and comments a single space."""
    return "".join(f"{' ' * token.spaced}{token.text}" for token in tokens).strip()


def canonical(text: str) -> str:
    """A statement as the gateway stores it and gives it back: not byte for byte what was sent."""
    tokens = tokens_of(text)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return rendered(tokens)


class Cursor:
    """Walks over tokens; what is not there as asked for raises SqlRefused."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.rest = list(tokens)

    def sees(self, *words: str) -> bool:
        return [token.upper for token in self.rest[: len(words)]] == list(words)

    def takes(self, *words: str) -> bool:
        """Whether these words come next; they are passed over if so."""
        if found := self.sees(*words):
            del self.rest[: len(words)]
        return found

    def expect(self, *words: str) -> None:
        if not self.takes(*words):
            raise self.wrong()

    def pop(self) -> Token:
        if not self.rest:
            raise self.wrong()
        return self.rest.pop(0)

    def identifier(self) -> str:
        if not self.rest or self.rest[0].kind not in ("word", "quoted"):
            raise self.wrong()
        return self.pop().name

    def path(self) -> tuple[str, ...]:
        """A table's name in one to three parts; dots inside backticks belong to the part."""
        parts = [self.identifier()]
        while self.takes("."):
            parts.append(self.identifier())
        return tuple(parts)

    def literal(self) -> str:
        if not self.rest or self.rest[0].kind != "literal":
            raise self.wrong()
        return self.pop().name

    def parenthesised(self) -> list[Token]:
        """What stands between this parenthesis and the one that closes it."""
        self.expect("(")
        inside: list[Token] = []
        depth = 1
        while True:
            token = self.pop()
            depth += (token.text == "(") - (token.text == ")")
            if not depth:
                return inside
            inside.append(token)

    def until(self, *words: str) -> list[Token]:
        """The tokens before the first of these words outside parentheses, or all."""
        taken: list[Token] = []
        depth = 0
        while self.rest and (depth or self.rest[0].upper not in words):
            token = self.pop()
            depth += (token.text in "(<") - (token.text in ")>")
            taken.append(token)
        return taken

    def wrong(self) -> SqlRefused:
        near = rendered(self.rest[:5]) or "<EOF>"
        return SqlRefused(f'SQL parse failed. Encountered "{near}".')


def split_at_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """The parts of a list, by the commas outside parentheses and angle brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in "(<") - (token.text in ")>")
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]
