"""The zip for Lambda: the same twice, small enough, and with all that the functions import."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra import lambda_package
from infra.lambda_package import (
    LARGEST,
    LARGEST_ZIPPED,
    LEFT_OUT,
    LOCK,
    ROOT,
    SOURCES,
    PackageError,
)

ELF_AARCH64 = 183  # e_machine


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("package") / "lambda.zip"
    lambda_package.build(target)
    return target


@pytest.fixture(scope="module")
def entries(package: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(package) as archive:
        return archive.infolist()


def test_the_same_sources_give_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again.zip"
    assert lambda_package.main([str(again)]) == 0
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, again)}
    assert len(digests) == 1


def test_lambda_takes_it(package: Path, entries: list[zipfile.ZipInfo]) -> None:
    assert package.stat().st_size < LARGEST_ZIPPED
    assert sum(each.file_size for each in entries) < LARGEST


def test_it_is_sorted_and_of_one_time(entries: list[zipfile.ZipInfo]) -> None:
    names = [each.filename for each in entries]
    assert names == sorted(names)
    assert {each.date_time for each in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_the_control_plane_is_in_it_and_nothing_of_video(entries: list[zipfile.ZipInfo]) -> None:
    names = {each.filename for each in entries}
    assert {"cloud_control/api/app.py", "cloud_control/web/index.html", "fleet_contract/topics.py",
            "fastapi/__init__.py", "boto3/__init__.py", "mangum/__init__.py"} <= names  # fmt: skip
    tops = {name.partition("/")[0] for name in names}
    assert not tops & {"av", "cv2", "numpy", "onnxruntime", "lap", "edge_agent", "bin"}
    assert not any("__pycache__" in name for name in names)


def test_all_that_is_compiled_is_for_graviton(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        compiled = [name for name in archive.namelist() if ".so" in Path(name).suffixes]
        machines = {int.from_bytes(archive.read(name)[18:20], "little") for name in compiled}
    assert len(compiled) >= 2
    assert machines == {ELF_AARCH64}
    assert all("cpython-313-aarch64" in name or "abi3" in name for name in compiled
               if name.startswith(("pydantic_core/", "cryptography/", "_cffi")))  # fmt: skip


def test_what_the_functions_import_is_in_it(entries: list[zipfile.ZipInfo]) -> None:
    script = (
        "import sys\n"
        "from cloud_control.lambdas import http, ivs, messages, provisioning, schedule\n"
        "print(*(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    own = [path for path in map(Path, said.stdout.split())
           if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in SOURCES]  # fmt: skip
    imported = {name for path in own for name in imports_at_once(path)}
    tops = {each.filename.partition("/")[0].removesuffix(".py") for each in entries}
    assert {"fastapi", "pydantic", "boto3", "mangum"} <= imported
    assert imported - tops - set(sys.stdlib_module_names) == set()


def imports_at_once(path: Path) -> Iterator[str]:
    """The packages that a module needs as soon as it is imported."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_lock_has_what_the_project_asks_for() -> None:
    locked = dict(line.split()[0].split("==") for line in LOCK.read_text().splitlines()[1:])
    for wanted in map(Requirement, lambda_package.requirements()):
        name = lambda_package.named(wanted.name)
        assert wanted.specifier.contains(locked[name]), f"{wanted}: run --lock"
    assert not LEFT_OUT & set(locked)


def test_a_wheel_with_other_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "lambda.lock"
    line = next(each for each in LOCK.read_text().splitlines() if each.startswith("idna=="))
    wrong.write_text(line[:-64] + "0" * 64)
    monkeypatch.setattr(lambda_package, "LOCK", wrong)
    with pytest.raises(PackageError, match="hash"):
        lambda_package.build(tmp_path / "out.zip")
    assert lambda_package.main([str(tmp_path / "out.zip")]) == 1
    assert "hash" in capsys.readouterr().err.lower()
