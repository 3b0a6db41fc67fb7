"""A user's Flink SQL script as the statements that Confluent Cloud is sent, its SET, RESET and USE folded in.

Source: confluentinc/cli v4 (August 2026), pkg/flink/internal/store/store_utils.go and store.go, pkg/flink/config; what
is a comment and what is quoted: Apache Calcite 1.36, Parser.jj, whose lexer reads Flink SQL. Beyond Confluent's shell:

- The shell sends what was typed once Enter is pressed behind a `;`. A file has no Enter: a statement ends at each `;`
  that is not quoted, in a comment or inside a STATEMENT SET.
- Comments may stand before and in SET, RESET and USE; the shell knows none of them there and sends the whole to Flink.
- A statement is sent without its `;` and without the comments around it; those inside it stay.
- The shell begins with a catalog, a database, a principal and the machine's own time zone. Here they come from whoever
  deploys, so `USE database` needs no `USE CATALOG` before it, and RESET may name them though the script has not.
- A SET without key and value only shows the settings, so it does nothing; EXIT and QUIT are refused. What a SET quotes
  may span lines.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboard.errors import DeployError

CATALOG = "sql.current-catalog"
DATABASE = "sql.current-database"
_STATEMENT_NAME = "client.statement-name"
_SERVICE_ACCOUNT = "client.service-account"
_LOCAL = "client."
_A_SESSION_BEGINS_WITH = {CATALOG, DATABASE, "sql.local-time-zone", _SERVICE_ACCOUNT, "client.output-format"}

# an E'…' knows backslashes, as no other string does; /*+ is no comment but the beginning of a hint
_TOKEN = re.compile(
    r"""
      (?P<comment>   --[^\r\n]*+ | //[^\r\n]*+ | /\*(?!\+).*?\*/ )
    | (?P<quoted>    [eE]'(?:[^'\\]|\\.|'')*+' | '(?:[^']|'')*+' | `(?:[^`\r\n]|``)*+` )
    | (?P<unended>   /\*(?!\+) | [eE]?' | ` )
    | (?P<semicolon> ; )
    | (?P<word>      \w+ )
    | (?P<space>     \s+ )
    | (?P<symbol>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = ("comment", "space")
_UNENDED = {"/": "A comment", "`": "A quoted name"}
_STRING = r"'((?:[^']|'')*)'"
_NAME = r"(`(?:[^`]|``)+`|[^\s.`']+)"
_SET = re.compile(rf"SET\s*{_STRING}\s*=\s*{_STRING}", re.IGNORECASE)
_RESET = re.compile(rf"RESET(?:\s*{_STRING})?", re.IGNORECASE)
_USE_CATALOG = re.compile(rf"USE\s+CATALOG(?:\s+|(?=`)){_NAME}", re.IGNORECASE)
_USE = re.compile(rf"USE(?:\s+|(?=`))(?!CATALOG(?:[\s.]|$))(?:{_NAME}\s*\.\s*)?{_NAME}", re.IGNORECASE)


@dataclass(frozen=True)
class ScriptStatement:
    """One statement to send, with what the lines before it have set."""

    name: str | None
    """As SET 'client.statement-name' gave it; None leaves the name to whoever deploys."""
    # a CREATE CONNECTION holds secrets in its text, sql.secrets.… are properties: neither belongs in a log
    text: str = field(repr=False)
    properties: Mapping[str, str] = field(repr=False)
    """With a catalog but no database after `USE CATALOG`: a database from elsewhere then no longer holds."""
    principal: str | None
    """As SET 'client.service-account' gave it; None means the owner of the key."""
    line: int
    """Where it begins in the script; the first line is 1."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Session:
    """What SET, RESET and USE have left for the statements after them."""

    def __init__(self) -> None:
        self._settings: dict[str, str] = {}

    def run(self, command: str, line: int) -> None:
        verb = command[:5].upper()
        if verb.startswith("SET"):
            self._set(command, line)
        elif verb.startswith("USE"):
            self._use(command, line)
        elif verb.startswith("RESET"):
            self._reset(command, line)
        else:
            raise DeployError(f"Line {line} of the script ends a shell, and a script has none.", "Remove it.")

    def statement(self, text: str, line: int) -> ScriptStatement:
        """The statement with all that is set now; its name is spent with it."""
        name = self._settings.pop(_STATEMENT_NAME, None)
        properties = {key: value for key, value in self._settings.items() if not key.startswith(_LOCAL)}
        return ScriptStatement(name, text, properties, self._settings.get(_SERVICE_ACCOUNT) or None, line)

    def _set(self, command: str, line: int) -> None:
        if len(command) == len("SET"):
            return
        found = _SET.fullmatch(command)
        # the value may be a secret, so the line is named and never shown
        if found is None or not found[1]:
            raise DeployError(
                f"The SET on line {line} of the script does not read SET 'key' = 'value'.",
                "Key and value each stand in single quotes, a quote within them doubled; a `;` ends the statement.",
            )
        key, value = (text.replace("''", "'") for text in found.groups())
        if key in (CATALOG, DATABASE):
            raise DeployError(
                f"Line {line} of the script sets {key}, which SET cannot.",
                "USE CATALOG `name` chooses a catalog, USE `name` a database.",
            )
        if key == _STATEMENT_NAME and not value.strip():
            raise DeployError(f"Line {line} of the script gives the next statement an empty name.", "Name it.")
        self._settings[key] = value

    def _reset(self, command: str, line: int) -> None:
        found = _RESET.fullmatch(command)
        if found is None:
            raise DeployError(
                f"The RESET on line {line} of the script does not read RESET or RESET 'key'.",
                "The key stands in single quotes; a `;` ends the statement.",
            )
        if found[1] is None:
            self._settings.clear()
            return
        key = found[1].replace("''", "'")
        if key not in self._settings.keys() | _A_SESSION_BEGINS_WITH:
            raise DeployError(f"Line {line} of the script resets {key}, which is not set there.", "Remove the RESET.")
        self._settings.pop(key, None)
        if key == CATALOG:
            self._settings.pop(DATABASE, None)

    def _use(self, command: str, line: int) -> None:
        if found := _USE_CATALOG.fullmatch(command):
            self._settings.pop(DATABASE, None)
            self._settings[CATALOG] = _name(found[1])
        elif found := _USE.fullmatch(command):
            if found[1] is not None:
                self._settings[CATALOG] = _name(found[1])
            self._settings[DATABASE] = _name(found[2])
        else:
            raise DeployError(
                f"The USE on line {line} of the script names no catalog or database.",
                "It reads USE CATALOG `catalog`, USE `database` or USE `catalog`.`database`.",
            )


def split_script(text: str) -> list[ScriptStatement]:
    """The statements of a script in their order; the last one may go without its `;`.

    Raises DeployError naming the line of what does not end or does not parse. What is plain SQL is not looked into.
    """
    text = text.removeprefix("\ufeff")
    session = _Session()
    statements = []
    for tokens in _pieces(text):
        line = _line(text, tokens[0].start)
        if tokens[0].text.upper() in ("SET", "RESET", "USE", "EXIT", "QUIT"):
            parts = (" " if token.kind == "comment" else token.text for token in tokens)
            session.run("".join(parts).strip(), line)
        else:
            statements.append(session.statement("".join(token.text for token in tokens), line))
    return statements


def words_of(text: str) -> list[str]:
    """Its words, quoted texts and signs without blanks and comments; a path with dots is one word."""
    words: list[str] = []
    joins = False
    for token in _tokens(text):
        if token.kind in _BLANK:
            joins = False
            continue
        name = token.text == "." or token.kind == "word" or token.text.startswith("`")
        if words and joins and name and (token.text == "." or words[-1].endswith(".")):
            words[-1] += token.text
        else:
            words.append(token.text)
        joins = name
    return words


def _pieces(text: str) -> Iterator[list[_Token]]:
    """The tokens of each statement, without what only surrounds it; never an empty list."""
    piece: list[_Token] = []
    for token in _tokens(text):
        if token.kind == "semicolon" and not _in_statement_set(piece):
            if piece:
                yield _trimmed(piece)
            piece = []
        elif piece or token.kind not in _BLANK:
            piece.append(token)
    if not piece:
        return
    if _in_statement_set(piece):
        raise DeployError(
            f"The STATEMENT SET that begins on line {_line(text, piece[0].start)} of the script has no end.",
            "It ends with END; on its own, behind the `;` of its last INSERT.",
        )
    yield _trimmed(piece)


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "unended":
            what = _UNENDED.get(found[0][0], "A string")
            line = _line(text, found.start())
            raise DeployError(
                f"{what} that begins on line {line} of the script does not end.",
                "Close it; a quote within quotes is doubled.",
            )
        yield _Token(kind, found[0], found.start())


def _in_statement_set(piece: list[_Token]) -> bool:
    """It began with EXECUTE STATEMENT SET BEGIN, perhaps behind EXPLAIN, and its END has not come."""
    code = [token.text.upper() for token in piece if token.kind not in _BLANK]
    begins = any(code[at : at + 3] == ["STATEMENT", "SET", "BEGIN"] for at in range(6))
    # an INSERT may itself end with the END of a CASE; the set's own follows a semicolon
    return begins and code[-2:] != [";", "END"]


def _trimmed(piece: list[_Token]) -> list[_Token]:
    while piece[-1].kind in _BLANK:
        piece = piece[:-1]
    return piece


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _name(identifier: str) -> str:
    return identifier[1:-1].replace("``", "`") if identifier.startswith("`") else identifier
