"""What an enrolled device says of the camera that it waits for, and whom it lets bring one."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from cryptography import x509

from edge_agent.errors import FleetError
from edge_agent.fleet.details import read_details
from edge_agent.fleet.device_settings import DeviceSettings, welcoming
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import Identity
from edge_agent.fleet.vouch import AUDIENCE, Vouchers
from edge_agent.settings import Camera
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.device import enrolled_home

FINGERPRINT, ANOTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def home(tmp_path: Path, authority: Authority) -> Home:
    return enrolled_home(tmp_path / "home", authority, 1)


def read(voucher: str | None, home: Home) -> dict[str, str]:
    """As the control plane's pages read it: by the key in the device's certificate."""
    assert voucher is not None
    key = x509.load_pem_x509_certificate(home.certificate.read_bytes()).public_key()
    return dict(jwt.decode(voucher, key, ["ES256"], audience=AUDIENCE))  # type: ignore[arg-type]


def test_a_voucher_names_device_stream_and_certificate(home: Home) -> None:
    vouchers = Vouchers(home, read_details(home))
    assert read(vouchers.of("cam-1", FINGERPRINT), home) == {
        "aud": AUDIENCE, "sub": "acme/van-7", "stream": "cam-1", "sha256": FINGERPRINT,
    }  # fmt: skip
    assert vouchers.of("cam-1", "") is None


def test_a_voucher_stays_until_certificate_or_key_change(home: Home, authority: Authority) -> None:
    """What is said to the fleet is sent only when it is new."""
    vouchers = Vouchers(home, read_details(home))
    first = vouchers.of("cam-1", FINGERPRINT)
    assert vouchers.of("cam-1", FINGERPRINT) == first
    second = vouchers.of("cam-1", ANOTHER)
    assert read(second, home)["sha256"] == ANOTHER

    identity = Identity(home)
    request = identity.prepare("acme/van-7")
    identity.keep(authority.sign_request(request, "acme/van-7"))
    identity.promote()
    assert read(vouchers.of("cam-1", ANOTHER), home)["sha256"] == ANOTHER


def test_without_the_devices_key_nothing_is_vouched_for(home: Home) -> None:
    home.key.unlink()
    with pytest.raises(FleetError, match="enroll"):
        Vouchers(home, read_details(home)).of("cam-1", FINGERPRINT)


def test_the_control_planes_pages_are_welcome_unless_others_are_named() -> None:
    control = "https://control.example:8443/base"
    assert welcoming(DeviceSettings(), control).camera.origins == ("https://control.example:8443",)
    named = DeviceSettings(camera=Camera(origins=("https://live.example",)))
    assert welcoming(named, control) == named
