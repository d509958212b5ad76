"""Messages: sending, receiving and settling them, alone and in batches."""

import hashlib
import threading
import time

from boto3_door import RUN, action, attributes_md5, equal, md5


@action("SendMessage")
def send_message(door):
    url, send = door.queue("send"), door.sqs.send_message
    body = 'a body with <markup> & "quotes", \ttabs\r\nand CRLF, \u00fc\u4e2d\U0001f600 + 100%'
    user = {
        "text": {"DataType": "String", "StringValue": "v & <w>"},
        "number": {"DataType": "Number.int", "StringValue": "-17.5e3"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    sent = send(QueueUrl=url, MessageBody=body, MessageAttributes=user, MessageSystemAttributes=system)
    equal(sent["MD5OfMessageBody"], md5(body))
    equal(sent["MD5OfMessageAttributes"], attributes_md5(user))
    equal(sent["MD5OfMessageSystemAttributes"], attributes_md5(system))
    assert "SequenceNumber" not in sent
    names = door.system_names("All")
    [message] = door.receive(url, MessageAttributeNames=["All"], **names)
    equal([message["Body"], message["MessageId"]], [body, sent["MessageId"]])
    equal(message["MessageAttributes"], user)
    equal([message["MD5OfBody"], message["MD5OfMessageAttributes"]], [md5(body), attributes_md5(user)])
    equal(message["Attributes"]["AWSTraceHeader"], trace)
    send(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    equal(door.receive(url), [])
    equal([message["Body"] for message in door.receive(url, WaitTimeSeconds=5)], ["later"])

    door.refuses(
        "MissingParameter", send, "The request must contain the parameter MessageBody.", QueueUrl=url, MessageBody=""
    )
    door.refuses("InvalidMessageContents", send, QueueUrl=url, MessageBody="\u0001")
    door.refuses("InvalidParameterValue", send, QueueUrl=url, MessageBody="x", DelaySeconds=901)
    door.refuses(
        "InvalidParameterValue",
        send,
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        QueueUrl=url,
        MessageBody="x" * 1_048_577,
    )
    door.refuses(
        "InvalidParameterValue",
        send,
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "seven"}},
    )
    lists = {"l": {"DataType": "String", "StringListValues": ["a"]}}
    door.refuses("InvalidParameterValue", send, QueueUrl=url, MessageBody="x", MessageAttributes=lists)
    door.refuses("QueueDoesNotExist", send, QueueUrl=url + "-none", MessageBody="x")
    largest = "x" * 1_048_576
    equal(send(QueueUrl=url, MessageBody=largest)["MD5OfMessageBody"], md5(largest))
    equal([message["Body"] == largest for message in door.receive(url)], [True])


@action("SendMessage to a FIFO queue")
def send_to_fifo(door):
    url, send = door.queue("send", fifo=True, ContentBasedDeduplication="true"), door.sqs.send_message
    first = send(QueueUrl=url, MessageBody="1", MessageGroupId="g")
    again = send(QueueUrl=url, MessageBody="1", MessageGroupId="g")
    equal([again["MessageId"], again["SequenceNumber"]], [first["MessageId"], first["SequenceNumber"]])
    second = send(QueueUrl=url, MessageBody="2", MessageGroupId="g", MessageDeduplicationId="d")
    assert first["SequenceNumber"] < second["SequenceNumber"]
    send(QueueUrl=url, MessageBody="other", MessageGroupId="h")
    names = door.system_names("MessageGroupId", "MessageDeduplicationId", "SequenceNumber")
    received = door.receive(url, MaxNumberOfMessages=10, ReceiveRequestAttemptId="attempt", **names)
    equal([message["Body"] for message in received], ["1", "2", "other"])
    equal(
        received[1]["Attributes"],
        {"MessageGroupId": "g", "MessageDeduplicationId": "d", "SequenceNumber": second["SequenceNumber"]},
    )
    equal(received[0]["Attributes"]["MessageDeduplicationId"], hashlib.sha256(b"1").hexdigest())
    replayed = door.receive(url, MaxNumberOfMessages=10, ReceiveRequestAttemptId="attempt")
    equal([message["MessageId"] for message in replayed], [message["MessageId"] for message in received])
    equal(door.receive(url), [])
    door.refuses(
        "MissingParameter",
        send,
        "The request must contain the parameter MessageGroupId.",
        QueueUrl=url,
        MessageBody="x",
    )
    door.refuses("InvalidParameterValue", send, QueueUrl=url, MessageBody="x", MessageGroupId="g", DelaySeconds=2)


@action("SendMessageBatch")
def send_message_batch(door):
    url, send = door.queue("batch"), door.sqs.send_message_batch
    bytes_value = {"b": {"DataType": "Binary", "BinaryValue": b"\0\1\2\xff"}}
    entries = [{"Id": f"m{number}", "MessageBody": f"body {number}"} for number in range(9)]
    entries.append({"Id": "last", "MessageBody": "with bytes", "MessageAttributes": bytes_value})
    sent = send(QueueUrl=url, Entries=entries)
    assert "Failed" not in sent, sent
    equal([entry["Id"] for entry in sent["Successful"]], [entry["Id"] for entry in entries])
    equal([entry["MD5OfMessageBody"] for entry in sent["Successful"]], [md5(e["MessageBody"]) for e in entries])
    equal(sent["Successful"][9]["MD5OfMessageAttributes"], attributes_md5(bytes_value))
    mixed = send(QueueUrl=url, Entries=[{"Id": "ok", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "\u0001"}])
    equal([entry["Id"] for entry in mixed["Successful"]], ["ok"])
    equal(
        [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in mixed["Failed"]],
        [("bad", "InvalidMessageContents", True)],
    )

    def entry(number):
        return {"Id": f"e{number}", "MessageBody": "x"}

    many = [entry(number) for number in range(11)]
    door.refuses(
        "TooManyEntriesInBatchRequest",
        send,
        "Maximum number of entries per request are 10. You have sent 11.",
        QueueUrl=url,
        Entries=many,
    )
    door.refuses("BatchEntryIdsNotDistinct", send, "Id e1 repeated.", QueueUrl=url, Entries=[entry(1), entry(1)])
    door.refuses("InvalidBatchEntryId", send, QueueUrl=url, Entries=[{"Id": "a b", "MessageBody": "x"}])
    long = [{"Id": f"e{number}", "MessageBody": "x" * 600_000} for number in range(2)]
    door.refuses("BatchRequestTooLong", send, QueueUrl=url, Entries=long)
    if door.protocol == "json":
        door.refuses("EmptyBatchRequest", send, QueueUrl=url, Entries=[])
    fifo = door.queue("batch", fifo=True)
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "1"}
    sent = send(QueueUrl=fifo, Entries=[{**entry(1), **ids}, {**entry(2), **ids}])["Successful"]
    equal(sent[0]["SequenceNumber"], sent[1]["SequenceNumber"])
    door.refuses("InvalidParameterValue", send, QueueUrl=fifo, Entries=[entry(1)])


