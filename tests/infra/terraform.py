"""Terraform as the tests call it: in a copy, offline, with the provider from a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "infra" / "terraform"
PROVIDER = Path("registry.terraform.io/hashicorp/aws")
SECONDS = 280  # of one command, on a machine with other work
VARIABLES = {"fleet": "acme", "region": "eu-west-1"}


def plugin_folder() -> Path | None:
    """Where the provider lies on this machine: as the environment says, else where it is usual."""
    named = [os.environ[name] for name in ("TF_PLUGIN_DIR", "TF_PLUGIN_CACHE_DIR")
             if os.environ.get(name)]  # fmt: skip
    home = Path.home() / ".terraform.d"
    usual = [
        home / "plugins", home / "plugin-cache", "/opt/tf-plugins",
        "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins",
    ]  # fmt: skip
    found = (Path(each) for each in [*named, *usual])
    return next((each for each in found if _holds_provider(each)), None)


class Terraform:
    """A copy of infra/terraform, ready to be used. Skips the test where that cannot be had."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("terraform") is None:
            pytest.skip("terraform is not installed: https://developer.hashicorp.com/terraform")
        self.folder = folder / "terraform"
        shutil.copytree(SOURCE, self.folder, ignore=shutil.ignore_patterns(".terraform*"))
        self.package = folder / "package.zip"
        self.package.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty zip
        plugins = plugin_folder()
        offline = [] if plugins is None else [f"-plugin-dir={plugins}"]
        done = self.run("init", "-backend=false", *offline, check=False)
        if done.returncode and plugins is None:
            pytest.skip(
                "The AWS provider is in no folder, and no registry gives it: put it below "
                f"TF_PLUGIN_DIR/{PROVIDER}. Terraform said: {done.stderr.strip()[-300:]}"
            )
        assert done.returncode == 0, done.stderr

    def run(
        self, *words: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One terraform command. Fails the test with what it said, unless told not to check."""
        words = ("terraform", words[0], *_quiet(words[0]), *words[1:])
        done = subprocess.run(
            words, cwd=self.folder, env=_environment(environment or {}), text=True,
            capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def values(self, **more: str) -> list[str]:
        """The variables of the root, as options."""
        values = {**VARIABLES, "package": str(self.package), **more}
        return [f"-var={name}={value}" for name, value in values.items()]

    def output(self, name: str) -> Any:
        """An output of what was applied."""
        return json.loads(self.run("output", "-json", name).stdout)

    def plan(self, endpoint: str, **more: str) -> dict[str, Any]:
        """What would be made, with AWS at an endpoint of the tests."""
        away = aws_at(endpoint)
        self.run("plan", "-out=plan.bin", *self.values(**more), environment=away)
        shown: dict[str, Any] = json.loads(self.run("show", "-json", "plan.bin").stdout)
        return shown


def aws_at(endpoint: str) -> dict[str, str]:
    """The environment in which AWS's clients talk to `endpoint`, with keys that are none."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": VARIABLES["region"],
        "AWS_DEFAULT_REGION": VARIABLES["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def planned(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources of a plan by address, each with its values."""
    found: dict[str, dict[str, Any]] = {}
    modules = [plan["planned_values"]["root_module"]]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", [])
        found |= {each["address"]: each.get("values", {}) for each in module.get("resources", [])}
    return found


def _holds_provider(folder: Path) -> bool:
    return any((folder / PROVIDER).glob("*/*/terraform-provider-aws*")) or any(
        (folder / PROVIDER).glob("terraform-provider-aws*.zip")
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **more}


def _quiet(command: str) -> list[str]:
    return [] if command in {"fmt", "show", "output"} else ["-no-color"]
