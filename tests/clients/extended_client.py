"""One step of Amazon's extended client for Python, on a queue that requeue writes and reads as well.

    python extended_client.py STEP QUEUE_URL TEXT

Run by the tests of examples/sqs_endpoint, which say in AWS's own environment variables where SQS and S3 are. TEXT is what
large bodies repeat. Ends with 1 if anything is not as expected.
"""

import json
import sys
import uuid

from botocore.exceptions import ClientError
from sqs_extended_client import SQSExtendedClientSession

from boto3_door import equal

BUCKET = "payloads"
STEPS = {}

# The attributes that both sides give their messages. Bytes are received alone: a client that sends them fails, since it
# measures all values as text.
USER = {
    "text": {"DataType": "String", "StringValue": "v & <w> \u00fc"},
    "number": {"DataType": "Number.int", "StringValue": "-17.5e3"},
}
BYTES = {"bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))}}


def step(function):
    STEPS[function.__name__] = function


class Client:
    """The extended client, as a team sets it up that lets it remove payloads."""

    def __init__(self, url, text):
        self.url, self.text = url, text
        self.sqs = SQSExtendedClientSession().client("sqs")
        self.sqs.large_payload_support = BUCKET
        self.sqs.delete_payload_from_s3 = True

    def large(self, name):
        return f"{name}: {self.text * 30_000}"

    def send(self, body, **attributes):
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes={**USER, **attributes})

    def receive(self, *names, **parameters):
        """Messages, with `..` in their bodies for what large ones repeat."""
        names = {"MessageAttributeNames": list(names)} if names else {}
        response = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, **names, **parameters)
        messages = response.get("Messages", [])
        for message in messages:
            message["Body"] = message["Body"].replace(self.text * 30_000, "..")
        return messages

    def settle(self, call, message, **parameters):
        call(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], **parameters)

    def settle_all(self, call, messages, **parameters):
        handles = [{"Id": str(id), "ReceiptHandle": it["ReceiptHandle"]} for id, it in enumerate(messages)]
        response = call(QueueUrl=self.url, Entries=[{**handle, **parameters} for handle in handles])
        equal([len(response["Successful"]), response.get("Failed", [])], [len(messages), []])

    def gone(self, message):
        """That neither the message nor its object is there."""
        equal(self.receive(), [])
        key = message["ReceiptHandle"].split("-..s3Key..-")[1]
        try:
            found = self.sqs.s3_client.head_object(Bucket=BUCKET, Key=key)
        except ClientError as raised:
            equal(raised.response["ResponseMetadata"]["HTTPStatusCode"], 404)
            return
        raise AssertionError(f"{key} is still there: {found!r}")


@step
def write(client):
    client.send(client.large("as it is"))
    client.send("small")
    client.sqs.always_through_s3 = True
    client.send("small through S3 \u00fc")
    client.sqs.always_through_s3 = False
    client.sqs.use_legacy_attribute = True
    client.send(client.large("legacy"))


@step
def read(client):
    [message] = client.receive(VisibilityTimeout=0)
    equal([message["Body"], message.get("MessageAttributes", {})], ["requeue: ..", {}])
    read_all(client)


@step
def read_legacy(client):
    """A client as it is asks for its own name only (E6)."""
    [message] = client.receive(VisibilityTimeout=0)
    [_, pointer] = json.loads(message["Body"])
    equal([sorted(pointer), pointer["s3BucketName"]], [["s3BucketName", "s3Key"], BUCKET])
    client.sqs.use_legacy_attribute = True
    [message] = client.receive(VisibilityTimeout=0)
    equal(message["Body"], "requeue: ..")
    client.sqs.use_legacy_attribute = False
    read_all(client)


def read_all(client):
    [message] = client.receive("All")
    attributes = message["MessageAttributes"]
    checksum = attributes.pop("PayloadSHA256")
    equal(checksum["StringValue"].split(" ")[0], message["ReceiptHandle"].split("-..s3Key..-")[1])
    equal([message["Body"], attributes], ["requeue: ..", {**USER, **BYTES}])
    equal(client.receive("All"), [])
    client.settle(client.sqs.change_message_visibility, message, VisibilityTimeout=0)
    [again] = client.receive("All")
    equal([again["MessageId"], again["Body"]], [message["MessageId"], message["Body"]])
    client.settle_all(client.sqs.change_message_visibility_batch, [again], VisibilityTimeout=0)
    [last] = client.receive("All")
    client.settle(client.sqs.delete_message, last)
    client.gone(last)


@step
def read_nine(client):
    """Nine attributes leave no room for a checksum."""
    [message] = client.receive("All")
    equal(message["Body"], "requeue: ..")
    equal(sorted(message["MessageAttributes"]), [f"a{number}" for number in range(9)])
    client.settle(client.sqs.delete_message, message)
    client.gone(message)


@step
def write_batch(client):
    bodies = [client.large("one"), "small", client.large("two")]
    entries = [
        {"Id": str(id), "MessageBody": body, "MessageAttributes": dict(USER)} for id, body in enumerate(bodies)
    ]
    response = client.sqs.send_message_batch(QueueUrl=client.url, Entries=entries)
    equal([len(response["Successful"]), response.get("Failed", [])], [3, []])


@step
def delete_batch(client):
    messages = client.receive("All")
    bodies = sorted(message["Body"] for message in messages)
    equal(bodies, ["one: ..", "small", "two: .."])
    client.settle_all(client.sqs.delete_message_batch, messages)
    for message in messages:
        if message["Body"] != "small":
            client.gone(message)


@step
def give_up(client):
    """Receives once too often."""
    client.send(client.large("as it is"))
    for _ in range(2):
        [message] = client.receive(VisibilityTimeout=0)
        equal(message["Body"], "as it is: ..")
    equal(client.receive(VisibilityTimeout=0), [])


@step
def send_on(client):
    """Sends what it received with all its attributes, the checksum of the other payload included."""
    [message] = client.receive("All")
    equal(message["Body"], "requeue: ..")
    attributes = message["MessageAttributes"]
    equal(sorted(attributes), ["PayloadSHA256", "number", "text"])
    client.send(client.large("requeue") + "!", **attributes)
    client.send("small", **attributes)
    client.settle(client.sqs.delete_message, message)


@step
def leave_payload(client):
    """The client as it is deletes the message alone."""
    client.sqs.delete_payload_from_s3 = False
    [message] = client.receive()
    equal(message["Body"], "requeue: ..")
    client.settle(client.sqs.delete_message, message)


@step
def write_below_prefix(client):
    key = {"DataType": "String", "StringValue": f"jobs/{uuid.uuid4()}"}
    client.send(client.large("below the prefix"), S3Key=key)


@step
def write_outside_of_prefix(client):
    client.send(client.large("outside of the prefix"))


if __name__ == "__main__":
    [_, name, url, text] = sys.argv
    STEPS[name](Client(url, text))