@action("ReceiveMessage")
def receive_message(door):
    url = door.queue("receive")
    assert "Messages" not in door.sqs.receive_message(QueueUrl=url)
    begun = time.monotonic()
    equal(door.receive(url, WaitTimeSeconds=1), [])
    assert 0.9 < time.monotonic() - begun < 5, "an empty long poll of one second"
    sender = threading.Timer(0.3, door.sqs.send_message, kwargs={"QueueUrl": url, "MessageBody": "at last"})
    sender.start()
    begun = time.monotonic()
    names = door.system_names("ApproximateReceiveCount", "SenderId", "SentTimestamp", "Nonsense")
    if "AttributeNames" in names:
        names = door.system_names("All")
    [message] = door.receive(url, WaitTimeSeconds=20, VisibilityTimeout=0, **names)
    assert time.monotonic() - begun < 10, "a long poll ends with a message"
    sender.join()
    equal(message["Body"], "at last")
    equal(message["Attributes"]["ApproximateReceiveCount"], "1")
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    assert "MD5OfMessageAttributes" not in message and "MessageAttributes" not in message
    [message] = door.receive(url, AttributeNames=["ApproximateReceiveCount"])
    equal(message["Attributes"], {"ApproximateReceiveCount": "2"})
    attributes = {name: {"DataType": "String", "StringValue": "v"} for name in ("a.1", "a.2", "b")}
    door.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    [message] = door.receive(url, MessageAttributeNames=["a.*", "c"])
    equal(sorted(message["MessageAttributes"]), ["a.1", "a.2"])
    equal(message["MD5OfMessageAttributes"], attributes_md5({name: attributes[name] for name in ("a.1", "a.2")}))
    for number in range(3):
        door.sqs.send_message(QueueUrl=url, MessageBody=str(number))
    equal([message["Body"] for message in door.receive(url, MaxNumberOfMessages=10)], ["0", "1", "2"])
    receive = door.sqs.receive_message
    for bad in ({"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}, {"VisibilityTimeout": 43_201}):
        door.refuses("InvalidParameterValue", receive, QueueUrl=url, **bad)
    door.refuses("QueueDoesNotExist", receive, QueueUrl=url + "-none")


@action("DeleteMessage")
def delete_message(door):
    url, delete = door.queue("delete"), door.sqs.delete_message
    door.sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = door.receive(url)
    delete(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    delete(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    equal(door.attributes(url, "ApproximateNumberOfMessagesNotVisible")["ApproximateNumberOfMessagesNotVisible"], "0")
    door.refuses(
        "ReceiptHandleIsInvalid",
        delete,
        'The input receipt handle "forged" is not a valid receipt handle.',
        QueueUrl=url,
        ReceiptHandle="forged",
    )
    other = door.queue("delete-other")
    door.refuses("ReceiptHandleIsInvalid", delete, QueueUrl=other, ReceiptHandle=message["ReceiptHandle"])


@action("DeleteMessageBatch")
def delete_message_batch(door):
    url, delete = door.queue("delete-batch"), door.sqs.delete_message_batch
    door.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(3)])
    received = door.receive(url, MaxNumberOfMessages=10)
    entries = [{"Id": f"d{i}", "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(received)]
    result = delete(QueueUrl=url, Entries=[*entries, {"Id": "bad", "ReceiptHandle": "forged"}])
    equal([entry["Id"] for entry in result["Successful"]], ["d0", "d1", "d2"])
    equal([(entry["Id"], entry["Code"]) for entry in result["Failed"]], [("bad", "ReceiptHandleIsInvalid")])
    door.refuses("BatchEntryIdsNotDistinct", delete, QueueUrl=url, Entries=[entries[0], entries[0]])


@action("ChangeMessageVisibility")
def change_message_visibility(door):
    url, change = door.queue("visibility"), door.sqs.change_message_visibility
    door.sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = door.receive(url)
    handle = message["ReceiptHandle"]
    equal(door.receive(url), [])
    change(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    [message] = door.receive(url)
    for timeout in (43_201, 43_200):
        door.refuses(
            "InvalidParameterValue",
            change,
            QueueUrl=url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=timeout,
        )
        time.sleep(0.01)
    change(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=1)
    equal(len(door.receive(url, WaitTimeSeconds=5)), 1)
    door.refuses("ReceiptHandleIsInvalid", change, QueueUrl=url, ReceiptHandle="forged", VisibilityTimeout=1)


@action("ChangeMessageVisibilityBatch")
def change_message_visibility_batch(door):
    url, change = door.queue("visibility-batch"), door.sqs.change_message_visibility_batch
    door.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(2)])
    handles = [message["ReceiptHandle"] for message in door.receive(url, MaxNumberOfMessages=2)]
    entries = [{"Id": f"c{i}", "ReceiptHandle": handle, "VisibilityTimeout": 0} for i, handle in enumerate(handles)]
    bad = {"Id": "bad", "ReceiptHandle": handles[0], "VisibilityTimeout": 43_201}
    result = change(QueueUrl=url, Entries=[*entries, bad])
    equal([entry["Id"] for entry in result["Successful"]], ["c0", "c1"])
    equal([(entry["Id"], entry["Code"]) for entry in result["Failed"]], [("bad", "InvalidParameterValue")])
    equal(len(door.receive(url, MaxNumberOfMessages=10)), 2)
    door.refuses(
        "TooManyEntriesInBatchRequest",
        change,
        QueueUrl=url,
        Entries=[{**entries[0], "Id": str(number)} for number in range(11)],
    )


@action("PurgeQueue")
def purge_queue(door):
    url = door.queue("purge")
    door.sqs.send_message(QueueUrl=url, MessageBody="x")
    door.sqs.purge_queue(QueueUrl=url)
    equal(door.receive(url), [])
    door.refuses(
        "PurgeQueueInProgress",
        door.sqs.purge_queue,
        f"Only one PurgeQueue operation on {RUN}-purge is allowed every 60 seconds.",
        QueueUrl=url,
    )
    door.refuses("QueueDoesNotExist", door.sqs.purge_queue, QueueUrl=url + "-none")
