"""The house rules that code can be held to: which way imports point, and who may read clock and environment."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.triggers import REGISTRY

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"

MAY_IMPORT = {
    "contract": set(),
    "domain": {"contract"},
    "triggers": {"contract", "domain"},
    "config": {"contract", "domain", "triggers"},
    "engine": {"contract", "domain", "triggers"},
    "simulate": {"contract", "domain", "triggers", "engine"},
    "rebuild": {"contract", "config", "domain", "triggers", "engine", "streams"},
    "streams": {"contract", "config", "domain", "engine", "triggers"},
    "growth": {"contract", "domain", "engine", "streams"},
    "delivery": {"contract", "domain", "engine", "triggers"},
}
"""The packages of ours that each package may import; `bootstrap`, `cli` and `dev`, which wire, are not held."""
LEAVES = {"clock", "errors", "logs", "metrics", "settings"}
"""Modules that anyone but the pure packages may import."""
PURE = ("contract", "domain", "triggers")
LIBRARIES_OF_THE_PURE = {"msgspec", "holidays"}
OUTSIDE = {"faust", "mode", "aiokafka", "rocksdict", "aiosmtplib", "jinja2", "babel", "typer", "rich", "aiohttp"}
"""What engine and simulate know nothing of."""
EFFECTS = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}
"""Of the standard library: what the pure packages have no use for."""
CLOCK_READERS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}


def modules(package: str = "") -> Iterator[Path]:
    return (APP / package).rglob("*.py")


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports, with the names taken out of packages of ours."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            if node.module == "app":
                yield from (f"app.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    """The packages and modules directly under app that a module imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("app.")}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package} | (set() if package in PURE else LEAVES)
    wrong = {shown(path): ours(path) - allowed for path in modules(package) if ours(path) - allowed}
    assert not wrong


def test_every_package_is_held_to_a_direction_or_wires_the_others() -> None:
    packages = {path.name for path in APP.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages - {"cli", "dev"} <= set(MAY_IMPORT)


@pytest.mark.parametrize("package", PURE)
def test_the_pure_packages_import_the_standard_library_and_two_more(package: str) -> None:
    allowed = (set(sys.stdlib_module_names) - EFFECTS) | LIBRARIES_OF_THE_PURE | {"app"}
    wrong = {shown(p): sorted({n.split(".")[0] for n in imported(p)} - allowed) for p in modules(package)}
    assert not {path: names for path, names in wrong.items() if names}


@pytest.mark.parametrize("package", ["engine", "simulate"])
def test_the_engine_knows_no_kafka_client_and_no_database(package: str) -> None:
    wrong = {shown(p): sorted({n.split(".")[0] for n in imported(p)} & OUTSIDE) for p in modules(package)}
    assert not {path: names for path, names in wrong.items() if names}


def test_only_bootstrap_and_commands_import_bootstrap_or_commands() -> None:
    wiring = {"bootstrap", "cli"}
    held = [path for path in modules() if path.relative_to(APP).parts[0] not in {"cli", "bootstrap.py", "__main__.py"}]
    assert not {shown(path): ours(path) & wiring for path in held if ours(path) & wiring}


def attributes(path: Path) -> Iterator[tuple[str, str]]:
    """The (name, attribute) pairs that a module reads, such as (time, time)."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            yield name, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_only_the_clock_reads_the_time() -> None:
    readers = {shown(path) for path in modules() if CLOCK_READERS & set(attributes(path))}
    assert readers <= {"app/clock.py"}


def test_only_the_settings_read_the_environment() -> None:
    reading = {("os", "environ"), ("os", "getenv"), ("os", "environb")}
    readers = {shown(path) for path in modules() if reading & set(attributes(path))}
    assert readers <= {"app/settings.py"}


def test_no_other_module_names_a_trigger() -> None:
    """But the billing run's, which knows the initial invoice's, the two built-in rules, and the previews' examples."""
    known = {
        "app/dev/previews.py": set(REGISTRY),
        "app/domain/builtin.py": {"user_created", "user_forgot_password"},
        "app/triggers/billing_run_succeeded.py": {"initial_invoice"},
    }
    wrong = {}
    for path in modules():
        named = {node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)}
        named |= {name.rpartition(".")[2] for name in imported(path) if name.startswith("app.triggers.")}
        others = set(REGISTRY) & {name for name in named if isinstance(name, str)} - {path.stem}
        if others - known.get(shown(path), set()):
            wrong[shown(path)] = sorted(others - known.get(shown(path), set()))
    assert not wrong


def test_files_hold_one_idea() -> None:
    long = {shown(path): lines for path in modules() if (lines := len(path.read_text("utf-8").splitlines())) > 400}
    assert not long
