"""Imports point one way. The two tables are the rule; a new file or library must fit in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BASE = ("frame", "boxes", "errors")
LOOP = (
    "counts", "detectors", "judge", "ladder", "lookahead", "looker", "lookout", "options", "outlet",
    "pace", "pipeline", "reader", "second_looks", "sender", "sound", "timeline", "trial",
)  # fmt: skip
TOP = (
    "build", "recorded", "live_stream", "commands", "cli", "worker.__main__", "worker.figures",
    "worker.loader", "worker.worker",
)  # fmt: skip

# A part of edge_agent -> the parts that it may import. The longest name that fits counts; a part
# may always import itself. What is not named lies around the loop: it may import all but the top.
PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(BASE, ()),
    "detect": BASE,
    "track": BASE,
    "redact": BASE,
    "spool": ("errors",),
    "upload": ("errors", "spool", "media.backoff"),
    **dict.fromkeys(
        ("upload.enrolled", "upload.forwarder"), ("errors", "spool", "upload", "fleet")
    ),
    "media": ("frame", "errors", "redact.protected", "spool"),
    "settings": ("errors",),
    "worker.job": ("settings",),
    "worker.report": ("worker.job",),
    "fleet": ("errors", "settings", "detect", "worker.job", "worker.report", "media.backoff"),
    **dict.fromkeys(
        LOOP,
        (
            *BASE, *LOOP, "detect.detector", "detect.evidence", "track.tracker", "redact",
            "media.audio", "media.events", "media.source",
        ),
    ),
    **dict.fromkeys(TOP, ("",)),
}  # fmt: skip

# A library -> the parts of edge_agent that may import it; "" is any.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "numpy": ("",),
    "cv2": ("",),
    "structlog": ("",),
    "av": ("media",),
    "rtmp": ("media",),
    "onnxruntime": ("detect",),
    "lap": ("track",),
    "cryptography": ("spool", "fleet"),
    "httpx": ("upload", "fleet"),
    "pydantic": ("settings", "detect.card", "worker", "fleet", "upload"),
    "pydantic_settings": ("settings",),
    "typer": ("cli", "commands", "flags"),
    "rich": ("cli", "commands", "status_line"),
    "starlette": ("local_api", "http_guard", "media.whip.door"),
    "uvicorn": ("local_api", "media.whip.door"),
    "aiortc": ("media.whip",),
    "fleet_contract": ("fleet", "commands.agent", "commands.consent"),
    "paho": ("fleet.link",),
    "psutil": ("fleet.voice", "worker", "when"),
    "tuf": ("fleet.models",),
    "jwt": ("fleet.control_plane", "fleet.vouch"),
    "prometheus_client": ("metrics",),
}

# The same for the control plane: what its core must not know, and where a library belongs.
CONTROL_CORE = {
    "domain": ("adapters", "api", "service", "commands", "lambdas", "serve"),
    "service": ("adapters", "api", "commands", "lambdas", "serve"),
    "pki": ("adapters", "api", "service", "commands", "lambdas", "serve"),
    "tuf": ("adapters", "api", "service", "commands", "lambdas", "serve"),
    "adapters": ("api", "commands", "lambdas", "serve"),
    "ingest": ("adapters", "lambdas", "serve"),
    "api": ("adapters", "commands", "lambdas", "serve"),
}
CONTROL_LIBRARIES: dict[str, tuple[str, ...]] = {
    "paho": ("adapters.mqtt", "adapters.eviction"),
    "amqtt": ("adapters.packets", "adapters.session"),
    "sqlite3": ("adapters",),
    "psutil": ("adapters.mosquitto", "ingest.nginx_process"),
    "av": ("ingest.remux", "ingest.copies", "ingest.still"),
    "tuf": ("tuf",),
    "boto3": ("adapters.aws",),
    "botocore": ("adapters.aws",),
    "mypy_boto3_dynamodb": ("adapters.aws",),
    "mangum": ("lambdas",),
}

TRAINING_MAY_IMPORT = ("boxes", "detect", "errors", "frame")


def modules(package: str) -> dict[str, ast.Module]:
    """Every module below a package, by its dotted name without the package's own."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / package).with_suffix("").parts)
        found[name.removesuffix("__init__").removesuffix(".")] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """The full name of everything that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole path"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, part: str) -> bool:
    return not part or name == part or name.startswith(part + ".")


def part_of(module: str) -> str | None:
    """The longest part in the table that a module belongs to."""
    fitting = [part for part in PARTS if within(module, part)]
    return max(fitting, key=len) if fitting else None


def may_import(module: str, other: str) -> bool:
    part = part_of(module)
    if part is None:
        return not any(within(other, top) for top in TOP)
    return within(other, part) or any(within(other, allowed) for allowed in PARTS[part])


EDGE = modules("edge_agent")


@pytest.mark.parametrize("module", [name for name in EDGE if name])
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    inner = [name for name in imports(EDGE[module]) if within(name, "edge_agent")]
    wrong = [
        name
        for name in inner
        if not may_import(module, name.removeprefix("edge_agent").lstrip("."))
    ]
    assert wrong == []


@pytest.mark.parametrize("module", list(EDGE))
def test_a_module_uses_only_the_libraries_of_its_part(module: str) -> None:
    names = {name.partition(".")[0] for name in imports(EDGE[module])}
    foreign = names - {"edge_agent"} - set(sys.stdlib_module_names)
    wrong = [
        name
        for name in foreign
        if not any(within(module, part) for part in LIBRARIES.get(name, ()))
    ]
    assert wrong == []


CONTROL = modules("cloud_control")


@pytest.mark.parametrize("module", [name for name in CONTROL if name])
def test_the_core_of_the_control_plane_knows_no_adapter_and_no_library_of_theirs(
    module: str,
) -> None:
    names = list(imports(CONTROL[module]))
    assert not any(within(name, "edge_agent") for name in names)
    for core, forbidden in CONTROL_CORE.items():
        if within(module, core):
            found = [name for name in names for part in forbidden
                     if within(name, f"cloud_control.{part}")]  # fmt: skip
            assert found == []
    for library, parts in CONTROL_LIBRARIES.items():
        if any(within(name, library) for name in names):
            assert any(within(module, part) for part in parts), library


def test_the_contract_knows_neither_side() -> None:
    names = [name for tree in modules("fleet_contract").values() for name in imports(tree)]
    assert not any(within(name, side) for name in names for side in ("edge_agent", "cloud_control"))


def test_training_imports_only_the_detector_and_what_it_rests_on() -> None:
    wrong = [
        (module, name)
        for module, tree in modules("training").items()
        for name in imports(tree)
        if within(name, "edge_agent")
        and not any(within(name, f"edge_agent.{part}") for part in TRAINING_MAY_IMPORT)
    ]
    assert wrong == []


def test_the_rtmp_server_knows_neither_side() -> None:
    names = {name.partition(".")[0] for tree in modules("rtmp").values() for name in imports(tree)}
    assert names - {"rtmp"} <= set(sys.stdlib_module_names)


def test_the_lambda_package_is_made_without_what_it_packs() -> None:
    names = {name.partition(".")[0] for tree in modules("infra").values() for name in imports(tree)}
    assert names <= set(sys.stdlib_module_names)


def test_ffmpegs_parsers_read_what_strangers_send_in_a_process_of_their_own() -> None:
    """The control plane has keys to lose; what is named here is run by itself, with none."""
    names = ("ingest.remux", "ingest.copies", "ingest.still")
    apart = tuple(f"cloud_control.{name}" for name in names)
    for module, tree in CONTROL.items():
        if module not in names:
            assert not any(within(name, other) for name in imports(tree) for other in apart)


def test_every_row_of_the_tables_is_in_use() -> None:
    """A rule about something that is gone protects nothing."""
    unused = {part for part in PARTS if not any(within(name, part) for name in EDGE)}
    used = {name.partition(".")[0] for tree in EDGE.values() for name in imports(tree)}
    assert unused == set()
    assert set(LIBRARIES) - used == set()


def test_the_rules_refuse_what_they_are_for() -> None:
    assert not may_import("detect.heads", "media.demux")
    assert not may_import("media.sink", "redact.gate.Gate")
    assert not may_import("track.tracker", "redact.cover")
    assert not may_import("pipeline", "media.sink.Sink")
    assert not may_import("preview", "cli")
    assert may_import("media.sink", "redact.protected.ProtectedFrame")
    assert may_import("build", "pipeline")
