"""Messages that Amazon SNS posts to us: surely Amazon's, surely of our topic.

Source: "Verifying the signatures of Amazon SNS messages" in the developer guide.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate, load_pem_x509_certificate
from django.utils import timezone

_AMAZON = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303 - what SNS signs with unless told otherwise
    "2": hashes.SHA256(),
}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_TIMEOUT_S = 10
_MOST_BYTES = 64 * 1024


class NotGenuine(Exception):
    """A message that is not Amazon's, or not for us; the message says why."""


class NotReachable(Exception):
    """Amazon's own address gave no answer: the message is to be sent again."""


def checked(body: bytes, *, topic: str) -> dict[str, str]:
    """Return a message whose signature and topic are right.

    Raises NotGenuine, and NotReachable where the certificate cannot be fetched.
    """
    try:
        told: Any = json.loads(body)
    except ValueError as error:
        raise NotGenuine("it is no JSON") from error
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise NotGenuine("it is no message of SNS")
    if told.get("TopicArn") != topic:
        raise NotGenuine(f"it is of the topic {told.get('TopicArn', '')[:200]!r}")
    certificate = _certificate(told.get("SigningCertURL", ""))
    if not is_signed(told, certificate):
        raise NotGenuine("its signature is wrong")
    return told


def is_signed(told: Mapping[str, str], certificate: Certificate) -> bool:
    """Return whether a message was signed with a certificate's key, and is what was signed."""
    names = _SIGNED.get(told.get("Type", ""))
    algorithm = _HASHES.get(told.get("SignatureVersion", ""))
    key = certificate.public_key()
    now = timezone.now()
    is_valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    if not (names and algorithm and is_valid and isinstance(key, RSAPublicKey)):
        return False
    signed = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
    try:
        signature = base64.b64decode(told.get("Signature", ""), validate=True)
        key.verify(signature, signed.encode(), PKCS1v15(), algorithm)
    except (ValueError, InvalidSignature):
        return False
    return True


def confirm(told: Mapping[str, str]) -> None:
    """Confirm a subscription to our topic. Raises NotGenuine, NotReachable."""
    _fetch(told.get("SubscribeURL", ""))


@lru_cache(maxsize=16)
def _certificate(url: str) -> Certificate:
    if not url.endswith(".pem"):
        raise NotGenuine(f"SigningCertURL is {url[:200]!r}")
    try:
        return load_pem_x509_certificate(_fetch(url))
    except ValueError as error:
        raise NotReachable(f"there is no certificate at {url}") from error


def _fetch(url: str) -> bytes:
    """Return what stands at an https address of Amazon SNS, and at no other."""
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme == "https" and parts.netloc == parts.hostname
    except ValueError as error:
        raise NotGenuine(f"{url[:200]!r} is no address") from error
    if not is_plain or not _AMAZON.fullmatch(parts.hostname or ""):
        raise NotGenuine(f"{url[:200]!r} is no address of Amazon SNS")
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - https, checked above
            found: bytes = answer.read(_MOST_BYTES)
    except (URLError, OSError) as error:
        raise NotReachable(f"{url} gave no answer: {error}") from error
    return found
