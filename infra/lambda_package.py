"""The zip that all Lambda functions share: `python -m infra.lambda_package OUT.zip`.

The same sources and the same `lambda.lock` give the same bytes. `--lock` writes that file anew,
with the newest versions that pyproject.toml allows.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "infra" / "lambda.lock"
SOURCES = ("cloud_control", "fleet_contract", "rtmp")
EXTRAS = ("control", "aws")
LEFT_OUT = frozenset({
    "av", "lapx", "numpy", "onnxruntime", "opencv-python-headless",  # video is the device's work
    "amqtt", "psutil",  # IoT Core is the broker, and there are no children to watch
    "veilcast",
})  # fmt: skip
PYTHON = "3.13"
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")  # Amazon Linux 2023 on Graviton
LARGEST_ZIPPED, LARGEST = 50 << 20, 250 << 20  # bytes; what Lambda takes
LONG_AGO = (1980, 1, 1, 0, 0, 0)
DROPPED = {"__pycache__", "bin", "tests", "RECORD", "INSTALLER", "REQUESTED"}


class PackageError(Exception):
    """The package cannot be made; the message says what to do."""


def requirements() -> list[str]:
    """What the functions need besides this project, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in EXTRAS for each in extras.get(name, []))]
    return sorted(each for each in wanted if named(each) not in LEFT_OUT)


def named(requirement: str) -> str:
    """The project that a requirement is about."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return found[0].lower().replace("_", "-") if found else ""


def build(target: Path) -> None:
    """Write the zip. Raises PackageError when a wheel cannot be had or the result is too large."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _pip("install", "--target", name, "--no-compile", "--no-deps", "--require-hashes",
             "--requirement", str(LOCK))  # fmt: skip
        files = dict(sorted([*_files(folder), *_own()]))
        target.parent.mkdir(parents=True, exist_ok=True)
        size = _write(target, files)
    if size > LARGEST or target.stat().st_size > LARGEST_ZIPPED:
        raise PackageError(f"{target} is larger than Lambda takes: add to LEFT_OUT")


def lock() -> None:
    """Write `lambda.lock`: every wheel by version and hash."""
    with tempfile.TemporaryDirectory() as name:
        _pip("download", "--dest", name, *requirements())
        wheels = sorted(Path(name).glob("*.whl"))
        lines = [_locked(wheel) for wheel in wheels]
    LOCK.write_text("# By `python -m infra.lambda_package --lock`.\n" + "".join(sorted(lines)))


def _locked(wheel: Path) -> str:
    said = subprocess.run(
        [sys.executable, "-m", "pip", "hash", str(wheel)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, version = wheel.name.split("-")[:2]
    digest = re.findall(r"--hash=sha256:[0-9a-f]{64}", said.stdout)
    return f"{named(name)}=={version} {digest[0]}\n"


def _pip(command: str, *words: str) -> None:
    platforms = [f"--platform={each}" for each in PLATFORMS]
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check",
         "--only-binary=:all:", f"--python-version={PYTHON}", *platforms, *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise PackageError(f"pip found no wheels for Lambda:\n{done.stderr.strip()[-2000:]}")


def _own() -> Iterator[tuple[str, Path]]:
    for source in SOURCES:
        for name, path in _files(ROOT / source):
            yield f"{source}/{name}", path


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if path.is_file() and not DROPPED & set(inner.parts):
            yield inner.as_posix(), path


def _write(target: Path, files: dict[str, Path]) -> int:
    """One time and one mode for all. Returns the size of what is in it."""
    size = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
            data = path.read_bytes()
            archive.writestr(entry, data)
            size += len(data)
    return size


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.lambda_package", description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT.zip")
    parser.add_argument("--lock", action="store_true", help="write infra/lambda.lock anew")
    asked = parser.parse_args(words)
    if not (asked.out or asked.lock):
        parser.error("name the zip to write, or --lock")
    try:
        if asked.lock:
            lock()
        if asked.out:
            build(asked.out)
            print(f"{asked.out}: {asked.out.stat().st_size / 1e6:.1f} MB, {_inside(asked.out)}")
    except PackageError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _inside(target: Path) -> str:
    with zipfile.ZipFile(target) as archive:
        entries = archive.infolist()
    return f"{sum(each.file_size for each in entries) / 1e6:.1f} MB in {len(entries)} files"


if __name__ == "__main__":
    sys.exit(main())
