"""What S3 checks of an object that is put by a signed address, and moto's server does not."""

from __future__ import annotations

import base64
import hashlib

from tests.cloud_control.aws.front import Answer, Call


def object_checks(call: Call) -> Answer | None:
    """A rule of a `Front`: signed headers must be there, checksums must be right; the answer names
    the checksum of what was stored."""
    signed = call.query.get("X-Amz-SignedHeaders")
    if call.method != "PUT" or signed is None:
        return None
    if any(name != "host" and name not in call.headers for name in signed.split(";")):
        return Answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
    digest = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(call.body, usedforsecurity=False).digest()).decode()
    if call.headers.get("x-amz-checksum-sha256", digest) != digest:
        return Answer(400, b"<Error><Code>BadDigest</Code></Error>")
    if call.headers.get("content-md5", md5) != md5:
        return Answer(400, b"<Error><Code>BadDigest</Code></Error>")
    made = call.send()
    return Answer(made.status, made.body, {**made.headers, "x-amz-checksum-sha256": digest})
