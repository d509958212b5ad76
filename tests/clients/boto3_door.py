"""What the checks share: a client of boto3, and how its calls are refused."""

import hashlib
import json
import pathlib
import struct
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Every error: its code in the query protocol, which SDKs keep as the error's code, and its HTTP status.
ERRORS = json.loads((pathlib.Path(__file__).parent / "../aws/errors.json").read_text())
RUN = uuid.uuid4().hex[:8]
ACTIONS = []


def action(name):
    """Registers what drives one action; they run in the order of their files."""
    return lambda function: ACTIONS.append((name, function)) or function


class Door:
    """The client, and what the checks share."""

    def __init__(self, endpoint, region, key):
        self.endpoint = endpoint
        self.config = Config(retries={"total_max_attempts": 1}, read_timeout=40)
        self.region = region
        self.sqs = self.client(region, key)
        self.errors = self.sqs.exceptions
        self.modelled = {shape.name for shape in self.sqs.meta.service_model.error_shapes}
        self.protocol = self.sqs.meta.service_model.metadata["protocol"]

    def client(self, region, key):
        return boto3.client(
            "sqs",
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=self.config,
        )

    def queue(self, name, fifo=False, **attributes):
        if fifo:
            name, attributes = f"{name}.fifo", {"FifoQueue": "true", **attributes}
        return self.sqs.create_queue(QueueName=f"{RUN}-{name}", Attributes=attributes)["QueueUrl"]

    def attributes(self, url, *names):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names or ["All"])).get("Attributes", {})

    def arn(self, url):
        return self.attributes(url, "QueueArn")["QueueArn"]

    def receive(self, url, **parameters):
        return self.sqs.receive_message(QueueUrl=url, **parameters).get("Messages", [])

    def takes(self, operation, member):
        return member in self.sqs.meta.service_model.operation_model(operation).input_shape.members

    def system_names(self, *names):
        new = "MessageSystemAttributeNames"
        return {new if self.takes("ReceiveMessage", new) else "AttributeNames": list(names)}

    def refuses(self, name, call, text=None, **parameters):
        """That a call fails: with which class (if the model has it), query-compatible code, HTTP status and text."""
        kind, error = getattr(self.errors, name) if name in self.modelled else ClientError, ERRORS[name]
        try:
            output = call(**parameters)
        except kind as raised:
            equal(raised.response["Error"]["Code"], error["query"])
            equal(raised.response["ResponseMetadata"]["HTTPStatusCode"], error["status"])
            assert raised.response["ResponseMetadata"]["RequestId"], raised.response
            if text is not None:
                equal(raised.response["Error"]["Message"], text)
            return
        raise AssertionError(f"{name} expected, got {output!r}")


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attributes_md5(attributes):
    """Rule M27, written once more."""
    digest = hashlib.md5()
    for name in sorted(attributes):
        kind, value = attributes[name]["DataType"], attributes[name]
        binary = "BinaryValue" in value
        data = value["BinaryValue"] if binary else value["StringValue"].encode()
        for part in (name.encode(), kind.encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(b"\2" if binary else b"\1")
        digest.update(struct.pack(">I", len(data)) + data)
    return digest.hexdigest()
