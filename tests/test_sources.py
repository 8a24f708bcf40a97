"""What the source text itself must show: raw pictures have few holders and no way out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EDGE = ROOT / "edge_agent"
MODULES = {
    path.relative_to(EDGE).as_posix(): ast.parse(path.read_text())
    for path in sorted(EDGE.rglob("*.py"))
} | {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
    for path in sorted((ROOT / "rtmp").rglob("*.py"))
}

# The only modules that know a raw frame: where it comes from, where and how long it waits, who
# looks at it and who covers it. Whatever encodes, writes, sends or shows is not among them.
RAW_FRAME = {
    "media/demux.py", "media/stamper.py", "media/camera.py", "media/whip/published.py",
    "reader.py", "pipeline.py", "lookahead.py", "lookout.py", "looker.py", "judge.py", "pace.py",
    "detect/detector.py", "detect/letterbox.py", "detect/onnx_detector.py",
    "track/tracker.py",
    "redact/gate.py",
}  # fmt: skip

# How bytes can leave the process -> the modules that may use it, and for what.
WAYS_OUT = {
    "imwrite": set(),
    "imencode": {
        "preview.py",  # protected frames, for the page on this device
        "contact_sheet.py",  # protected frames
        "commands/detect.py",  # drawn copies of still pictures, where the user asks for them
    },
    "write_bytes": {"contact_sheet.py", "commands/detect.py"},
    "write_text": set(),
    "tofile": set(),
    "save": set(),
    "savez": set(),
    "savetxt": {"media/hdr.py"},  # the colour table for FFmpeg
    "dump": set(),
    "sendall": {"rtmp/publisher.py"},  # RTMP's answers to a publisher
    "sendto": set(),
    "NamedTemporaryFile": set(),
    "mkstemp": set(),
    "mkdtemp": {"media/hdr.py"},
    "TemporaryDirectory": set(),
    "SharedMemory": set(),
    "print": set(),
    "exception": set(),  # a logged traceback can show values
    "print_exc": set(),
    "set_trace": set(),
    "breakpoint": set(),
}
OPENS_TO_WRITE = {
    "report.py",  # numbers, no pixels
    "media/hdr.py",
    "media/mux.py",  # coded, protected
    "media/encode.py",  # "null": written nowhere
    "media/audio.py",  # "null"
    "media/whip/sound.py",  # "null"
    "media/pusher.py",  # coded, protected
    "fleet/home.py",  # keys, certificates and settings of the device
    "fleet/models/download.py",  # what comes from the model repository
    "spool/draft.py",  # coded, protected
    "worker/__main__.py",  # reports: numbers, on its standard output
}


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call by the last part of its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node


def names(tree: ast.AST) -> set[str]:
    """Every identifier that occurs, imported ones and those inside quoted annotations too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found |= {node.name.rpartition(".")[2], node.asname or ""}
    return found


def callers(name: str) -> set[str]:
    return {path for path, tree in MODULES.items() for called, _ in calls(tree) if called == name}


def opens_to_write(tree: ast.Module) -> bool:
    for name, call in calls(tree):
        if name in {"open", "fdopen"}:
            words = [*call.args, *(keyword.value for keyword in call.keywords)]
            modes = [w.value for w in words if isinstance(w, ast.Constant)]
            if any(isinstance(m, str) and m and set(m) <= set("rwaxb+t") and set(m) & set("wax+")
                   for m in modes):  # fmt: skip
                return True
    return False


def test_only_the_gate_makes_protected_frames() -> None:
    assert callers("ProtectedFrame") == {"redact/gate.py"}
    keyed = {path for path, tree in MODULES.items() if "_GATE_KEY" in names(tree)}
    assert keyed == {"redact/gate.py", "redact/protected.py"}


def test_only_the_encoder_makes_protected_packets_and_only_from_protected_frames() -> None:
    assert callers("ProtectedPacket") == {"media/encode.py"}
    encode = next(
        node
        for node in ast.walk(MODULES["media/encode.py"])
        if isinstance(node, ast.FunctionDef) and node.name == "encode"
    )
    annotated = [ast.unparse(arg.annotation) for arg in encode.args.args if arg.annotation]
    assert annotated == ["ProtectedFrame"]


def test_raw_frames_are_known_to_few() -> None:
    holders = {path for path, tree in MODULES.items() if "Frame" in names(tree)}
    assert holders - {"frame.py"} <= RAW_FRAME


@pytest.mark.parametrize("method", ["video", "audio", "see"])
def test_exits_take_protected_things_alone(method: str) -> None:
    """Whatever is called video(...), audio(...) or see(...) is an exit, but for what takes note of
    a source's frames or times."""
    taken = {
        ast.unparse(node.args.args[1].annotation or ast.Constant(None))
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == method
        if path not in {"judge.py", "track/tracker.py", "timeline.py", "media/stamper.py"}
    }
    allowed = {
        "video": {"ProtectedFrame", "ProtectedPacket"},
        "audio": {"AudioPacket"},
        "see": {"ProtectedFrame"},
    }
    assert taken
    assert taken <= allowed[method]


@pytest.mark.parametrize("way", sorted(WAYS_OUT))
def test_a_way_out_is_used_only_where_it_is_allowed(way: str) -> None:
    found = {path for path in callers(way) if not is_console(path, way)}
    assert found == WAYS_OUT[way]


def is_console(path: str, way: str) -> bool:
    """`print` of a rich console is how commands talk to people."""
    return way == "print" and all(
        isinstance(call.func, ast.Attribute) for name, call in calls(MODULES[path]) if name == way
    )


def test_files_are_opened_for_writing_only_where_it_is_allowed() -> None:
    assert {path for path, tree in MODULES.items() if opens_to_write(tree)} == OPENS_TO_WRITE


def test_the_scan_finds_what_it_looks_for() -> None:
    bad = ast.parse(
        "from edge_agent.frame import Frame as F\n"
        "def show(x: 'F') -> None:\n    cv2.imwrite('a.png', x.y)\n    open('a', mode='wb')\n"
    )
    assert "Frame" in names(bad)
    assert "imwrite" in {name for name, _ in calls(bad)}
    assert opens_to_write(bad)
    assert not opens_to_write(ast.parse("open('w.txt'); path.open(); av.open(file, 'r')"))
