"""The house rules that a linter does not know: names, documents and files keep their promises."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import durationpy
import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from dashboard.errors import ExitCode
from dashboard.settings import PREFIX, Settings, load_settings
from dashboard.targets import KINDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dashboard"
LONGEST_MODULE = 400
LONGEST_ARCHITECTURE = 150
STATEMENTS = sorted((ROOT / "pipeline_sql" / "statements").rglob("*.sql"))
RELATIONS = sorted((ROOT / "queries" / "relations").rglob("*.sql"))
QUESTIONS = sorted([*(ROOT / "pipeline_sql" / "checks").rglob("*.sql"), *(ROOT / "queries").rglob("*.sql")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files_of_the_repository() -> list[Path]:
    """Every file that is tracked, or would be by the next `git add .`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # the developer's own git
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts_of_the_repository() -> Iterator[tuple[Path, str]]:
    for path in files_of_the_repository():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def fields_by_variable(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            fields |= fields_by_variable(field.annotation, f"{variable}__")
        else:
            fields[variable] = field
    return fields


def readme_settings() -> dict[str, tuple[str, str]]:
    """Variable to default and meaning, from the README's table, where "empty" is a text without a sign."""
    rows = re.findall(
        r"^\| `(SALES_\w+)` \| `?([^|`]+)`? \| ([^|]+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    return {variable: ("" if default == "empty" else default, meaning) for variable, default, meaning in rows}


def env_example_settings() -> dict[str, str]:
    return dict(re.findall(r"^# (SALES_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


@pytest.fixture
def _a_home_like_in_the_documents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*os.environ]:
        if name.startswith((PREFIX, "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


# names


def test_no_top_level_name_in_dashboard_shadows_an_installed_or_standard_module() -> None:
    """`streamlit run dashboard/web.py` puts dashboard/ first on sys.path, so duckdb.py there would replace DuckDB."""
    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions()) - {"dashboard"}
    ours = {path.stem for path in PACKAGE.glob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}

    assert {"settings", "local"} <= ours
    assert sorted((ours - {"__init__", "__main__", "__pycache__"}) & taken) == []


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=relative)
def test_no_module_is_longer_than_one_can_hold_in_mind(module: Path) -> None:
    lines = len(module.read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST_MODULE, f"{relative(module)} has {lines} lines; look for the seam"


def test_the_command_starts_without_loading_what_only_pages_and_questions_need() -> None:
    heavy = ("streamlit", "duckdb", "pyiceberg")
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, dashboard.cli.command;"
            f"print(*(name in sys.modules for name in ('dashboard.cli.command', *{heavy})))",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    assert loaded.stdout.split() == ["True", *("False" for _ in heavy)]


# settings


def test_the_readme_lists_every_setting_and_no_other() -> None:
    assert set(readme_settings()) == set(fields_by_variable())


def test_the_example_file_lists_every_setting_and_no_other() -> None:
    assert set(env_example_settings()) == set(fields_by_variable())


@pytest.mark.usefixtures("_a_home_like_in_the_documents")
@pytest.mark.parametrize("variable", fields_by_variable())
def test_the_documents_give_a_settings_default(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fields_by_variable()[variable].annotation is Path and sys.platform != "linux":
        pytest.skip("the documents name the folders of Linux")
    defaults = load_settings()

    for text in (readme_settings()[variable][0], env_example_settings()[variable]):
        default = "" if text == "empty" else text
        monkeypatch.setenv(variable, default.replace("~", os.environ["HOME"], 1))
        assert load_settings() == defaults, f"{variable} is not {text} by default"


@pytest.mark.parametrize("variable", [name for name, field in fields_by_variable().items() if field.description])
def test_the_readme_explains_a_setting_in_its_own_words(variable: str) -> None:
    assert readme_settings()[variable][1] == fields_by_variable()[variable].description


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_lists_every_field_of_a_target_in_order_and_in_its_own_words(kind: str) -> None:
    section = (ROOT / "README.md").read_text().partition(f'`kind = "{kind}"`:')[2].partition("\n`kind")[0]
    table = section.partition("\n## ")[0]
    fields = KINDS[kind].model_fields

    assert re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE) == [
        (name, shown_default(field), field.description)
        for name, field in fields.items()
        if name not in ("name", "kind")
    ]


def shown_default(field: FieldInfo) -> str:
    if field.annotation is SecretStr:
        return "secret"
    if field.is_required():
        return "required"
    if isinstance(field.default, timedelta):
        return f"`{durationpy.to_str(field.default)}`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if isinstance(field.default, str) and field.default else "empty"


def test_every_line_of_the_example_file_is_a_comment() -> None:
    assert [
        line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")
    ] == []


# SQL


@pytest.mark.parametrize("path", [*STATEMENTS, *QUESTIONS], ids=relative)
def test_a_sql_file_begins_with_its_six_headings(path: Path) -> None:
    name_and_purpose = ["name", "makes" if path in [*STATEMENTS, *RELATIONS] else "asks"]
    header: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"-- (\w+): +(\S.*)", line)
        if heading and heading[1] != "noqa":
            header[heading[1]] = heading[2]
        elif not line.startswith("--"):
            break

    assert list(header) == [*name_and_purpose, "params", "grain", "columns", "reads"]
    assert header["name"] == re.sub(r"^\d+-", "", path.stem)


@pytest.mark.parametrize("path", [*STATEMENTS, *QUESTIONS], ids=relative)
def test_a_sql_file_holds_one_statement(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--")]

    assert "\n".join(lines).rstrip().endswith(";")
    assert "\n".join(lines).count(";") == 1


def test_there_are_statements_to_look_at() -> None:
    assert len(STATEMENTS) >= 4


@pytest.mark.parametrize("path", RELATIONS, ids=relative)
def test_a_relation_is_read_by_somebody(path: Path) -> None:
    reads = re.compile(rf"^-- reads: .*\b{path.stem}\b", re.MULTILINE)
    queries = [query.read_text(encoding="utf-8") for query in (ROOT / "queries").rglob("*.sql")]

    assert any(map(reads.search, queries)) or any(
        f'"{path.stem}"' in module.read_text(encoding="utf-8") for module in PACKAGE.rglob("*.py")
    )


def test_every_avro_schema_belongs_to_a_topic() -> None:
    topics = tomllib.loads((ROOT / "pipeline_sql" / "pipeline.toml").read_text())["topic"]
    named = {topic[side] for topic in topics for side in ("key", "value") if side in topic}

    assert {path.name for path in (ROOT / "pipeline_sql" / "contracts").glob("*.avsc")} == named


@pytest.mark.parametrize("folder", ["pipeline_sql", "queries"])
def test_a_folder_of_sql_holds_no_python(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert sorted((ROOT / folder).rglob("*.py")) == []


# documents


def test_the_readme_gives_every_exit_code_its_number() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert [int(code) for code, _ in rows] == sorted(ExitCode)


def test_the_architecture_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) < LONGEST_ARCHITECTURE


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_a_decision_says_context_decision_and_consequence(path: Path) -> None:
    text = path.read_text()

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert text.startswith(f"# {path.stem[:4]} ")


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    index = (DECISIONS[0].parent / "README.md").read_text()

    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert [path.name for path in DECISIONS if f"]({path.name})" not in index] == []


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=relative)
def test_a_documents_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text), *re.findall(r'(?:src|srcset)="([^":]+)"', text)]

    assert [target for target in targets if not (document.parent / target).exists()] == []


# what must not be there


def test_the_lock_names_no_index_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert re.findall(r"^\s*--(?!hash=).*$", lock, re.MULTILINE) == []
    assert re.findall(r"^.*://.*$", lock, re.MULTILINE) == []
    assert re.findall(r"^[a-z0-9].*==", lock, re.MULTILINE)


def test_every_package_in_the_lock_has_a_hash() -> None:
    packages = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]

    assert [package.splitlines()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    """A registry is chosen by the machine, not by the project; the names are put together so that none stands here."""
    hosts = [
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("registry", "npmjs", "org"),
            ("repo1", "maven", "org"),
            ("repo", "maven", "apache", "org"),
            ("central", "sonatype", "com"),
            ("deb", "debian", "org"),
        )
    ]

    assert [(relative(path), host) for path, text in texts_of_the_repository() for host in hosts if host in text] == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    folder = re.compile(r"(?<![\w.~-])/" + r"(?:root|work|home|Users)/\w")

    assert [
        (relative(path), found[0]) for path, text in texts_of_the_repository() if (found := folder.search(text))
    ] == []
