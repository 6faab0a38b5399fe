"""Mutation testing of the heart's decisions: `make mutants`, see docs/testing.md.

cosmic-ray changes one thing at a time in a copy of the source, and the unit tests concerned must notice. Each module is
worked on in a copy of its own, two at a time.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UNIT = "tests/unit"
SLOW = f"{UNIT}/triggers/test_adding_one.py"
FIRST = {
    "delinquency": f"{UNIT}/domain/test_delinquency.py {UNIT}/domain/test_flips.py",
    "calendar": f"{UNIT}/domain/test_calendar.py",
    "decide": f"{UNIT}/domain/test_decide.py {UNIT}/engine_heart/test_late.py",
    "hours": f"{UNIT}/domain/test_hours.py",
}
"""Each module of `app/domain`, and the tests that most likely notice what is changed in it."""
COMPARED = ("test_live", "test_same_decisions", "test_due_index")
"""Tests of the heart that compare it with itself: a mutant changes both sides alike."""
IGNORED = " ".join(f"--ignore {path}" for path in (SLOW, *(f"{UNIT}/engine_heart/{name}.py" for name in COMPARED)))
THEN = f"{UNIT}/domain {UNIT}/triggers {UNIT}/test_cases.py {UNIT}/engine_heart {IGNORED}"
AT_ONCE = 2
CPU = 30
"""Seconds of processor time, of which the unchanged module takes 10: who needs more never ends, and is noticed."""
TIMEOUT = 600.0
"""Seconds for the tests of one mutant: cosmic-ray takes who exceeds them for killed, we do not."""
LEFT_OUT = (
    "core/ReplaceBinaryOperator_BitOr_.*",  # `X | None` is the one use of `|` here: a type's name
    "core/ReplaceBinaryOperator_LShift_.*",  # and the size of a cache the one of `<<`
    "core/ReplaceBinaryOperator_.*_(BitAnd|BitOr|BitXor|LShift|RShift|Pow|Mod|Div)",  # no slip that anybody makes
)
"""Operators of cosmic-ray that are not tried."""


def main() -> None:
    """Print each survivor as a difference, and the figures."""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda module: examined(module, Path(place) / module), sys.argv[1:] or FIRST)
        for module, mutants in zip(sys.argv[1:] or FIRST, found, strict=True):
            for mutant in mutants:
                if mutant["outcome"] == "survived":
                    sys.stdout.write(f"--- {mutant['name']}\n{mutant['diff']}\n")
            counts = Counter(mutant["outcome"] for mutant in mutants)
            figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
            sys.stdout.write(f"{module}: {len(mutants)} mutants, {figures}\n")
            sys.stdout.flush()


def examined(module: str, copy: Path) -> list[dict[str, Any]]:
    """Return the module's mutants, each with what became of it."""
    for part in ("app", "tests", "docs", "deploy", "pyproject.toml"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    # By its hash a changed source is known, however soon it changes again.
    _run(copy, "compileall", "-q", "--invalidation-mode", "checked-hash", "app")
    (copy / "mutants.toml").write_text(_configuration(module))
    _ray(copy, "baseline", "mutants.toml")  # unchanged, the tests pass
    _ray(copy, "init", "mutants.toml", "mutants.sqlite", "--force")
    _run(copy, "cosmic_ray.tools.filters.operators_filter", "mutants.sqlite", "mutants.toml")
    _ray(copy, "exec", "mutants.toml", "mutants.sqlite")
    return list(_outcomes(_ray(copy, "dump", "mutants.sqlite")))


def _configuration(module: str) -> str:
    options = "-x -q --no-header --tb=no -p no:cacheprovider --hypothesis-profile mutants"
    first, then = (f"{sys.executable} -m pytest {options} {tests}" for tests in (FIRST[module], THEN))
    # Most mutants are noticed before all the tests are even collected.
    command = f"sh -c 'ulimit -t {CPU} && {first} && {then}'"
    return f"""
[cosmic-ray]
module-path = "app/domain/{module}.py"
timeout = {TIMEOUT}
excluded-modules = []
test-command = "{command}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = {json.dumps(LEFT_OUT)}
"""


def _ray(copy: Path, *command: str) -> str:
    return _run(copy, "cosmic_ray.cli", *command)


def _run(copy: Path, module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, text=True, check=True).stdout


def _outcomes(dump: str) -> Iterator[dict[str, Any]]:
    for line in dump.splitlines():
        work, result = json.loads(line)
        if result is None or result["worker_outcome"] == "skipped":
            continue
        where = work["mutations"][0]
        name = f"{where['module_path']}:{where['start_pos'][0]} {where['operator_name']}"
        timed_out = "timeout" in result["output"]
        outcome = "timed out" if timed_out else result["test_outcome"]
        yield {"name": name, "outcome": outcome, "diff": result["diff"]}


if __name__ == "__main__":
    main()
