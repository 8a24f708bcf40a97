"""The Terraform modules: their form, and their own tests, with AWS mocked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.infra import terraform as tf
from tests.infra.terraform import SOURCE, Terraform

pytestmark = pytest.mark.timeout(300)
MODULES = sorted(path.name for path in (SOURCE / "modules").iterdir())


def test_the_files_are_formatted(terraform: Terraform) -> None:
    assert terraform.run("fmt", "-check", "-recursive", "-diff").stdout == ""


def test_the_root_and_all_its_modules_are_valid(terraform: Terraform) -> None:
    assert "Success!" in terraform.run("validate").stdout


def test_every_run_of_the_modules_tests_passes(terraform: Terraform, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = terraform.run("test", f"-junit-xml={report}", check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = {case.get("name") for case in ET.parse(report).iter("testcase")}
    written = {
        name
        for path in SOURCE.glob("tests/*.tftest.hcl")
        for name in re.findall(r'^run "(\w+)"', path.read_text(), re.MULTILINE)
    }
    assert cases == written


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_runs_of_its_own_and_is_used(module: str) -> None:
    tests = "".join(path.read_text() for path in SOURCE.glob("tests/*.tftest.hcl"))
    assert f'source = "./modules/{module}"' in tests
    wanted = re.compile(rf'source\s*= "(\./modules|\.\.)/{module}"')
    assert any(wanted.search(path.read_text()) for path in SOURCE.rglob("main.tf"))


@pytest.mark.parametrize("module", MODULES)
def test_every_variable_and_output_says_what_it_is(module: str) -> None:
    for name in ("variables.tf", "outputs.tf"):
        text = (SOURCE / "modules" / module / name).read_text()
        blocks = re.findall(r'^(?:variable|output) "\w+" \{\n(.*?)^\}', text, re.MULTILINE | re.S)
        assert blocks
        assert all("description" in block for block in blocks)


def test_a_module_that_breaks_its_promise_fails_its_tests(terraform: Terraform) -> None:
    main = terraform.folder / "modules/state/main.tf"
    whole = main.read_text()
    main.write_text(whole.replace('attribute_name = "expires"', 'attribute_name = "expired"'))
    try:
        done = terraform.run("test", "-filter=tests/storage.tftest.hcl", check=False)
    finally:
        main.write_text(whole)
    assert done.returncode == 1
    assert "nothing expires" in done.stdout + done.stderr


def test_the_provider_is_found_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = tmp_path / tf.PROVIDER / "5.100.0" / "linux_amd64"
    lies.mkdir(parents=True)
    monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path))
    assert tf.plugin_folder() != tmp_path  # there is nothing in it
    (lies / "terraform-provider-aws_v5.100.0_x5").touch()
    assert tf.plugin_folder() == tmp_path
