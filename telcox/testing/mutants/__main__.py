"""Change the code, one change at a time, and see which tests notice."""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from telcox.testing.mutants.mutations import Mutant, all_explained, explained, mutants_of, tests_by_package
from telcox.testing.mutants.runs import Trials, see, warm_up
from telcox.testing.processes import ROOT

# By whether a test failed, and whether mutants.toml explains why none does.
OUTCOMES = {
    (True, False): "killed",
    (False, False): "survived",
    (False, True): "explained",
    (True, True): "explained, but killed",
}


def parsed() -> argparse.Namespace:
    packages = tests_by_package()
    parser = argparse.ArgumentParser(prog="bin/mutants", description=__doc__)
    parser.add_argument("packages", nargs="*", default=list(packages), help=f"of {', '.join(packages)}")
    parser.add_argument("--all", action="store_true", help="every change, not a sample")
    parser.add_argument("--sample", type=int, default=40, help="how many changes of each package (40)")
    parser.add_argument("--seed", default=datetime.now(UTC).date().isoformat(), help="of the sample (today)")
    parser.add_argument("--minutes", type=float, default=0, help="start no change after that long (no limit)")
    parser.add_argument("--seconds", type=float, default=120, help="of tests for each change (120)")
    parser.add_argument("--only", default="", help="changes whose place and code have this text")
    parser.add_argument("--workers", type=int, default=1, help="how many at a time (1)")
    parser.add_argument("--list", action="store_true", help="print the changes, and try none")
    parser.add_argument("--keep", type=Path, help="keep what the tests do in this folder, and use it again")
    parser.add_argument("--out", type=Path, help="add each result to this file, and go on where it ends")
    options = parser.parse_args()
    if unknown := set(options.packages) - set(packages):
        parser.error(f"not in mutants.toml: {', '.join(sorted(unknown))}")
    return options


def chosen(package: str, options: argparse.Namespace) -> list[Mutant]:
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py"))
    mutants = [mutant for file in files for mutant in mutants_of(ROOT, file) if options.only in str(mutant)]
    if options.all or len(mutants) <= options.sample:
        return mutants
    picked = random.Random(f"{options.seed} {package}").sample(range(len(mutants)), options.sample)
    return [mutants[number] for number in sorted(picked)]


def try_all(
    mutants: dict[str, list[Mutant]],
    tests: list[str],
    options: argparse.Namespace,
    until: float,
    folder: Path,
) -> dict[str, Counter[str]]:
    """Try the mutants of packages that the same tests can see. Print those that survive without an
    explanation, and return how many came to what, by package."""
    known = {each.key for each in explained()}
    files = sorted({mutant.file for of_package in mutants.values() for mutant in of_package})
    seen = see(files, tests, folder)
    print(f"{', '.join(mutants)}: {len(seen.seconds)} tests", flush=True)
    if seen.failed:
        print("These fail without a change:", *seen.failed, sep="\n  ")
        return {package: Counter(broken=1) for package in mutants}

    trials, before = Trials(seen, folder, options.seconds), noted(options.out)

    def outcome(mutant: Mutant) -> str:
        if mutant.key in before:
            return before[mutant.key]
        if time.monotonic() > until:
            return "not run"
        began = time.monotonic()
        result = OUTCOMES[trials.is_killed(mutant), mutant.key in known]
        if result == "survived":
            print(mutant, flush=True)
        note(options.out, mutant, result, time.monotonic() - began, len(seen.tests_of(mutant)))
        return result

    results = {}
    for package, of_package in mutants.items():
        with ThreadPoolExecutor(options.workers) as pool:
            results[package] = Counter(pool.map(outcome, of_package))
        print(f"{package}: {counts(results[package])}", flush=True)
    return results


def counts(result: Counter[str]) -> str:
    each = ", ".join(f"{number} {name}" for name, number in sorted(result.items()))
    return f"{result.total()} changes: {each}"


Key = tuple[str, str, str, str]


def noted(out: Path | None) -> dict[Key, str]:
    """Return the results in the file, by the key of the mutant."""
    lines = out.read_text().splitlines() if out and out.exists() else []
    results = [json.loads(line) for line in lines]
    return {
        (each["file"], each["function"], each["was"], each["becomes"]): each["result"] for each in results
    }


def note(out: Path | None, mutant: Mutant, result: str, seconds: float, tests: int) -> None:
    if out:
        told = {"result": result, "seconds": round(seconds, 1), "tests": tests, "operator": mutant.operator}
        told |= {name: getattr(mutant, name) for name in ("file", "line", "function", "was", "becomes")}
        with out.open("a") as file:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")


def stale(packages: list[str]) -> list[str]:
    """Return the explanations of changes that the code no longer has."""
    keys = {
        mutant.key
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        for mutant in mutants_of(ROOT, path.relative_to(ROOT).as_posix())
    }
    return [
        f"{each.file} in {each.function}: {each.was}"
        for each in explained()
        if each.key not in keys and any(each.file.startswith(f"{package}/") for package in packages)
    ]


def main() -> int:
    options = parsed()
    until = time.monotonic() + (options.minutes * 60 or float("inf"))
    warm_up()
    mutants = {package: chosen(package, options) for package in options.packages}
    if options.list:
        for package, of_package in mutants.items():
            print(*of_package, f"{package}: {len(of_package)} changes", sep="\n")
        return 0
    bad = False
    all_tests = tests_by_package()
    for tests in {tuple(all_tests[package]): None for package in mutants}:
        with tempfile.TemporaryDirectory(prefix="telcox-mutants-") as folder:
            of_tests = {name: found for name, found in mutants.items() if tuple(all_tests[name]) == tests}
            results = try_all(of_tests, list(tests), options, until, options.keep or Path(folder))
        for package, result in results.items():
            bad |= bool(result["explained, but killed"] or result["broken"])
            bad |= bool(result["survived"] and package in all_explained())
    for each in stale(options.packages):
        print(f"Explained in mutants.toml, and no longer there: {each}")
        bad = True
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
