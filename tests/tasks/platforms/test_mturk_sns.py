"""Messages that SNS posts: only Amazon's own, of our topic, are taken."""

import base64
import io
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from email.message import Message
from urllib.error import URLError
from urllib.response import addinfourl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.urls import reverse

from tasks.models import PlatformEvent
from tasks.platforms.mturk import sns

pytestmark = pytest.mark.django_db
TOPIC = "arn:aws:sns:us-east-1:123456789012:clime"
CERTIFICATE_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
ALGORITHMS = {"1": hashes.SHA1(), "2": hashes.SHA256()}
EVENTS = {
    "EventDocId": "doc1",
    "Events": [
        {
            "EventType": "AssignmentSubmitted",
            "EventTimestamp": "2026-11-25T12:00:00Z",
            "HITId": "3HIT",
            "AssignmentId": "3A",
        }
    ],
}


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key, *, days=30):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(tz=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Amazon(urllib.request.HTTPSHandler):
    """Answers https requests in Amazon's place."""

    def __init__(self, pages):
        super().__init__()
        self.pages, self.asked = pages, []

    def https_open(self, request):
        self.asked.append(request.full_url)
        if request.full_url not in self.pages:
            raise URLError("nobody is there")
        headers = Message()
        answer = addinfourl(
            io.BytesIO(self.pages[request.full_url]), headers, request.full_url, 200
        )
        answer.msg = "OK"
        return answer


@pytest.fixture
def amazon(key, settings, monkeypatch):
    settings.MTURK_NOTIFY_TOPIC_ARN = TOPIC
    there = Amazon({CERTIFICATE_URL: certificate(key), SUBSCRIBE_URL: b"<ok/>"})
    monkeypatch.setattr(urllib.request, "_opener", urllib.request.build_opener(there))
    sns._certificate.cache_clear()
    return there


@pytest.fixture
def signed(key):
    """Return a function that makes messages as SNS signs them."""

    def signed(*, version="1", **changes):
        told = {
            "Type": "Notification",
            "MessageId": "m1",
            "TopicArn": TOPIC,
            "Message": json.dumps(EVENTS),
            "Timestamp": "2026-11-25T12:00:00.000Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            **changes,
        }
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token"]
        names += ["TopicArn", "Type"]
        if told["Type"] == "Notification":
            names = [name for name in names if name not in ("SubscribeURL", "Token")]
        text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
        signature = key.sign(text.encode(), padding.PKCS1v15(), ALGORITHMS[version])
        return {**told, "Signature": base64.b64encode(signature).decode()}

    return signed


@pytest.fixture
def post(client):
    def post(told):
        body = told if isinstance(told, str) else json.dumps(told)
        return client.post(reverse("mturk_hook"), body, content_type="text/plain").status_code

    return post


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Line\nbreak, “quoted”"}])
def test_a_signed_message_of_our_topic_is_kept_once(amazon, signed, post, version, subject):
    assert post(signed(version=version, **subject)) == 200
    assert post(signed(version=version, **subject)) == 200
    event = PlatformEvent.objects.get()
    assert (event.kind, event.event_id) == ("AssignmentSubmitted", "doc1-0")
    assert event.subject == {"listing": "3HIT", "assignment": "3A"}
    assert event.happened_at == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert amazon.asked == [CERTIFICATE_URL]


@pytest.mark.parametrize(
    "change",
    [
        {"Message": "{}"},
        {"Timestamp": "2026-11-25T12:00:01.000Z"},
        {"Subject": "added"},
        {"Signature": "AAAA"},
        {"Signature": "no base64!"},
        {"SignatureVersion": "2"},
        {"SignatureVersion": "3"},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
    ],
)
@pytest.mark.usefixtures("amazon")
def test_a_changed_message_is_refused(signed, post, change):
    assert post({**signed(), **change}) == 403
    assert not PlatformEvent.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.test/a.pem",
        "https://evil.test/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.test/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://s3.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.txt",
        "https://[",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(amazon, signed, post, url):
    assert post(signed(SigningCertURL=url)) == 403
    assert amazon.asked == []


def test_another_topic_is_refused_before_anything_is_fetched(amazon, signed, post):
    assert post(signed(TopicArn=f"{TOPIC}-other")) == 403
    assert amazon.asked == []


@pytest.mark.parametrize("body", ["", "hello", "[]", '{"Type": 1}', "{}"])
@pytest.mark.usefixtures("amazon")
def test_what_is_no_message_is_refused(post, body):
    assert post(body) == 403


def test_a_certificate_whose_time_is_over_is_refused(amazon, key, signed, post):
    amazon.pages[CERTIFICATE_URL] = certificate(key, days=-1)
    assert post(signed()) == 403


@pytest.mark.parametrize("pages", [{}, {CERTIFICATE_URL: b"<html>"}])
def test_without_a_certificate_the_message_is_to_come_again(amazon, signed, post, pages):
    before = amazon.pages
    amazon.pages = pages
    assert post(signed()) == 503
    amazon.pages = before
    assert post(signed()) == 200
    assert PlatformEvent.objects.count() == 1


def confirmation(signed, url=SUBSCRIBE_URL, **changes):
    return signed(Type="SubscriptionConfirmation", Token="t", SubscribeURL=url, **changes)


def test_a_subscription_to_our_topic_is_confirmed(amazon, signed, post):
    assert post(confirmation(signed)) == 200
    assert amazon.asked == [CERTIFICATE_URL, SUBSCRIBE_URL]


def test_a_subscription_to_another_topic_is_not(amazon, signed, post):
    assert post(confirmation(signed, TopicArn=f"{TOPIC}-other")) == 403
    assert amazon.asked == []


def test_a_subscription_is_confirmed_at_amazon_alone(amazon, signed, post):
    assert post(confirmation(signed, url="https://evil.test/?Action=ConfirmSubscription")) == 403
    assert amazon.asked == [CERTIFICATE_URL]


def test_a_message_that_is_no_notification_is_not_asked_for_again(amazon, signed, post, caplog):
    assert post(signed(Message="hello")) == 200
    assert "this is no JSON" in caplog.text


def test_without_a_topic_there_is_no_such_page(client, amazon, signed, post, settings):
    assert client.get(reverse("mturk_hook")).status_code == 405
    settings.MTURK_NOTIFY_TOPIC_ARN = ""
    assert post(signed()) == 404
